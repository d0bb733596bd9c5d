"""Question 8: NeuMF, a deep model of pairs with two inputs and one label."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import checkerboard

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.practice import expect


def build(
    answer: ModuleType, n_users: int = 12, n_items: int = 9, **settings: object
) -> keras.Model:
    keras.utils.set_random_seed(0)
    small = {"gmf_dim": 8, "mlp_dim": 8, "hidden": (16,), "embedding_reg": 3e-6}
    return answer.NeuMF(**{**small, **settings}).build(from_matrix(np.ones((n_users, n_items))))


def tables(model: keras.Model) -> list[keras.layers.Embedding]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]


def pairs(users: list[int], items: list[int]) -> dict[str, np.ndarray]:
    return {"user_id": np.array(users, np.int32), "item_id": np.array(items, np.int32)}


@pytest.mark.shape
@pytest.mark.needs("NeuMF.build", "NeuMF._epochs")
def test_shapes(answer: ModuleType) -> None:
    """A pair gives one number, a user a row of scores."""
    out = build(answer).predict(pairs([0, 3, 11], [8, 0, 2]), verbose=0)
    expect.equal(
        str(out.shape), "(3, 1)", "the model gives one number for each of three pairs, in a column"
    )
    data = checkerboard()
    recommender = answer.NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,), n_epochs=1).fit(data)
    expect.equal(
        str(recommender.score([0, 1]).shape),
        "(2, 20)",
        "two users get a row each, with a score for each of the 20 items",
    )
    expect.equal(
        str(recommender.predict([0, 1], [2, 3]).shape),
        "(2,)",
        "`predict` takes pairs, user by item, and gives one probability a pair",
    )


@pytest.mark.needs("NeuMF.build")
def test_two_named_inputs_one_probability(answer: ModuleType) -> None:
    """The model takes user_id and item_id and gives one number in (0, 1) for each pair, not rounded."""
    model = build(answer)
    named = (
        ", ".join(sorted(model.input)) if isinstance(model.input, dict) else "inputs without names"
    )
    expect.equal(
        named,
        "item_id, user_id",
        "the inputs go by the names user_id and item_id, so that nobody can "
        "hand them over the wrong way round",
    )
    out = model.predict(pairs([0, 3, 11, 3], [8, 0, 2, 5]), verbose=0)
    expect.equal(str(out.shape), "(4, 1)", "four pairs give four rows of one number each")
    expect.true(
        not np.isin(out, [0.0, 0.5, 1.0]).any(),
        "a probability is given as it is: rounded, hundreds of items would tie at 1, in no order",
        output=out,
    )
    expect.true(
        (out > 0) & (out < 1),
        "a probability lies between 0 and 1: a sigmoid at the end sees "
        "to that, a bare logit does not",
        output=out,
    )
    expect.equal(
        len(np.unique(out)),
        4,
        "four different pairs get four different probabilities, even before training: "
        "the output depends on both ids",
        mistakes={"all pairs get the same: is either id looked up at all?": 1},
    )


@pytest.mark.needs("NeuMF.build")
def test_users_and_items_are_not_interchangeable(answer: ModuleType) -> None:
    """Swapping the two inputs changes the output: they have tables of their own."""
    model = build(answer, 9, 9)
    there = model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0)
    back = model.predict(pairs([4, 5, 6], [1, 2, 3]), verbose=0)
    expect.true(
        np.abs(there - back).min() > 1e-6,
        "user 1 with item 4 is another pair than user 4 with item 1: users and items have tables of their own",
        there=there,
        back=back,
    )


@pytest.mark.needs("NeuMF.build")
def test_the_tables_are_as_large_as_the_catalogue(answer: ModuleType) -> None:
    """Every user and every item has a row in both branches; the sizes of the tables are counts of ids."""
    model = build(answer, 12, 9)
    rows = sorted({table.input_dim for table in tables(model)})
    expect.equal(
        rows,
        [9, 12],
        "a table has a row for each of 12 users or each of 9 items: the first argument of "
        "Embedding counts ids, the second is the length of a vector",
        mistakes={
            "ids and dimensions have changed places: Embedding(number of ids, dim)": [8, 8],
            "all tables have a row for each user": [12, 12],
        },
    )
    for kind, n in (("user", 12), ("item", 9)):
        width = sum(table.output_dim for table in tables(model) if table.input_dim == n)
        expect.equal(
            width,
            8 + 8,
            f"each {kind} has gmf_dim numbers for one branch and mlp_dim others for the other: "
            "one vector cannot serve a product and a dense layer equally well",
            mistakes={"both branches share one vector, or one of them does not look it up": 8},
        )
    last = model.predict(pairs([11, 0], [0, 8]), verbose=0)
    expect.true(
        np.isfinite(last),
        "the last user and the last item can be looked up: ids are indices from 0",
        output=last,
    )


@pytest.mark.needs("NeuMF.build")
def test_the_wrong_number_of_inputs_is_an_error(answer: ModuleType) -> None:
    """One input, or an unnamed array in the place of the second, is refused."""
    model = build(answer)
    with expect.error(
        Exception,
        "item_id|inputs|structure",
        "a user without an item is no pair: the model refuses one input where it has two",
    ):
        model.predict({"user_id": np.array([1, 2])}, verbose=0)
    with expect.error(
        Exception,
        "input|structure",
        "an array without a name could be users or items: the model refuses to guess",
    ):
        model.fit(np.array([1, 2]), np.array([[1.0], [0.0]]), verbose=0)


@pytest.mark.needs("NeuMF.build")
def test_fit_takes_two_inputs_and_one_label(answer: ModuleType) -> None:
    """`fit({"user_id": u, "item_id": i}, labels)` learns the labels, item by item."""
    model = build(answer, 4, 4, dropout=0.0, learning_rate=0.05, embedding_reg=0.0)
    users, items = np.divmod(np.arange(16), 4)
    labels = (users == items).astype(np.float32)[:, None]
    history = model.fit(pairs(users, items), labels, epochs=80, batch_size=16, verbose=0).history[
        "loss"
    ]
    expect.true(
        history[-1] < 0.1 * history[0],
        "16 pairs are learned by heart in 80 epochs, and the loss falls below a tenth; where it hardly does, a "
        "branch is missing, or the optimizer is not Adam at the learning_rate given",
        first=history[0],
        last=history[-1],
    )
    expect.equal(
        model.predict(pairs(users, items), verbose=0).round(),
        labels,
        "16 pairs can be learned by heart: each user's probability is above a half "
        "for the one item of their own",
    )


@pytest.mark.needs("NeuMF.build")
def test_gradients_reach_all_four_tables(answer: ModuleType) -> None:
    """The loss moves the embeddings of user and item, in both branches."""
    model = build(answer, embedding_reg=0.0, dropout=0.0)
    with tf.GradientTape() as tape:
        out = model(pairs([2, 5], [7, 1]), training=True)
        loss = tf.reduce_sum(keras.losses.binary_crossentropy([[1.0], [0.0]], out))
    gradients = tape.gradient(
        loss,
        [table.embeddings.value for table in tables(model)],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    for kind, n, asked, others in (("user", 12, [2, 5], [1, 7]), ("item", 9, [1, 7], [2, 5])):
        moved = sum(
            (
                np.count_nonzero(tf.convert_to_tensor(gradient), axis=1)
                for table, gradient in zip(tables(model), gradients, strict=True)
                if table.input_dim == n
            ),
            np.zeros(n, int),
        )
        expected = 16 * np.isin(np.arange(n), asked)
        expect.equal(
            moved,
            expected,
            f"the loss moves all 16 numbers of the {kind}s in the batch, 8 a branch, and of nobody else: what "
            "gets no gradient is never learned",
            mistakes={
                f"in one branch, the {kind}'s vector has no part in the output": expected // 2,
                f"one branch looks its {kind} up by the other id": expected // 2
                + 8 * np.isin(np.arange(n), others),
                "every row moves: is the whole table summed or normalised?": np.full(n, 16),
            },
        )


@pytest.mark.needs("NeuMF.build")
def test_a_confident_mistake_is_learned_from(answer: ModuleType) -> None:
    """A positive whose logit is -30 still moves the bias: the loss is worked out from the logit."""
    model = build(answer, dropout=0.0, embedding_reg=0.0, learning_rate=0.01)
    kernel, bias = model.get_layer("logit").get_weights()
    model.get_layer("logit").set_weights([0 * kernel, 0 * bias - 30])
    loss = model.fit(pairs([1, 2], [3, 4]), np.ones((2, 1)), verbose=0).history["loss"][0]
    expect.equal(
        loss,
        30.0,
        "the loss of a positive is log(1 + exp(-z)), about 30 at the logit z = -30: it is worked "
        "out from the logit, for the probability has been cut off before its logarithm",
        abs=0.01,
        mistakes={"the loss sees the probability only, cut off at 1e-7": 16.118},
    )
    moved = float(model.get_layer("logit").get_weights()[1][0]) + 30
    expect.equal(
        moved,
        0.01,
        "the first step of Adam moves the bias up by the learning_rate: the worst mistake has a "
        "gradient",
        abs=1e-4,
        mistakes={"the gradient is 0, and nothing is learned from the worst mistake": 0.0},
    )


@pytest.mark.needs("NeuMF.build")
def test_it_learns_a_structure_that_one_product_cannot(answer: ModuleType) -> None:
    """A user for every taste over four items: one product per pair serves 6 of the 14 at most, the model all."""
    tastes = np.array(
        [[taste >> item & 1 for item in range(4)] for taste in range(1, 15)], np.float32
    )  # (14, 4)
    users, items = np.divmod(np.arange(56), 4)
    model = build(
        answer,
        14,
        4,
        gmf_dim=1,
        mlp_dim=4,
        hidden=(32,),
        dropout=0.0,
        learning_rate=0.02,
        embedding_reg=0.0,
    )
    # 250 times all of them, in one call: a call of its own for each costs more than its step
    again = np.tile(np.arange(56), 250)
    model.fit(
        pairs(users[again], items[again]),
        tastes.reshape(-1, 1)[again],
        batch_size=56,
        shuffle=False,
        verbose=0,
    )
    score = model.predict(pairs(users, items), verbose=0).reshape(14, 4)
    served = sum(
        row[liked == 1].min() > row[liked == 0].max()
        for row, liked in zip(score, tastes, strict=True)
    )
    # On a line, a user's favourites are those on one side of a cut: 3 cuts, 2 sides (Cover 1965).
    expect.equal(
        served,
        14,
        "all 14 tastes over four items can be learned: dense layers that see both vectors can "
        "rank anything first",
        mistakes={
            "6 is the most that one number a pair can serve: let the dense layers see the vectors, not their product; "
            "where they do see them, they were hardly trained": min(served, 6)
        },
    )


@pytest.mark.needs("NeuMF.build")
def test_gmf_multiplies(answer: ModuleType) -> None:
    """The first inputs of `logit` are products of the user's and the item's numbers: with a user of zeros, zero."""
    model = build(answer)
    inside = keras.Model(model.input, model.get_layer("logit").input)
    before = inside.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0).reshape(3, -1)[:, :8]
    for table in tables(model):
        if table.input_dim == 12:
            table.embeddings.assign(np.zeros(table.embeddings.shape))
    after = inside.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0).reshape(3, -1)[:, :8]
    expect.true(
        np.abs(before).max() > 0,
        "GMF says something of a user whose numbers are not zero",
        gmf=before,
    )
    expect.equal(
        after,
        np.zeros((3, 8)),
        "GMF is a product, number by number: where all numbers of a user are 0 it is "
        "0, whatever the item; a sum is not, and factorises nothing",
        abs=1e-9,
    )


@pytest.mark.needs("NeuMF.build")
def test_the_dense_layers_stand_on_each_other(answer: ModuleType) -> None:
    """With hidden=(12, 6), the first dense layer reads the pair, the second the first."""
    model = build(answer, 31, 29, hidden=(12, 6))
    kernels = [
        tuple(v.shape)
        for v in model.trainable_variables
        if len(v.shape) == 2 and v.shape[0] not in (31, 29)
    ]
    expect.equal(
        str(sorted(kernels)),
        "[(12, 6), (14, 1), (16, 12)]",
        "a pair of 8 + 8 numbers goes into 12 units, "
        "these into 6, and 8 products beside the 6 into one logit: all are in the model and are trained",
        mistakes={
            "every layer reads the pair itself, so only the last one counts": "[(14, 1), (16, 6)]",
            "the pair goes on beside the first layer": "[(14, 1), (16, 12), (28, 6)]",
        },
    )


@pytest.mark.needs("NeuMF.build")
@pytest.mark.parametrize("branch", ["gmf", "mlp_0"])
def test_both_branches_count(answer: ModuleType, branch: str) -> None:
    """Silencing either branch changes the predictions."""
    model = build(answer)
    before = model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0)
    kernel, bias = model.get_layer("logit").get_weights()
    expect.equal(
        len(kernel),
        8 + 16,
        "the layer `logit` sees the 8 products of GMF and the 16 units of the MLP side "
        "by side, and weighs each",
        mistakes={
            "GMF arrives as one number: its products are weighed, not summed": 1 + 16,
            "GMF does not arrive": 16,
            "the MLP does not arrive": 8,
            "the branches were multiplied or summed into one": 1,
        },
    )
    where = slice(0, 8) if branch == "gmf" else slice(8, None)
    kernel[where] = 0
    model.get_layer("logit").set_weights([kernel, bias])
    after = model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0)
    name = "GMF" if branch == "gmf" else "the MLP"
    expect.true(
        np.abs(after - before).max() > 1e-6,
        f"without {name} the probabilities are others: a branch that changes nothing has learned nothing",
        with_it=before,
        without=after,
    )


@pytest.mark.needs("NeuMF._epochs")
def test_an_epoch_is_every_positive_once_and_fresh_negatives(answer: ModuleType) -> None:
    """Each epoch holds every positive, `n_negatives` unmet items for each, labelled, shuffled and drawn anew."""
    data = checkerboard()
    recommender = answer.NeuMF(n_negatives=3)
    epochs = recommender._epochs(data, np.random.default_rng(0))
    seen = data.seen.toarray()
    n = len(data)
    drawn = []
    for _ in range(2):
        inputs, labels, *_ = next(epochs)
        users, items = inputs["user_id"], inputs["item_id"]
        expect.equal(
            str(labels.shape),
            f"({4 * n}, 1)",
            f"an epoch has a label for each of {n} positives and 3 negatives for "
            "each, in a column like the model's output",
            mistakes={
                "there are no negatives": f"({n}, 1)",
                "labels are not in a column": f"({4 * n},)",
                "one negative comes with each positive, not n_negatives": f"({2 * n}, 1)",
            },
        )
        expect.equal(
            labels[:, 0],
            seen[users, items],
            "the label is 1 where the user met the item and 0 where not: "
            "negatives are items that the user never met",
            mistakes={
                "labels are upside down: a pair from the data is a 1": 1 - seen[users, items],
                "all labels are 1: the constant 1 would be a perfect model": np.ones(len(labels)),
            },
        )
        positive = labels[:, 0] == 1
        expect.equal(
            sorted(zip(users[positive], items[positive], strict=True)),
            sorted(zip(*np.nonzero(seen), strict=True)),
            "every positive comes exactly once in an epoch: no event counts twice, and none is left out",
        )
        expect.equal(
            np.bincount(users[~positive], minlength=20),
            3 * seen.sum(axis=1),
            "each positive brings 3 negatives of the same user: who met more "
            "is asked more, in the same proportion",
        )
        expect.true(
            not (np.diff(labels[:, 0]) <= 0).all(),
            "examples come in random order: positives first and negatives after "
            "would make batches of one label",
            labels=labels[:, 0],
        )
        drawn.append(sorted(zip(users[~positive].tolist(), items[~positive].tolist(), strict=True)))
    expect.true(
        drawn[0] != drawn[1],
        "the second epoch has other negatives than the first: the model would learn a "
        "few items by heart, so draw inside the loop",
    )


@pytest.mark.needs("NeuMF._epochs")
def test_an_item_met_often_is_one_positive(answer: ModuleType) -> None:
    """Who met an item four times has one positive, with as many negatives as for any other."""
    data = Dataset.from_arrays(
        ["bob", "bob", "bob", "bob", "ann", "ann"], ["x", "x", "x", "x", "y", "z"]
    )
    inputs, labels, *_ = next(answer.NeuMF(n_negatives=2)._epochs(data, np.random.default_rng(0)))
    positive = labels[:, 0] == 1
    bob = int(np.flatnonzero(data.user_ids.ids == "bob")[0])
    expect.equal(
        np.count_nonzero(inputs["user_id"][positive] == bob),
        1,
        "'bob' met 'x' four times: that is one positive, for the label says whether a pair was met",
        mistakes={"every event is a positive: one fan of one item outweighs the rest": 4},
    )
    expect.equal(
        np.count_nonzero(inputs["user_id"][~positive] == bob),
        2,
        "one positive brings two negatives",
    )


@pytest.mark.needs("NeuMF._epochs")
def test_negatives_are_drawn_evenly(answer: ModuleType) -> None:
    """Of the items that a user has not met, each is as likely a negative as the others, popular or not."""
    met = np.zeros((40, 10))
    met[:30, 0] = 1  # a hit; users 30 to 39 have not met it
    met[np.arange(40), 1 + np.arange(40) % 9] = 1
    inputs, labels, *_ = next(
        answer.NeuMF(n_negatives=200)._epochs(from_matrix(met), np.random.default_rng(0))
    )
    asked = inputs["item_id"][(labels[:, 0] == 0) & (inputs["user_id"] >= 30)]
    share = (asked == 0).mean()
    expect.true(
        abs(share - 1 / 9) < 0.03,
        "each of the ten users has nine items left, and the hit is one of them: "
        "were negatives drawn by popularity, the output would no longer be the probability of a meeting",
        share_of_the_hit=share,
        even_share=1 / 9,
    )


@pytest.mark.needs("NeuMF._epochs")
def test_the_generator_decides_what_is_drawn(answer: ModuleType) -> None:
    """The same generator gives the same epochs, in the same order; another one gives others."""
    first, again, other = (
        next(answer.NeuMF(n_negatives=3)._epochs(checkerboard(), np.random.default_rng(seed)))[0]
        for seed in (1, 1, 2)
    )
    for name in ("user_id", "item_id"):
        expect.equal(
            again[name],
            first[name],
            f"{name} is the same for the same generator: all chance comes from "
            "`rng`, or no run could be repeated",
        )
    expect.true(
        not np.array_equal(first["item_id"], other["item_id"]),
        "another generator gives other negatives, in another order",
    )


@pytest.mark.needs("NeuMF._epochs")
def test_every_user_meets_every_item_in_training(answer: ModuleType) -> None:
    """Users and items are paired as in the data, not row by row: a user learns about many items."""
    data = checkerboard()
    inputs, *_ = next(answer.NeuMF(n_negatives=8)._epochs(data, np.random.default_rng(0)))
    for user in range(20):
        expect.equal(
            len(np.unique(inputs["item_id"][inputs["user_id"] == user])),
            20,
            f"user {user} meets 9 items as positives and, in 72 draws, the other 11 as negatives: who is "
            "asked about few items learns nothing of the rest",
            mistakes={
                "user u meets one item only: ids were zipped in order, not taken from the data": 1,
                "user u meets the positives only": 9,
                "user u meets the negatives only": 11,
            },
        )


@pytest.mark.needs("NeuMF.build")
def test_probabilities_are_calibrated(answer: ModuleType) -> None:
    """Of the pairs called p, a share p is positive: expected calibration error under 0.1, and better than a guess."""
    rng = np.random.default_rng(0)
    taste = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 60))
    chance = 1 / (1 + np.exp(-2 * taste + 1))
    users, items = np.divmod(np.arange(150 * 60), 60)
    order = rng.permutation(len(users))
    train, test = order[:7000], order[7000:]
    labels = (rng.random((150, 60)) < chance).astype(np.float32)
    model = build(answer, 150, 60, learning_rate=0.01, embedding_reg=1e-5)
    model.fit(
        pairs(users[train], items[train]),
        labels[users[train], items[train]][:, None],
        epochs=12,
        batch_size=256,
        verbose=0,
    )
    predicted = model.predict(pairs(users[test], items[test]), verbose=0)[:, 0]
    truth = labels[users[test], items[test]]
    bins = np.minimum((predicted * 10).astype(int), 9)
    gaps = [
        abs(predicted[bins == b].mean() - truth[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    expect.true(
        sum(gaps) < 0.1,
        "of the pairs called p, about a share p is positive: cross-entropy is smallest at the probability, "
        "other losses elsewhere, and dropout before the last layer keeps it from overconfidence",
        calibration_error=sum(gaps),
        at_most=0.1,
    )
    expect.true(
        np.ptp(predicted) > 0.5,
        "probabilities spread over more than a half: one number for all pairs is "
        "calibrated too, and useless",
        lowest=predicted.min(),
        highest=predicted.max(),
    )
    squared = ((predicted - truth) ** 2).mean()
    expect.true(
        squared < 0.85 * truth.var(),
        "on pairs not trained on, the squared error is well below that of the "
        "best constant: something general has been learned",
        squared_error=squared,
        best_constant=truth.var(),
    )


@pytest.mark.needs("NeuMF.build", "NeuMF._epochs")
def test_scores_are_the_logits_of_the_predictions(answer: ModuleType) -> None:
    """`predict` gives probabilities; `score` gives their logits, which do not saturate."""
    data = checkerboard()
    recommender = answer.NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,), n_epochs=2).fit(data)
    probability = recommender.predict(np.full(20, 3), np.arange(20))
    expect.true(
        (probability > 0) & (probability < 1),
        "`predict` gives probabilities, which lie between 0 and 1",
        predicted=probability,
    )
    expect.equal(
        recommender.score([3])[0],
        np.log(probability / (1 - probability)),
        "items are ranked by log(p / (1 - p)), the output of the layer `logit`: "
        "probabilities tie at 1 in float32",
        abs=1e-3,
        mistakes={"items are ranked by the probability itself": probability},
    )


@pytest.mark.needs("NeuMF.build", "NeuMF._epochs")
def test_the_loss_falls_and_is_kept(answer: ModuleType) -> None:
    """`history_` holds the loss of every epoch, and it falls."""
    recommender = answer.NeuMF(
        gmf_dim=8, mlp_dim=8, n_epochs=40, batch_size=128, learning_rate=0.01
    ).fit(checkerboard())
    loss = recommender.history_["loss"]
    expect.equal(len(loss), 40, "history_ has one loss for each of 40 epochs")
    expect.true(
        loss[-1] < 0.7 * loss[0],
        "over 40 epochs the loss falls by a third at least: a pattern as plain as a "
        "checkerboard is soon learned, and a loss that rises has the wrong sign",
        first=loss[0],
        last=loss[-1],
    )


@pytest.mark.needs("NeuMF.build", "NeuMF._epochs")
def test_a_user_who_has_met_everything_does_not_stop_the_fit(answer: ModuleType) -> None:
    """Who has no negatives is trained on positives alone."""
    data = from_matrix(np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]]))
    recommender = answer.NeuMF(n_epochs=1)
    inputs, *_ = next(recommender._epochs(data, np.random.default_rng(0)))
    expect.true(
        inputs["item_id"].min() >= 0,
        "user 0 has met everything, so no negative can be drawn: the sampler "
        "says -1, which is no item and is left out",
        item_ids=inputs["item_id"],
    )
    scores = recommender.fit(data).score([0, 1, 2])
    expect.true(
        np.isfinite(scores),
        "a user who is trained on positives alone leaves everybody's scores finite",
        scores=scores,
    )


@pytest.mark.data
@pytest.mark.needs("NeuMF.build", "NeuMF._epochs")
def test_movielens_bar(answer: ModuleType, ml100k: Dataset, on_movielens: Callable) -> None:
    """On MovieLens-100K (P1), NDCG@10 is at least 0.18; popularity reaches 0.119."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    reached = evaluate(on_movielens("NeuMF"), parts).metrics["ndcg@10"]
    expect.true(
        reached >= 0.18,
        "NeuMF ranks MovieLens-100K well above popularity, which reaches 0.119: below 0.18 a "
        "branch, the negatives or the training are not what they should be",
        ndcg_at_10=reached,
        at_least=0.18,
    )


@pytest.mark.needs()
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("dropout", -0.1),
        ("dropout", 0.95),
        ("embedding_reg", -0.1),
        ("learning_rate", -0.1),
        ("seed", -1),
    ],
)
def test_hyperparameters_have_limits(answer: ModuleType, name: str, bad: float) -> None:
    """A share outside its range, a negative penalty, rate or seed is refused by its name."""
    with expect.error(
        ValueError,
        name,
        f"{name}={bad:g} makes no sense, and is refused by its name before a fit is wasted on it",
    ):
        answer.NeuMF(**{name: bad})
