"""Every learned answer beats popularity, with its defaults, on rich logs and on thin ones; and why:
what the defaults that follow from the data are. `benchmarks/floors.py` prints the same for more and
larger logs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from keras_recs.answers.q08_deep_learning import NeuMF
from keras_recs.answers.q10_graph_embedding import DeepWalk, enough_walks
from keras_recs.answers.q11_implicit_mf import BPR, ImplicitALS, confidence_of, penalty_for
from keras_recs.answers.q18_gcn import NGCF, LightGCN
from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, Split, from_matrix, split
from keras_recs.data.graph import bipartite
from keras_recs.evaluation import (
    Evaluation,
    PopularityRecommender,
    compare,
    evaluate,
    protocol_named,
)
from keras_recs.neural import embedding_penalty, events_per_row, for_cold, is_thin
from keras_recs.questions import QUESTIONS, Answer, Question
from keras_recs.testing import dense_log, planted_log, sparse_log

CONTENT = ("ContentEmbedding", "LLMInterestModel")  # texts are all that they read
#: Who takes long on the sparse log, and shows on a third of it already what the others need all of
#: its users for.
LONG = ("NeuMF", "DeepWalk", "EASE", "NGCF")
THIN_FOR_NGCF = "thin for NGCF: .* events a row, where 50 are wanted"
LEARNED = [
    (q, a)
    for q in QUESTIONS
    for a in q.answers
    if protocol_named(q.protocol).ranks and a.class_name not in CONTENT
]


@pytest.fixture(
    scope="module",
    params=["cinema", "dense", "sparse", "smaller", pytest.param("ml100k", marks=pytest.mark.data)],
)
def floor(request: pytest.FixtureRequest) -> tuple[str, Split, Evaluation]:
    """A log, split by P1, and what popularity reaches on it."""
    planted = {"dense": dense_log, "sparse": sparse_log, "smaller": lambda: sparse_log(1500, 3100)}
    log = (
        planted[request.param]().data
        if request.param in planted
        else request.getfixturevalue(request.param)
    )
    parts = split(log, "P1")
    return request.param, parts, evaluate(PopularityRecommender().fit(parts.train), parts)


@pytest.mark.parametrize(("q", "a"), LEARNED, ids=[a.name for _, a in LEARNED])
def test_every_learned_answer_beats_popularity_or_says_that_the_log_is_too_thin(
    request: pytest.FixtureRequest, floor: tuple[str, Split, Evaluation], q: Question, a: Answer
) -> None:
    name, parts, popularity = floor
    if name in ("sparse", "smaller") and (name == "smaller") != (a.class_name in LONG):
        pytest.skip("measured on the other sparse log")
    if a.class_name == "NGCF" and name == "smaller":
        with pytest.warns(UserWarning, match=THIN_FOR_NGCF):
            q.make(a, n_epochs=1).fit(parts.train)
        return
    with warnings.catch_warnings():
        # who says that a log is too thin need not beat anybody
        warnings.simplefilter("error", UserWarning)
        if name == "ml100k":
            mine = request.getfixturevalue("fitted_on_movielens")(q, a)
        elif a.class_name == "NGCF" and name == "cinema":  # one event a row too few, and yet ahead
            with pytest.warns(UserWarning, match=THIN_FOR_NGCF):
                mine = q.make(a).fit(parts.train)
        else:
            mine = q.make(a).fit(parts.train)
        found = compare(evaluate(mine, parts), popularity, "ndcg@10")
    assert found.low > 0, (
        f"{a.name} on {name}, less popularity: {found.difference:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}]"
    )


# --- defaults that follow from the data -----------------------------------------------------------


def log_of(n_users: int, n_items: int, per_user: int) -> Dataset:
    """`per_user` events for each user, spread evenly over the items."""
    users = np.repeat(np.arange(n_users), per_user)
    return Dataset.from_arrays(users, np.arange(len(users)) * 7 % n_items)


def test_events_a_row_leaves_out_who_has_none() -> None:
    table = np.zeros((6, 9))
    table[:4, :5] = 1
    assert events_per_row(sparse.csr_array(table)) == pytest.approx((4 * 5) ** 0.5), (
        "4 an item and 5 a user"
    )
    assert events_per_row(sparse.csr_array(np.zeros((2, 2)))) == 0, "no events, none a row"
    assert is_thin(sparse.csr_array(table)) and not is_thin(sparse.csr_array(np.ones((60, 60)))), (
        "50 are enough"
    )


def test_many_users_of_few_items_are_thin_though_the_items_have_hundreds() -> None:
    tall = log_of(6000, 60, 8).seen
    assert events_per_row(tall) == pytest.approx(80) and is_thin(tall), "8 a user, 800 an item"
    assert is_thin(tall.T.tocsr()), "800 a user, 8 an item"
    with pytest.warns(UserWarning, match="thin for NGCF: its users or its items have few events"):
        NGCF(n_factors=4, n_epochs=1, n_batches=1).fit(log_of(6000, 60, 8))
    assert not is_thin(log_of(1000, 200, 25).seen), "25 a user, 125 an item"


def test_on_a_thin_log_a_vector_costs_one_event() -> None:
    rich, thin = (log_of(200, 200, n).seen for n in (60, 40))
    assert embedding_penalty(rich, 3e-6) == 3e-6, "60 events a row: the usual penalty"
    assert embedding_penalty(thin, 3e-6) == pytest.approx(1 / 8000), "40 a row: one of 8,000 events"
    assert embedding_penalty(thin, 3e-6, 9) == pytest.approx(1 / 72_000), (
        "the loss is a mean over 9 examples each"
    )


def test_what_was_observed_keeps_its_weight_in_als() -> None:
    assert confidence_of(log_of(100, 100, 5).seen) == 1, "5 % of all pairs"
    assert confidence_of(log_of(100, 100, 1).seen) == pytest.approx(5), (
        "1 % of all pairs, five times the confidence"
    )
    assert confidence_of(log_of(100, 100, 50).seen) == 1, "never below 1"
    by_hand = {0.0: 10, 1.0: 10, 1.2: 14.4, 4.0: 40, 36.0: 120}
    assert [penalty_for(alpha) for alpha in by_hand] == pytest.approx(list(by_hand.values())), (
        "10 · min(α², 2 √α)"
    )


def test_walks_are_as_many_as_there_are_edges_to_learn() -> None:
    assert enough_walks(bipartite(log_of(2000, 2000, 20)), length=40) == 10, (
        "40 passes: 40 · 40,000 / (4,000 · 40)"
    )
    assert enough_walks(bipartite(log_of(2000, 2000, 100)), length=40) == 40, (
        "100 edges a node: rich"
    )
    assert enough_walks(bipartite(log_of(10, 10, 2)), length=40) == 40, (
        "a small graph gets its 2,000 walks: up to 40"
    )


def test_a_value_that_is_given_wins_over_the_rule() -> None:
    data = log_of(300, 300, 4)
    chosen, given = (
        ImplicitALS(n_factors=2, n_iterations=1, **own).fit(data)
        for own in ({}, dict(alpha=2.0, reg=3.0))
    )
    assert (given.alpha_, given.reg_) == (2.0, 3.0), "given"
    assert chosen.alpha_ == pytest.approx(3.75) and chosen.reg_ == pytest.approx(20 * 3.75**0.5), (
        "5 % · 300 / 4"
    )
    assert chosen.get_params()["alpha"] is None, "what was asked for stays as it was"
    small = dict(n_factors=4, n_epochs=1, n_batches=1)
    assert LightGCN(**small).fit(data).reg_ == pytest.approx(1 / 1200), "one event"
    assert LightGCN(reg=1e-6, **small).fit(data).reg_ == 1e-6, "given"
    small = dict(gmf_dim=4, mlp_dim=4, hidden=(4,))
    neumf = NeuMF(batch_size=400, n_negatives=1, **small).fit(data)
    assert neumf.embedding_reg_ == pytest.approx(1 / 2400) and neumf.n_epochs_ == 40, (
        "6 steps in an epoch: the most"
    )
    neumf = NeuMF(embedding_reg=1e-5, n_epochs=1, **small).fit(data)
    assert (neumf.embedding_reg_, neumf.n_epochs_) == (1e-5, 1), "given"
    bpr = BPR(n_factors=2).fit(data)
    assert bpr.reg_ == pytest.approx(0.7 / 1200) and bpr.n_epochs_ == 40, (
        "1 step in an epoch: the most"
    )
    bpr = BPR(n_factors=2, reg=1e-5, n_epochs=1).fit(data)
    assert (bpr.reg_, bpr.n_epochs_) == (1e-5, 1), "given"
    walker = DeepWalk(n_factors=2, walks_per_node=1).fit(data)
    assert walker.walks_per_node_ == 1, "given"


@pytest.mark.data
def test_on_movielens_the_rules_give_what_was_tuned(ml100k: Dataset) -> None:
    train = split(ml100k, "P1").train
    als = ImplicitALS(n_factors=2, n_iterations=1).fit(train)
    assert (als.alpha_, als.reg_) == (1.0, 10.0), "implicit ALS"
    assert embedding_penalty(train.seen, 2e-6) == 2e-6 and not is_thin(train.seen), (
        "LightGCN, NGCF, NeuMF"
    )
    assert enough_walks(bipartite(train), 40) == 40, "DeepWalk"


# --- who has no events ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_strangers() -> Dataset:
    """A log in which the events of users 0 to 4 are left out: they are in it all the same."""
    data = planted_log(300, 150, 60, seed=2).data
    events = data.interactions
    return data.with_interactions(events.take(events.users >= 5))


@pytest.mark.parametrize(
    "model",
    [
        NeuMF(n_epochs=5, batch_size=2048),
        LightGCN(n_epochs=3),
        NGCF(n_epochs=2),
        BPR(n_epochs=10, batch_size=1024),
    ],
    ids=lambda m: type(m).__name__,
)
def test_who_has_no_events_gets_what_is_popular_and_no_noise(
    with_strangers: Dataset, model: Recommender
) -> None:
    scores = model.fit(with_strangers).score(np.arange(5))
    assert np.ptp(scores, axis=0).max() < 1e-4, "nothing is known of either: they get the same list"
    order = np.argsort(np.argsort(scores[0])), np.argsort(np.argsort(with_strangers.popularity))
    found = np.corrcoef(*order)[0, 1]
    assert found > 0.7, f"rank correlation of their list with popularity: {found:.2f}"
    pairs = np.zeros(3, int), np.array([3, 70, 149])
    assert model.predict(*pairs) == pytest.approx(
        model.predict(np.full(3, 4), pairs[1]), abs=1e-5
    ), "the same for both"


def test_the_mean_user_stands_in_for_who_has_no_events() -> None:
    seen = from_matrix([[1, 1], [1, 0]]).seen
    padded = sparse.csr_array(np.vstack([seen.toarray(), np.zeros((1, 2))]))
    vectors = np.array([[1.0, 4.0], [3.0, 0.0], [99.0, 99.0]])
    assert for_cold(vectors, padded).tolist() == [[1, 4], [3, 0], [2, 2]], (
        "the mean of the two who have some"
    )
    assert vectors[2, 0] == 99, "what was given stays as it was"
