"""Habits of the interface, on small data by hand. What is asked of every answer stands in `test_contract.py`."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import keras_recs
from keras_recs.core.factors import FactorRecommender
from keras_recs.core.hyperparameters import Hyperparameters
from keras_recs.core.recommender import Recommender
from keras_recs.core.storage import StorageError
from keras_recs.data import Dataset, from_matrix, split
from keras_recs.evaluation import (
    baselines,
    compare,
    evaluate,
    evaluate_ratings,
    evaluate_scores,
    sampled_evaluation,
)

BASELINES = [
    made
    for made in vars(baselines).values()
    if isinstance(made, type)
    and issubclass(made, Recommender)
    and made.__module__ == baselines.__name__
]
FILMS = ["alien", "aliens", "heat", "ronin", "unseen"]


class Vectors(FactorRecommender):
    """Item vectors that are given."""

    def __init__(self, *, vectors: tuple = ()) -> None:
        self.vectors = vectors

    def _fit(self, data: Dataset) -> None:
        self.item_factors_ = np.array(self.vectors, np.float32)
        self.user_factors_ = np.ones((data.n_users, 2), np.float32)


class Scores(Recommender):
    """Scores that are given, a row per user."""

    def __init__(self, *, table: tuple = ()) -> None:
        self.table = table

    def _fit(self, data: Dataset) -> None:
        self.table_ = np.array(self.table, np.float32)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.table_[users]


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Ann has met item "c", bob "a", cat all of them; repeated events, and in no order."""
    data = Dataset.from_arrays(
        ["cat", "bob", "ann", "cat", "cat", "ann"], ["b", "a", "c", "a", "c", "c"]
    )
    return Scores(table=((9, 1, 2), (3, 5, 8), (1, 1, 1))).fit(data)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Lengths differ, and say nothing; two films lie in the same direction; the last has no vector."""
    return Vectors(vectors=((3, 4), (8, 6), (0, 2), (0, 7), (0, 0))).fit(
        Dataset.from_arrays(["ann"] * 5, FILMS)
    )


# --- one id, and several --------------------------------------------------------------------------


@pytest.mark.parametrize("bob", ["bob", np.str_("bob"), np.array("bob")])
def test_one_user_alone_gives_the_list_and_the_row_of_that_user(
    scores: Scores, bob: object
) -> None:
    lists = scores.recommend(bob, k=3)
    assert lists.users.tolist() == ["bob"] and lists.items.tolist() == [["c", "b", ""]]
    assert lists.of() == lists.of("bob") == [("c", 8.0), ("b", 5.0)]
    assert scores.score(bob).tolist() == [3, 5, 8] and scores.score([bob]).tolist() == [[3, 5, 8]]
    with pytest.raises(KeyError, match="users holds 1 unknown id.*'dan'"):
        scores.recommend("dan")
    with pytest.raises(TypeError, match="users must hold strings"):
        scores.score(7)


def test_pairs_broadcast_as_in_numpy(scores: Scores) -> None:
    assert scores.predict("bob", "c") == np.float32(8) and np.ndim(scores.predict("bob", "c")) == 0
    assert scores.predict("bob", ["c", "a"]).tolist() == [8, 3]
    assert scores.predict(["ann", "bob"], "b").tolist() == [1, 5]
    assert scores.predict([["bob"], ["ann"]], ["a", "b", "c"]).tolist() == [[3, 5, 8], [9, 1, 2]]
    assert scores.predict([["bob", "ann"]], [["a", "b"]]).tolist() == [[3, 1]], (
        "one shape: pairs again"
    )
    assert scores.predict("bob", []).shape == (0,) and scores.predict([["bob"]], []).shape == (1, 0)


@pytest.mark.parametrize(
    ("users", "items", "words"),
    [
        (["ann", "bob"], ["a"], "users and items are pairs, got 2 users and 1 items"),
        (["ann"], ["a", "b"], "users and items are pairs, got 1 users and 2 items"),
        (["ann"], [], "users and items are pairs, got 1 users and 0 items"),
        (
            [["ann", "bob"]],
            ["a", "b", "c"],
            r"users of shape \(1, 2\) and items of shape \(3,\) do not broadcast",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_by_both_names(
    scores: Scores, users, items, words: str
) -> None:
    """A column of length 1 is no scalar: it may well have lost its other entries."""
    with pytest.raises(ValueError, match=words):
        scores.predict(users, items)


# --- similar items --------------------------------------------------------------------------------


def test_similar_items_by_the_cosine_worked_out_by_hand(vectors: Vectors) -> None:
    """(3, 4) and (8, 6): (24 + 24) / (5 · 10). Of equals the first comes first; nothing is like what is unknown."""
    lists = vectors.similar_items(["alien", "heat", "unseen", "alien"], k=4)
    assert lists.kind == "item" and lists.queries.tolist() == ["alien", "heat", "unseen", "alien"]
    assert [item for item, _ in lists.of("alien")] == ["aliens", "heat", "ronin"]
    assert [score for _, score in lists.of("alien")] == pytest.approx([0.96, 0.8, 0.8], abs=1e-6)
    assert lists.of("heat") == [
        ("ronin", 1.0),
        ("alien", pytest.approx(0.8)),
        ("aliens", pytest.approx(0.6)),
    ]
    assert lists.of("unseen") == [] and lists.items[2].tolist() == [""] * 4
    assert lists[3] == lists[0]
    assert vectors.similar_items("heat", k=1).of() == [("ronin", 1.0)]


def test_lists_of_similar_items_name_what_was_asked(vectors: Vectors) -> None:
    lists = vectors.similar_items(["alien", "heat"], k=1)
    assert lists.to_frame().to_dict("list") == {
        "similar_to": ["alien", "heat"],
        "rank": [1, 1],
        "item": ["aliens", "ronin"],
        "score": pytest.approx([0.96, 1]),
    }
    assert repr(lists).splitlines()[0] == "Similar items for 2 items, up to 1 item each"
    assert lists[1:].kind == "item" and lists[1:].of() == lists.of("heat")
    with pytest.raises(
        AttributeError, match="lists for items, not for users: their ids are in `queries`"
    ):
        _ = lists.users
    with pytest.raises(KeyError, match="item 'ronin' is not among"):
        lists.of("ronin")


@pytest.mark.parametrize(
    ("items", "k", "error", "words"),
    [
        ("dune", 3, KeyError, "items holds 1 unknown id.*'dune'"),
        (7, 3, TypeError, "items must hold strings"),
        ([["alien"]], 3, ValueError, "items must be one-dimensional"),
        ("alien", 0, ValueError, "k must be at least 1, got 0"),
        ("alien", 2.0, TypeError, "k must be a whole number"),
    ],
)
def test_bad_requests_for_similar_items_are_refused_by_name(
    vectors: Vectors, items, k, error, words: str
) -> None:
    with pytest.raises(error, match=words):
        vectors.similar_items(items, k)


LOG = from_matrix(
    [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 1]]
)


def test_similar_items_by_weights_are_the_weights_of_that_item() -> None:
    """Row i of W: what i says for the others. Two items without a common user are not alike, not even by 0."""
    log = LOG
    cosine = 2 / np.sqrt(3 * 3), 1 / np.sqrt(3 * 1), 1 / np.sqrt(3 * 2)
    for recommender in (keras_recs.ItemCF(), baselines.ItemKNNRecommender()):
        ranked = recommender.fit(log).similar_items(0, k=5).of()
        assert [item for item, _ in ranked] == [1, 4, 2], "3 has no viewer in common with 0"
        assert [score for _, score in ranked] == pytest.approx(cosine, abs=1e-6)
    thin = keras_recs.ItemCF(n_neighbors=1).fit(log)
    assert thin.similar_items([0, 3], k=5)[:].of(0) == [(1, pytest.approx(cosine[0]))], (
        "only the kept neighbours"
    )
    assert thin.similar_items(3).of() == []
    lopsided = keras_recs.ItemCF(similarity="conditional", popularity_penalty=0.0).fit(log)
    assert dict(lopsided.similar_items(4).of())[0] == 1 and dict(lopsided.similar_items(0).of())[
        4
    ] == pytest.approx(1 / 3), "all who saw 4 saw 0, and not the other way round"
    ease = keras_recs.EASE(reg=1.0).fit(log)
    for item, score in ease.similar_items(0, k=5).of():
        assert score == ease.weights_[0, item]
    assert ease.weights_[0, 0] == 0 and len(ease.similar_items(0, k=5).of()) == 3


def test_asking_for_similar_items_changes_nothing() -> None:
    for recommender in (
        keras_recs.ItemCF(),
        keras_recs.ItemCF(n_neighbors=2),
        keras_recs.EASE(reg=1.0),
    ):
        recommender.fit(LOG)
        before = recommender.score(np.arange(5))
        recommender.similar_items(np.arange(5), k=3)
        assert np.array_equal(recommender.score(np.arange(5)), before)


@pytest.mark.parametrize(
    ("name", "least"),
    [("ItemCF", 0.7), ("EASE", 0.7), ("DeepWalk", 0.7), ("ContentEmbedding", 0.35)],
)
def test_films_of_one_series_find_each_other(cinema: Dataset, name: str, least: float) -> None:
    """Series are planted in cinema. 83 of its films are part of one; five films at random would hit 2 % of them.
    Synopses do not name the series; a plain mean of their words finds 14 %."""
    graph = cinema.knowledge
    film = {entity: item for item, entity in graph.item_entities.items()}
    series: dict[str, set[str]] = {}
    for head, relation, tail in zip(graph.heads, graph.relations, graph.tails, strict=True):
        if relation == "series":
            series.setdefault(tail, set()).add(film[head])
    mates = {item: films - {item} for films in series.values() for item in films}
    lists = getattr(keras_recs, name)().fit(cinema).similar_items(list(mates), k=5)
    found = np.mean([bool(mates[item] & set(dict(ranked))) for item, ranked in lists])
    assert len(mates) > 50 and found > least

    genres = dict(
        zip(cinema.item_ids.ids.tolist(), map(set, cinema.item_features.genres), strict=True)
    )
    alike = [bool(genres[a] & genres[b]) for a, ranked in lists for b in dict(ranked)]
    chance = np.mean([bool(genres[a] & genres[b]) for a in mates for b in genres if a != b])
    assert np.mean(alike) > chance + 0.25


@pytest.mark.data
def test_ratings_bring_a_film_and_its_sequels_together(ml100k: Dataset) -> None:
    """Star Wars (50), The Empire Strikes Back (172) and Return of the Jedi (181)."""
    mf = keras_recs.BiasedMF().fit(ml100k)
    assert {172, 181} <= set(dict(mf.similar_items(50, k=3).of()))


# --- parameters by name ---------------------------------------------------------------------------


def test_parameters_are_set_by_name_checked_and_all_or_none() -> None:
    cf = keras_recs.UserCF(n_neighbors=7)
    assert cf.set_params(significance=3, recency=5) is cf
    assert (cf.n_neighbors, cf.significance, cf.recency) == (7, 3, 5.0)
    before = cf.get_params()
    assert cf.get_params(deep=False) == before == cf.set_params().get_params()
    for bad, error, words in (
        (
            {"significance": 4, "neighbors": 3},
            ValueError,
            "UserCF has no parameter 'neighbors'; it has similarity, n_neighbors, significance",
        ),
        ({"significance": 4, "n_neighbors": 0}, ValueError, "n_neighbors must be at least 1"),
        ({"significance": 4, "n_neighbors": "many"}, TypeError, "n_neighbors must be a whole"),
        ({"significance": 4, "values": "ratings"}, ValueError, "recency weighs who met what"),
    ):
        with pytest.raises(error, match=words):
            cf.set_params(**bad)
        assert cf.get_params() == before, "nothing is half set"
    with pytest.raises(ValueError, match="PopularityRecommender has no parameter 'k'; it has none"):
        baselines.PopularityRecommender().set_params(k=3)


def test_setting_parameters_keeps_what_was_learned() -> None:
    ease = keras_recs.EASE(reg=1.0).fit(LOG)
    before = ease.score([0])
    assert np.array_equal(ease.set_params(reg=1000).score([0]), before)
    assert not np.array_equal(ease.fit(LOG).score([0]), before)


def test_a_constructor_that_changes_what_it_is_given_would_not_clone() -> None:
    """Why `hidden` keeps a tuple of ints as it is: scikit-learn asks whether it is the same object."""
    sklearn = pytest.importorskip("sklearn.base")

    class Changes(Hyperparameters):
        def __init__(self, sizes: tuple = (1, 2)) -> None:
            self.sizes = tuple(list(sizes))

    with pytest.raises(
        RuntimeError, match="the constructor either does not set or modifies parameter sizes"
    ):
        sklearn.clone(Changes())
    cloned = sklearn.clone(keras_recs.NeuMF(hidden=[np.int64(32), 16]))
    assert cloned.hidden == (32, 16) and all(type(units) is int for units in cloned.hidden)


# --- loading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda made: made.__name__)
def test_a_baseline_is_loaded_as_what_it_is(baseline: type[Recommender], tmp_path) -> None:
    data = Dataset.from_arrays(["ann", "ann", "bob"], ["b", "a", "b"], [-1, 5, 0], [3, 1, 2])
    saved = baseline().fit(data)
    saved.save(tmp_path / "model")
    loaded = keras_recs.load(tmp_path / "model")
    assert type(loaded) is baseline and loaded.get_params() == saved.get_params()
    assert np.array_equal(loaded.score(["ann", "bob"]), saved.score(["ann", "bob"]))
    cloned = pytest.importorskip("sklearn.base").clone(saved)
    assert cloned.get_params() == saved.get_params() and not hasattr(cloned, "seen_")
    assert np.array_equal(copy.deepcopy(saved).score(["ann"]), saved.score(["ann"]))


def test_a_class_from_elsewhere_is_loaded_by_itself(scores: Scores, tmp_path) -> None:
    """Whatever its name: a file never decides what is imported."""
    path = tmp_path / "model"
    scores.save(path)
    with pytest.raises(
        StorageError, match=r"model holds a Scores of \S*test_api, which is not part of keras_recs"
    ):
        keras_recs.load(path)
    assert np.array_equal(Scores.load(path).score("ann"), scores.score("ann"))

    class EASE(Scores):
        pass

    EASE(table=scores.table).fit(Dataset.from_arrays(["a", "b", "c"], [1, 2, 3])).save(path)
    with pytest.raises(StorageError, match="holds a EASE of .*test_api, which is not part"):
        keras_recs.load(path)


def rewrite(path, **changes: object) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["meta.json"] = json.dumps({**json.loads(members["meta.json"]), **changes}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"class": "os"},
            "holds a os of keras_recs.answers.q12_item_cf, which is not part of keras_recs",
        ),
        (
            {"class": "BLOCK_CELLS", "module": "keras_recs.evaluation.baselines"},
            "holds a BLOCK_CELLS of",
        ),
        (
            {"class": "Recommender", "module": "keras_recs.evaluation.baselines"},
            "holds a Recommender of",
        ),
        ({"module": None}, "holds a recommender without a class"),
        (
            {"params": {"reg": -1}},
            "was saved by another version of EASE: reg must be greater than 0",
        ),
        (
            {"params": {"lambda": 1}},
            "was saved by another version of EASE: .*unexpected keyword argument",
        ),
        ({"kinds": {}}, "is damaged"),
        ({"kinds": [1]}, "is damaged"),
        ({"format": 99}, "has file format 99"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(tmp_path, changes: dict, words: str) -> None:
    path = tmp_path / "model"
    keras_recs.EASE(reg=1.0).fit(LOG).save(path)
    rewrite(path, **changes)
    with pytest.raises(StorageError, match=rf"model {words}"):
        keras_recs.load(path)


def test_a_file_of_something_else_is_refused_and_a_missing_one_missing(tmp_path) -> None:
    (tmp_path / "notes").write_text("nothing of the kind")
    with pytest.raises(StorageError, match="notes is truncated or not a saved recommender"):
        keras_recs.load(tmp_path / "notes")
    with pytest.raises(FileNotFoundError):
        keras_recs.load(tmp_path / "nowhere")


def test_a_damaged_byte_anywhere_is_a_storage_error_or_harmless(tmp_path) -> None:
    keras_recs.EASE(reg=1.0).fit(LOG).save(tmp_path / "model")
    whole, ease = (tmp_path / "model").read_bytes(), keras_recs.load(tmp_path / "model")
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            damaged[place] ^= int(rng.integers(1, 256))
        (tmp_path / "model").write_bytes(damaged)
        try:
            assert np.array_equal(keras_recs.load(tmp_path / "model").score([0]), ease.score([0]))
        except StorageError:
            refused += 1
    assert refused > 100


def test_loading_an_answer_in_numpy_leaves_tensorflow_alone(tmp_path) -> None:
    keras_recs.EASE(reg=1.0).fit(LOG).save(tmp_path / "ease")
    baselines.PopularityRecommender().fit(LOG).save(tmp_path / "popularity")
    code = (
        "import sys, keras_recs\n"
        "names = [type(keras_recs.load(path)).__name__ for path in sys.argv[1:]]\n"
        "print(*names, 'tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "ease", tmp_path / "popularity"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["EASE", "PopularityRecommender", "False"]


# --- splits, and what to evaluate on --------------------------------------------------------------


def test_a_split_is_unpacked_into_train_and_test() -> None:
    data = Dataset.from_arrays([1, 1, 1, 2, 2], [10, 20, 30, 10, 30], timestamps=[1, 2, 3, 1, 2])
    parts = split(data, "P2")
    train, test = parts
    assert train is parts.train and test is parts.test and (len(train), len(test)) == (3, 2)


def test_evaluating_on_anything_but_a_split_says_what_to_pass() -> None:
    data = Dataset.from_arrays(
        [1, 1, 2, 2, 1, 2], [10, 20, 10, 30, 30, 20], [5, 4, 3, 2, 1, 5], [1, 2, 1, 2, 3, 3]
    )
    parts = split(data, "P2")
    ease = keras_recs.EASE(reg=1.0).fit(parts.train)
    table = ease.score([1, 2])
    for call in (
        lambda x: evaluate(ease, x),
        lambda x: evaluate_scores(table, x),
        lambda x: evaluate_ratings([3], x),
        lambda x: sampled_evaluation(table, x, 1),
    ):
        for wrong, name in ((data, "Dataset"), (tuple(parts), "tuple"), (None, "NoneType")):
            with pytest.raises(
                TypeError, match=rf"a Split is needed.*got a {name}.*keras_recs.split\(data\) makes"
            ):
                call(wrong)
    reached = evaluate(ease, parts)
    with pytest.raises(
        TypeError, match=r"b must be what evaluate\(recommender, split\) gives, got a EASE"
    ):
        compare(reached, ease, "ndcg@10")
