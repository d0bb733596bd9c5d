"""Users have one to three interests, and a visit is about one: four vectors for a user against one,
and whether the vectors are the planted interests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from effects.effect import Effect, compared
from effects.next_item import (
    LENGTH,
    in_no_series,
    log_popularity,
    without_series,
)
from keras import layers, ops
from scipy.optimize import linear_sum_assignment

from keras_recs.data import Dataset, Sequences, Split, split, windows
from keras_recs.data.cinema import CinemaTruth, load_cinema, load_cinema_truth
from keras_recs.evaluation import Evaluation, evaluate_scores
from keras_recs.neural import Epoch, SelfAttentiveInterests, train

METRIC, COSINE = "ndcg@10", "matched cosine"
N_VECTORS = 4
#: The same for both models; on the validation slice of P1, both are at their best after 7 epochs.
DIM, HIDDEN, DROPOUT, LEARNING_RATE, N_EPOCHS, BATCH = 64, 64, 0.5, 3e-3, 7, 256
LEAST = 10  # events of a user whose vectors are matched


class UserVectors(keras.Model):
    """The next film as a mixture of softmaxes, one for each vector of the user:

        p(i) = Σ_k π_k softmax_i(v_k · e_i + b_i)

    The films' vectors are those of the history; one user vector is the special case without π.

    Args:
        data: what is to be learned from.
        n_vectors: K.
    """

    def __init__(self, data: Dataset, n_vectors: int) -> None:
        super().__init__()
        self.items = layers.Embedding(
            data.n_items + 1, DIM, keras.initializers.RandomNormal(stddev=0.1)
        )
        self.dropout = layers.Dropout(DROPOUT)
        self.interests = SelfAttentiveInterests(n_vectors, HIDDEN)
        self.turn = layers.Dense(DIM, use_bias=False, kernel_initializer="identity")
        self.share = layers.Dense(1, use_bias=False)
        self.bias = self.add_weight(
            shape=(data.n_items,), initializer=keras.initializers.Constant(log_popularity(data))
        )

    def parts(self, history: np.ndarray, training: bool = False) -> tuple:
        """(batch, K) log π, and (batch, K, n_items) log softmax of each vector."""
        h = self.dropout(self.items(history), training=training)  # (batch, length, dim)
        v = self.turn(self.interests(h, mask=ops.not_equal(history, 0)))  # (batch, K, dim)
        logits = ops.matmul(v, ops.transpose(self.items.embeddings[1:])) + self.bias
        shares = ops.log_softmax(ops.squeeze(self.share(v), -1), axis=-1)  # (batch, K)
        return shares, ops.log_softmax(logits, axis=-1)

    def call(self, inputs: dict, training: bool = False) -> object:
        """(batch, n_items) log p."""
        shares, by_vector = self.parts(inputs["history"], training)
        return ops.logsumexp(ops.expand_dims(shares, -1) + by_vector, axis=1)


def measure(seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> list[Effect]:
    """Four vectors against one for users of several interests, and the vectors against the
    interests of others, for both."""
    data, truth = split(without_series(load_cinema()), "P1"), load_cinema_truth()
    several = [fit(data, N_VECTORS, seed) for seed in seeds]
    one = [fit(data, 1, seed) for seed in seeds]
    four, single = f"{N_VECTORS} vectors a user", "one vector a user"

    right, wrong = ([judge(model, data) for model in models] for models in (several, one))
    many = has_several(truth, right[0].users)  # (n_users,)

    own, null = zip(*(matched(model, data, truth) for model in several), strict=True)
    own_1, null_1 = zip(*(matched(model, data, truth) for model in one), strict=True)
    above = [_less(a, b) for a, b in zip(own, null, strict=True)]
    above_1 = [_less(a, b) for a, b in zip(own_1, null_1, strict=True)]
    return [
        _effect(
            "NDCG@10 without series, users of several interests",
            (four, single),
            [_only(evaluation, many) for evaluation in right],
            [_only(evaluation, many) for evaluation in wrong],
            METRIC,
        ),
        _effect(
            "matched cosine with interests",
            (f"{four}, the user's own", f"{four}, those of others"),
            own,
            null,
            COSINE,
        ),
        _effect("matched cosine above that of others", (four, single), above, above_1, COSINE),
    ]


def has_several(truth: CinemaTruth, users: np.ndarray) -> np.ndarray:
    """(n,) bool for users by id: two or three interests, at once or one after the other."""
    rows = np.searchsorted(truth.user_ids, users)
    return (truth.n_interests[rows] > 1) | truth.drifting[rows]


def fit(data: Split, n_vectors: int, seed: int) -> UserVectors:
    """The model trained to name the next film of every event in training."""

    def build() -> UserVectors:
        model = UserVectors(data.train, n_vectors)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
        return model

    epochs = _epochs(data.train, np.random.default_rng(seed))
    model, _ = train(build, epochs, n_epochs=N_EPOCHS, batch_size=BATCH, seed=seed)
    return model


def _epochs(data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
    found = windows(data, LENGTH)
    whole = Epoch({"history": found.history}, found.target)
    while True:
        yield whole.take(rng.permutation(whole.n_rows))


def judge(model: UserVectors, data: Split) -> Evaluation:
    """The films after the training part of each user, ranked by log p."""
    histories = Sequences.of(data.train).histories(LENGTH)
    log_p = model.predict({"history": histories}, verbose=0)
    return evaluate_scores(np.where(in_no_series(data.train), log_p, -np.inf), data)


def matched(model: UserVectors, data: Split, truth: CinemaTruth) -> tuple[Evaluation, Evaluation]:
    """How well the vectors of each user are matched with planted interests, one to one: with the
    user's own, and in the mean with those of each other user who has as many.

    A vector's profile is the mean themes of the films that it would show, less that of all events.
    The best of several vectors is near to any interest by chance; the others say how near. Of users
    with two or three interests that do not drift.
    """
    sequences = Sequences.of(data.train)
    enough = np.diff(sequences.starts) >= LEAST
    users = np.flatnonzero((truth.n_interests > 1) & ~truth.drifting & enough)
    _, log_p = model.parts(sequences.histories(LENGTH)[users])
    average = data.train.popularity @ truth.item_themes / len(data.train)
    profiles = np.exp(log_p) @ truth.item_themes - average  # (n, K, themes)
    profiles /= np.linalg.norm(profiles, axis=-1, keepdims=True)

    interests = [np.flatnonzero(truth.interests[user]) for user in users]
    own = np.array([match(p, z) for p, z in zip(profiles, interests, strict=True)])
    null = np.array(
        [
            np.mean(
                [
                    match(p, z)
                    for other, z in enumerate(interests)
                    if other != row and len(z) == len(interests[row])
                ]
            )
            for row, p in enumerate(profiles)
        ]
    )
    ids = truth.user_ids[users]
    return _cosines(own, ids), _cosines(null, ids)


def match(profiles: np.ndarray, interests: np.ndarray) -> float:
    """Mean cosine of the best assignment of vectors to interests; one vector stands for all.

    Args:
        profiles: (K, themes), rows of length 1.
        interests: indices of the themes.
    """
    cosines = profiles[:, interests]  # (K, n)
    if len(profiles) == 1:
        return float(cosines.mean())
    return float(cosines[linear_sum_assignment(cosines, maximize=True)].mean())


def _only(evaluation: Evaluation, chosen: np.ndarray) -> Evaluation:
    """The part of it that is of the chosen users, (n_users,) bool."""
    values = evaluation.per_user[METRIC][chosen]
    return Evaluation(
        evaluation.protocol,
        {METRIC: float(values.mean())},
        {METRIC: values},
        evaluation.users[chosen],
    )


def _cosines(values: np.ndarray, users: np.ndarray) -> Evaluation:
    return Evaluation("P1", {COSINE: float(values.mean())}, {COSINE: values}, users)


def _less(a: Evaluation, b: Evaluation) -> Evaluation:
    return _cosines(a.per_user[COSINE] - b.per_user[COSINE], a.users)


def _effect(
    label: str,
    models: tuple[str, str],
    right: Sequence[Evaluation],
    wrong: Sequence[Evaluation],
    metric: str,
) -> Effect:
    return compared("interests", label, models, right, wrong, metric)
