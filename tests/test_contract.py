"""The contract, over every answer in the catalogue. An answer joins by being there."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from conftest import checkerboard, rated_checkerboard

import keras_recs
from keras_recs.core.recommender import WITH_SIMILAR_ITEMS, NotFittedError, Recommender
from keras_recs.core.storage import StorageError
from keras_recs.data import Dataset, ItemFeatures, UserFeatures, from_matrix, split
from keras_recs.evaluation import protocol_named
from keras_recs.questions import QUESTIONS, Answer, Question

CASES = [(q, a) for q in QUESTIONS for a in q.answers]
NAMES = [f"q{q.number:02d} {a.name}" for q, a in CASES]

#: Settings for data of a few dozen events, where a default made for thousands would stop before it
#: has learned.
SMALL = {
    "BPR": dict(n_factors=8, n_epochs=60, batch_size=128),
    "NeuMF": dict(
        gmf_dim=8,
        mlp_dim=8,
        hidden=(16,),
        dropout=0.0,
        n_epochs=60,
        batch_size=256,
        learning_rate=0.01,
        n_negatives=2,
        embedding_reg=1e-5,
    ),
    "EASE": dict(reg=1.0),
    "LightGCN": dict(
        n_factors=16, n_layers=2, n_epochs=20, n_batches=4, n_negatives=2, learning_rate=0.02
    ),
    "NGCF": dict(
        n_factors=16, n_layers=2, n_epochs=20, n_batches=4, n_negatives=2, learning_rate=0.02
    ),
    "ImplicitALS": dict(n_factors=4, reg=0.5),
    "LLMInterestModel": dict(
        encoder="tfidf",
        n_factors=8,
        dropout=0.0,
        id_dropout=0.2,
        n_epochs=60,
        batch_size=64,
        n_negatives=4,
        learning_rate=0.02,
    ),
    "BiasedMF": dict(n_factors=8, n_epochs=60),
}


#: Who cannot be asked to beat popularity on MovieLens, and why. What they reach there is in the
#: tests of the question.
NO_FLOOR = {
    "ContentEmbedding": "titles and genres are all that it reads, and they do not tell what is seen",
    "LLMInterestModel": "it reads what users write, and MovieLens has nothing by them",
}


def make(q: Question, a: Answer, **params: object) -> Recommender:
    return q.make(a, **{**SMALL.get(a.class_name, {}), **params})


def suited(q: Question) -> Dataset:
    """The checkerboard, with ratings of both kinds for an answer that learns from ratings."""
    rated = "ratings" in protocol_named(q.protocol).rule.needs
    return rated_checkerboard() if rated else checkerboard()


#: Two topics, of which an item or user of even index has the first, one of odd index the second.
TOPICS = (
    ("horror", "ghost house cellar monster night blood scream fear"),
    ("romance", "love kiss wedding summer letter heart couple marry"),
)


def dressed(data: Dataset, q: Question, a: Answer) -> Dataset:
    """`data` as it is or, for an answer that needs words, with titles, genres and texts that tell the parity."""
    if not {"titles", "genres", "texts", "user_texts"} & set(q.load(a).requires):
        return data

    def texts(n: int) -> list[str]:
        words = [
            topic.split() for _, topic in TOPICS
        ]  # each text leaves out two words of its topic
        return [" ".join(np.roll(words[i % 2], i // 2)[2:]) for i in range(n)]

    said = texts(data.n_items)
    items = ItemFeatures(
        data.item_ids.ids,
        [" ".join(text.split()[:2]) for text in said],
        [(TOPICS[i % 2][0],) for i in range(data.n_items)],
        texts=said,
    )
    users = UserFeatures(data.user_ids.ids, texts(data.n_users))
    return Dataset(
        data.interactions,
        data.user_ids,
        data.item_ids,
        item_features=items,
        user_features=users,
        name=data.name,
        rating_scale=data.rating_scale,
    )


@pytest.fixture(scope="module", params=CASES, ids=NAMES)
def fitted(request: pytest.FixtureRequest) -> tuple[Question, Answer, Dataset, Recommender]:
    q, a = request.param
    data = dressed(suited(q), q, a)
    return q, a, data, make(q, a).fit(data)


def test_it_recommends_the_withheld_diagonal(fitted: tuple) -> None:
    q, a, data, recommender = fitted
    top = recommender.recommend(data.user_ids.ids, k=1).items[:, 0]
    assert (top == data.item_ids.ids).mean() >= 0.9, (
        f"item u is what users like u met; got {top.tolist()}"
    )


def test_scores_have_a_row_per_user_and_a_column_per_item(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    scores = recommender.score([3, 0, 3])
    assert scores.shape == (3, data.n_items) and scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(scores[2], rel=1e-5)
    assert not np.allclose(scores[0], scores[1]), (
        "two users of different taste cannot have the same scores"
    )
    assert recommender.score([]).shape == (0, data.n_items)


def test_recommending_changes_no_score(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    before = recommender.score(data.user_ids.ids)
    recommender.recommend(data.user_ids.ids, k=5)
    assert np.array_equal(recommender.score(data.user_ids.ids), before)


def test_lists_are_ranked_by_score_without_seen_or_repeated_items(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    users = data.user_ids.ids
    lists = recommender.recommend(users, k=data.n_items + 5)
    assert lists.items.shape == (len(users), data.n_items + 5)
    scores = recommender.score(users)
    for u in range(len(users)):
        items = lists.items[u, lists.valid[u]]
        unseen = np.setdiff1d(data.item_ids.ids, data.item_ids.ids[data.seen[[u]].indices])
        assert sorted(items) == unseen.tolist(), "every unseen item once, no seen one"
        assert (lists.items[u, len(items) :] == -1).all() and np.isneginf(
            lists.scores[u, len(items) :]
        ).all()
        assert (np.diff(lists.scores[u, : len(items)]) <= 0).all()
        assert lists.scores[u, : len(items)] == pytest.approx(
            scores[u, data.item_ids.index("items", items)], abs=1e-5
        )


def test_seen_items_come_back_when_asked_for(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    lists = recommender.recommend([0], k=data.n_items, exclude_seen=False)
    assert sorted(lists.items[0]) == data.item_ids.ids.tolist()


def test_candidates_limit_the_choice(fitted: tuple) -> None:
    _, _, _, recommender = fitted
    shared = recommender.recommend([0, 1], k=3, candidates=[0, 1, 1])
    assert shared.of(0)[0][0] in (0, 1) and {i for i, _ in shared.of(0) + shared.of(1)} <= {0, 1}
    own = recommender.recommend([0, 1], k=2, candidates=[[0, 1], [1, 5]], exclude_seen=False)
    assert set(own.items[0]) == {0, 1} and set(own.items[1]) == {1, 5}
    with pytest.raises(
        ValueError, match=r"candidates must have shape \(m,\) or \(2, m\), got \(3, 1\)"
    ):
        recommender.recommend([0, 1], candidates=[[0], [1], [2]])
    with pytest.raises(KeyError, match="candidates holds 1 unknown"):
        recommender.recommend([0], candidates=[999])


def test_predictions_are_of_pairs_and_do_not_depend_on_their_neighbours(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    users, items = [0, 5, 0, 7], [1, 2, 0, 7]
    together = recommender.predict(users, items)
    assert together.shape == (4,) and together.dtype == np.float32
    alone = np.concatenate(
        [recommender.predict([u], [i]) for u, i in zip(users, items, strict=True)]
    )
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)
    assert recommender.predict([], []).shape == (0,)
    # predictions rank as scores do, whatever their units
    row = recommender.predict(np.zeros(data.n_items, int), data.item_ids.ids)
    score = recommender.score([0])[0]
    wide = np.abs(np.subtract.outer(score, score)) > 1e-3
    assert (
        np.sign(np.subtract.outer(row, row))[wide] == np.sign(np.subtract.outer(score, score))[wide]
    ).all()


def test_one_user_alone_gives_what_a_row_for_several_is(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    alone, several = recommender.recommend(3, k=4), recommender.recommend([3, 5], k=4)
    assert alone.users.tolist() == [3] and alone.items.shape == (1, 4)
    assert [item for item, _ in alone.of()] == [item for item, _ in several.of(3)]
    assert [user for user, _ in several] == [3, 5] and list(several[:1]) == [(3, several.of(3))]
    assert recommender.score(3).shape == (data.n_items,)
    assert recommender.score(3) == pytest.approx(recommender.score([3])[0], rel=1e-5, abs=1e-6)


def test_predictions_broadcast(fitted: tuple) -> None:
    _, _, data, recommender = fitted
    users, items = np.array([0, 5, 2]), np.array([1, 2, 0, 7])
    table = recommender.predict(users[:, None], items)
    assert table.shape == (3, 4) and table.dtype == np.float32
    close = {"rel": 1e-4, "abs": 1e-6}
    assert table.ravel() == pytest.approx(
        recommender.predict(np.repeat(users, 4), np.tile(items, 3)), **close
    )
    assert recommender.predict(5, items) == pytest.approx(table[1], **close)
    assert recommender.predict(users, 7) == pytest.approx(table[:, 3], **close)
    assert np.ndim(recommender.predict(2, 0)) == 0 and recommender.predict(2, 0) == pytest.approx(
        table[2, 2], **close
    )


def test_similar_items_are_those_of_the_same_parity(fitted: tuple) -> None:
    """Or a sentence that names who has them."""
    _, a, data, recommender = fitted
    able = a.class_name in WITH_SIMILAR_ITEMS
    assert able == (type(recommender)._item_similarity is not Recommender._item_similarity)
    if not able:
        with pytest.raises(
            NotImplementedError, match=f"{a.class_name} does not say how alike .* ItemCF"
        ):
            recommender.similar_items(0)
        return
    ids, n = data.item_ids.ids, data.n_items
    lists = recommender.similar_items(ids, k=n + 2)
    assert lists.kind == "item" and np.array_equal(lists.queries, ids)
    assert lists.items.shape == (n, n + 2) and not lists.valid[:, n - 1 :].any()
    for item, ranked in lists:
        others, values = [other for other, _ in ranked], [value for _, value in ranked]
        assert item not in others and len(set(others)) == len(others) and np.isfinite(values).all()
        assert [
            other for _, other in sorted(zip(np.negative(values), others, strict=True))
        ] == others, "ties by id"
    near = lists.items[:, :3]
    assert (near % 2 == ids[:, None] % 2).mean() >= 0.9, (
        f"the audiences of one parity are alike; got {near.tolist()}"
    )
    few = recommender.similar_items([4, 9, 4], k=3)
    assert few.items.shape == (3, 3) and np.array_equal(few.items[0], few.items[2])
    assert recommender.similar_items(4, k=3).of() == [
        (i, pytest.approx(s, abs=1e-5)) for i, s in lists.of(4)[:3]
    ]
    with pytest.raises(KeyError, match="items holds 1 unknown"):
        recommender.similar_items([0, 12345])
    with pytest.raises(ValueError, match="k must be at least 1"):
        recommender.similar_items(0, k=0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda r: r.recommend([0], k=0), ValueError, "k must be at least 1, got 0"),
        (lambda r: r.recommend([0], k=-3), ValueError, "k must be at least 1, got -3"),
        (lambda r: r.recommend([0], k=2.5), TypeError, "k must be a whole number"),
        (lambda r: r.recommend([0], k=True), TypeError, "k must be a whole number"),
        (lambda r: r.recommend([[0]]), ValueError, "users must be one-dimensional"),
        (lambda r: r.recommend([12345]), KeyError, "users holds 1 unknown"),
        (lambda r: r.recommend(["ann"]), TypeError, "users must hold integers"),
        (lambda r: r.score([12345]), KeyError, "users holds 1 unknown"),
        (lambda r: r.score([[0, 1]]), ValueError, "users must be one-dimensional"),
        (lambda r: r.predict([0], [12345]), KeyError, "items holds 1 unknown"),
        (lambda r: r.predict([0, 1], [0]), ValueError, "got 2 users and 1 items"),
        (lambda r: r.predict([0], []), ValueError, "got 1 users and 0 items"),
        (
            lambda r: r.predict([[0, 1]], [0, 1, 2]),
            ValueError,
            r"shape \(1, 2\) and items of shape \(3,\) do not",
        ),
        (lambda r: r.recommend(12345), KeyError, "users holds 1 unknown"),
        (lambda r: r.recommend("ann"), TypeError, "users must hold integers"),
        (lambda r: r.predict([0.5], [0]), TypeError, "users must hold integers or strings"),
    ],
)
def test_bad_arguments_are_refused_by_name(
    fitted: tuple, call, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call(fitted[3])


@pytest.mark.parametrize("bad", [None, np.eye(3), [(1, 2)]])
def test_only_a_dataset_can_be_fitted_and_a_failure_loses_nothing(
    fitted: tuple, bad: object
) -> None:
    q, a, data, recommender = fitted
    before = recommender.score(data.user_ids.ids)
    with pytest.raises(TypeError, match="data must be a Dataset"):
        recommender.fit(bad)
    assert np.array_equal(recommender.score(data.user_ids.ids), before)


def test_a_crash_in_the_middle_of_fit_loses_nothing(
    fitted: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, a, data, recommender = fitted
    before = recommender.score(data.user_ids.ids)

    def crash(self: Recommender, data: Dataset) -> None:
        self.seen_ = None
        raise RuntimeError("power cut")

    monkeypatch.setattr(type(recommender), "_fit", crash)
    with pytest.raises(RuntimeError, match="power cut"):
        recommender.fit(dressed(from_matrix(np.ones((2, 2))), q, a))
    assert np.array_equal(recommender.score(data.user_ids.ids), before)


def test_before_fit_every_verb_says_so(fitted: tuple, tmp_path) -> None:
    q, a, _, _ = fitted
    fresh = make(q, a)
    for call in (
        lambda: fresh.score([0]),
        lambda: fresh.predict([0], [0]),
        lambda: fresh.recommend([0]),
        lambda: fresh.similar_items([0]),
        lambda: fresh.save(tmp_path / "x"),
    ):
        with pytest.raises(NotFittedError, match=r"call fit\(data\) first"):
            call()
    assert not list(tmp_path.iterdir())


def test_side_data_that_is_lacking_is_named(fitted: tuple) -> None:
    q, a, _, recommender = fitted
    bare = Dataset.from_arrays([1, 2, 1], [1, 1, 2])
    for needed in type(recommender).requires:
        with pytest.raises(ValueError, match=f"{a.class_name} needs .*{needed}"):
            make(q, a).fit(bare)


def test_saving_and_loading_gives_the_same_recommender(fitted: tuple, tmp_path) -> None:
    _, _, data, recommender = fitted
    path = tmp_path / "model"
    path.write_bytes(b"an older file")
    recommender.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"], "nothing temporary stays behind"
    for loaded in (type(recommender).load(path), keras_recs.load(path)):
        assert type(loaded) is type(recommender) and loaded.get_params() == recommender.get_params()
        assert np.array_equal(loaded.score(data.user_ids.ids), recommender.score(data.user_ids.ids))
        assert np.array_equal(
            loaded.recommend([0, 3], 4).items, recommender.recommend([0, 3], 4).items
        )


@pytest.mark.parametrize(
    "copied", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_a_copy_is_a_recommender_of_its_own(fitted: tuple, copied) -> None:
    _, _, data, recommender = fitted
    other = copied(recommender)
    assert np.array_equal(other.score(data.user_ids.ids), recommender.score(data.user_ids.ids))
    assert np.array_equal(other.predict([0, 3], [1, 2]), recommender.predict([0, 3], [1, 2]))
    assert not set(map(id, vars(other).values())) & {
        id(x) for x in vars(recommender).values() if isinstance(x, np.ndarray)
    }
    if hasattr(other, "model_"):  # and its scorer is that of its own model
        assert other.model_ is not recommender.model_ and vars(other).get(
            "_rows", other
        ) is not getattr(recommender, "_rows", None)


def test_a_damaged_or_foreign_file_is_refused_by_name(fitted: tuple, tmp_path) -> None:
    _, _, _, recommender = fitted
    path = tmp_path / "model"
    recommender.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match="model is truncated"):
        type(recommender).load(path)
    path.write_bytes(whole)

    class Other(type(recommender)):  # type: ignore[misc]
        pass

    with pytest.raises(StorageError, match=f"holds a {type(recommender).__name__}, not a Other"):
        Other.load(path)
    with pytest.raises(FileNotFoundError):
        type(recommender).load(tmp_path / "nowhere")


def test_a_failed_save_leaves_the_old_file(
    fitted: tuple, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, _, recommender = fitted
    path = tmp_path / "model"
    path.write_bytes(b"an older file")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        recommender.save(path)
    assert path.read_bytes() == b"an older file" and len(list(tmp_path.iterdir())) == 1


def test_strings_ids_gaps_duplicates_and_disorder_change_nothing(fitted: tuple) -> None:
    """The same events under other names, twice, and shuffled: the same scores."""
    q, a, data, recommender = fitted
    events = data.interactions
    rng = np.random.default_rng(0)
    order = rng.permutation(len(events))
    user_names = 500 + 3 * np.arange(data.n_users)
    item_names = np.array([f"item {i:03d}" for i in range(data.n_items)])
    again = (
        np.concatenate([order, order]) if "recency" not in a.name else order
    )  # recency counts repeated events
    renamed = Dataset.from_arrays(
        user_names[events.users[again]],
        item_names[events.items[again]],
        events.ratings[again],
        events.timestamps[again],
        rating_scale=data.rating_scale,
    )
    other = make(q, a).fit(dressed(renamed, q, a))
    top = recommender.recommend(data.user_ids.ids, 1).items[:, 0]
    same = other.recommend(user_names, 1).items[:, 0]
    assert (same == item_names[top]).mean() >= 0.9
    assert other.recommend(500, 1).of() == other.recommend(user_names[:1], 1).of(500)
    assert other.predict(500, item_names) == pytest.approx(
        other.predict([500] * data.n_items, item_names), abs=1e-6
    )
    if a.class_name in WITH_SIMILAR_ITEMS:
        near = other.similar_items(item_names, 3).items
        for parity in (0, 1):
            assert np.isin(near[parity::2], item_names[parity::2]).mean() >= 0.9
        assert [item for item, _ in other.similar_items("item 004", 3).of()] == near[4].tolist()


def test_the_same_seed_gives_the_same_scores(fitted: tuple) -> None:
    q, a, data, recommender = fitted
    again = make(q, a).fit(data)
    assert again.score(data.user_ids.ids) == pytest.approx(
        recommender.score(data.user_ids.ids), rel=1e-4, abs=1e-5
    )
    if "seed" in recommender.get_params():
        other = make(q, a, seed=99).fit(data)
        assert not np.array_equal(other.score([0]), recommender.score([0]))


@pytest.mark.parametrize(
    "matrix",
    [[[5.0, 3.0, 0.0]], [[5.0], [3.0], [4.0]], [[5.0]]],
    ids=["one user", "one item", "one event"],
)
def test_the_smallest_data(fitted: tuple, matrix: list) -> None:
    q, a, _, _ = fitted
    data = Dataset.from_arrays(
        *np.nonzero(matrix),
        np.array(matrix)[np.nonzero(matrix)],
        np.arange(np.count_nonzero(matrix)),
    )
    try:
        recommender = make(q, a).fit(dressed(data, q, a))
    except ValueError as error:  # who learns from negatives cannot, where there are none
        assert "every user has met every item" in str(error)
        return
    lists = recommender.recommend(data.user_ids.ids, 3)
    assert np.isfinite(recommender.score(data.user_ids.ids)).all()
    assert not lists.valid.any(), "everything has been seen"


def test_users_and_items_without_events_get_finite_scores(fitted: tuple) -> None:
    q, a, _, _ = fitted
    data = suited(q)
    cold = from_matrix(np.pad(data.matrix("ratings").toarray(), ((0, 2), (0, 3))))
    events = cold.interactions
    cold = Dataset.from_arrays(
        events.users,
        events.items,
        events.ratings,
        np.arange(len(events)),
        item_features=cold.item_features,
        user_features=cold.user_features,
    )
    recommender = make(q, a).fit(dressed(cold, q, a))
    assert np.isfinite(recommender.score(cold.user_ids.ids)).all()
    assert recommender.recommend([21], 5).valid.all(), "a user without a history gets a list too"


def test_a_user_who_has_seen_everything_gets_an_empty_list(fitted: tuple) -> None:
    q, a, _, _ = fitted
    ratings = np.array([[5, 4, 3, 2], [5, 0, 3, 0], [0, 4, 0, 2], [5, 4, 0, 0]], float)
    users, items = np.nonzero(ratings)
    data = Dataset.from_arrays(users, items, ratings[users, items], np.arange(len(users)))
    lists = make(q, a).fit(dressed(data, q, a)).recommend([0, 1], 2)
    assert not lists.valid[0].any() and (lists.items[0] == -1).all()
    assert lists.valid[1].all()


def test_a_model_of_nan_is_an_error_not_a_list(
    fitted: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, data, recommender = fitted
    monkeypatch.setattr(
        type(recommender),
        "_score_requests",
        lambda self, requests: np.full((len(requests), data.n_items), np.nan),
    )
    monkeypatch.setattr(
        type(recommender),
        "_predict_pairs",
        lambda self, users, items, context: np.full(len(users), np.nan),
    )
    for call in (
        lambda: recommender.score([0]),
        lambda: recommender.recommend([0]),
        lambda: recommender.predict([0], [0]),
    ):
        with pytest.raises(FloatingPointError, match="gives NaN"):
            call()


def test_hyperparameters_are_stored_and_checked(fitted: tuple) -> None:
    q, a, _, recommender = fitted
    params = recommender.get_params()
    assert type(recommender)(**params).get_params() == params == recommender.get_params(deep=False)
    fresh = make(q, a)
    assert fresh.set_params(**params) is fresh and fresh.get_params() == params
    with pytest.raises(
        ValueError, match=f"{a.class_name} has no parameter 'zeal'; it has .*{list(params)[-1]}"
    ):
        fresh.set_params(**{list(params)[0]: None, "zeal": 3})
    assert fresh.get_params() == params
    assert all(name in repr(recommender) for name in params)
    for name, value in params.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for bad in (-1, "many", float("nan")):
                with pytest.raises((ValueError, TypeError), match=name):
                    make(q, a, **{name: bad})
                with pytest.raises((ValueError, TypeError), match=name):
                    fresh.set_params(**{name: bad})
                assert fresh.get_params() == params


def test_scikit_learn_can_clone_it(fitted: tuple) -> None:
    """A clone has the same parameters and has learned nothing."""
    clone = pytest.importorskip("sklearn.base").clone
    _, _, _, recommender = fitted
    for original in (recommender, type(recommender)()):
        cloned = clone(original)
        assert type(cloned) is type(original) and cloned.get_params() == original.get_params()
        with pytest.raises(NotFittedError):
            cloned.score([0])


def test_history_is_the_curves_of_the_training(fitted: tuple) -> None:
    """Where there is one: name -> one finite value an epoch, all curves equally long."""
    recommender = fitted[3]
    if not hasattr(recommender, "history_"):
        assert not hasattr(recommender, "n_epochs"), "who learns in epochs has curves"
        return
    curves = recommender.history_
    assert type(curves) is dict and curves and all(type(name) is str for name in curves)
    assert all(
        type(values) is list and all(type(x) is float for x in values) for values in curves.values()
    )
    (length,) = {len(values) for values in curves.values()}
    assert (
        0 < length <= getattr(recommender, "n_epochs_", recommender.n_epochs)
    )  # as chosen, or as given
    assert np.isfinite(list(curves.values())).all()


@pytest.mark.data
@pytest.mark.parametrize(("q", "a"), CASES, ids=NAMES)
def test_it_beats_its_trivial_baseline_on_movielens(
    ml100k: Dataset, q: Question, a: Answer
) -> None:
    from keras_recs.evaluation import evaluate

    if a.class_name in NO_FLOOR:
        pytest.skip(NO_FLOOR[a.class_name])
    parts = split(
        ml100k, q.protocol, validation=True
    )  # the smaller training set is enough for a floor
    mine = evaluate(q.make(a).fit(parts.train), parts).metrics
    protocol = protocol_named(q.protocol)
    _, floor = protocol.floor
    trivial = evaluate(floor().fit(parts.train), parts).metrics
    main = protocol.main_metric(mine)
    if protocol.lower_is_better:
        assert mine[main] < trivial[main] - 0.01
    else:
        assert mine[main] > 1.3 * trivial[main]
