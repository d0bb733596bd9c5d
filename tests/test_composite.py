"""Recommenders made of recommenders: hyperparameters, copies, and one file for all of them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import clone

import keras_recs
from keras_recs import BPR, EASE, CompositeRecommender, ImplicitALS, ItemCF
from keras_recs.core.hyperparameters import Count, Share
from keras_recs.core.recommender import NotFittedError, Recommender
from keras_recs.core.requests import Requests
from keras_recs.core.storage import StorageError
from keras_recs.data import Dataset
from keras_recs.evaluation import PopularityRecommender


@dataclass(eq=False, repr=False)
class Blend(CompositeRecommender):
    """A weighted sum of two scores."""

    first: Recommender
    second: Recommender
    weight: Share = 0.5

    def _fit(self, data: Dataset) -> None:
        self._fit_components(data)

    def _score_requests(self, requests: Requests) -> np.ndarray:
        one = self.components_["first"]._score_requests(requests)
        two = self.components_["second"]._score_requests(requests)
        return self.weight * one + (1 - self.weight) * two


@dataclass(eq=False, repr=False)
class Pipeline(CompositeRecommender):
    """One recommender finds candidates, another ranks them; nothing else can be recommended."""

    retriever: Recommender
    ranker: Recommender
    n_candidates: Count = 5

    def _fit(self, data: Dataset) -> None:
        self._fit_components(data)

    def _score_requests(self, requests: Requests) -> np.ndarray:
        found = self.components_["retriever"]._score_requests(requests)
        self._hide_seen(found, requests)
        worst = np.partition(found, -self.n_candidates, axis=1)[:, -self.n_candidates, None]
        ranks = self.components_["ranker"]._score_requests(requests)
        return np.where(found >= worst, ranks, -np.inf)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """String ids, with gaps in what was met."""
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((30, 20)) < 0.3)
    return Dataset.from_arrays([f"u{u}" for u in users], [f"i{i}" for i in items])


@pytest.fixture(scope="module")
def blend(data: Dataset) -> Blend:
    return Blend(EASE(reg=5.0), ItemCF(), 0.25).fit(data)


def test_it_combines_copies_and_leaves_what_it_was_given_unfitted(
    blend: Blend, data: Dataset
) -> None:
    users = data.user_ids.ids
    expected = 0.25 * EASE(reg=5.0).fit(data).score(users) + 0.75 * ItemCF().fit(data).score(users)
    assert blend.score(users) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(NotFittedError):
        blend.first.score(users)
    assert set(blend.components_) == {"first", "second"}


@pytest.mark.parametrize("keras", [False, True], ids=["numpy", "keras"])
def test_one_file_holds_all(keras: bool, data: Dataset, tmp_path) -> None:
    """A composite in a composite, two components of one class with other settings, and a Keras
    model: whatever loads it, the lists are the same."""
    inner = BPR(n_factors=4, n_epochs=2) if keras else ImplicitALS(n_factors=4)
    pipeline = Pipeline(Blend(EASE(reg=1.0), EASE(reg=50.0), 0.9), inner, 6).fit(data)
    pipeline.save(tmp_path / "pipeline")
    again = Pipeline.load(tmp_path / "pipeline")
    ours = pipeline.recommend(data.user_ids.ids, 4)
    theirs = again.recommend(data.user_ids.ids, 4)
    assert np.array_equal(ours.items, theirs.items) and np.array_equal(ours.scores, theirs.scores)
    assert repr(again) == repr(pipeline) and again.retriever.second.reg == 50.0
    assert np.isfinite(ours.scores).all() and len(list(tmp_path.iterdir())) == 1


def test_the_library_loads_its_own_classes_within_a_readers_composite(data, tmp_path) -> None:
    """`Blend.load` finds EASE, which it has never named; `keras_recs.load` does not know Blend."""
    Blend(PopularityRecommender(), EASE()).fit(data).save(tmp_path / "blend")
    assert type(Blend.load(tmp_path / "blend").second) is EASE
    with pytest.raises(StorageError, match="Blend of .*, which is not part of keras_recs"):
        keras_recs.load(tmp_path / "blend")


def rewritten(path, change) -> None:
    """The archive with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def cut(members: dict) -> None:
    members["component:second"] = members["component:second"][:-30]


def foreign(members: dict) -> None:
    inner = io.BytesIO(members["component:second"])
    with zipfile.ZipFile(inner) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["meta.json"] = files["meta.json"].replace(b'"ItemCF"', b'"Evil"')
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    members["component:second"] = out.getvalue()


def swapped(members: dict) -> None:
    members["component:second"] = members["component:first"]


def params_changed(**changes):
    """Replace hyperparameters in the outer file."""

    def change(members: dict) -> None:
        document = json.loads(members["meta.json"])
        document["params"] |= changes
        members["meta.json"] = json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swapped, "blend.*component 'second' is a EASE, and was a ItemCF when it was saved"),
        (
            params_changed(first={"recommender": "EASE", "params": {}}),
            "blend.*hyperparameter 'first' must name a class and a module, got 'EASE'",
        ),
        (cut, "blend.*component 'second' is truncated"),
        (lambda members: members.pop("component:first"), "blend is damaged.*component:first"),
        (foreign, "blend.*component 'second' is a Evil of .*no class of keras_recs"),
        (
            lambda m: m.update({"meta.json": m["meta.json"].replace(b'"ItemCF"', b'"Evil"')}),
            "blend.*hyperparameter 'second' is a Evil",
        ),
    ],
)
def test_a_damaged_component_is_named(blend: Blend, tmp_path, change, words: str) -> None:
    blend.save(tmp_path / "blend")
    rewritten(tmp_path / "blend", change)
    with pytest.raises(StorageError, match=words):
        Blend.load(tmp_path / "blend")


@pytest.mark.parametrize("params", [{"first__reg": 9.0}, {"first": ItemCF()}, {"first": None}])
def test_what_was_fitted_is_saved_whatever_is_set_afterwards(params, data, tmp_path) -> None:
    """`set_params` speaks of the next fit: until then, and in a file, the components stay."""
    blend = Blend(EASE(reg=5.0), ItemCF(), 0.25).fit(data)
    before = blend.score(["u1", "u2"])
    blend.set_params(**params).save(tmp_path / "blend")
    again = Blend.load(tmp_path / "blend")
    assert np.array_equal(again.score(["u1", "u2"]), before)
    assert repr(again) == repr(blend) and again.components_["first"].reg == 5.0


def test_hyperparameters_of_components_are_read_and_set_by_their_names(blend: Blend) -> None:
    params = blend.get_params()
    assert (
        params["first__reg"] == 5.0
        and params["weight"] == 0.25
        and params["second"] is blend.second
    )
    assert set(blend.get_params(deep=False)) == {"first", "second", "weight"}
    other = Blend(EASE(), ItemCF())
    given = other.first
    assert other.set_params(first__reg=7.0, weight=1) is other
    assert (other.first.reg, other.weight, given.reg) == (7.0, 1.0, EASE().reg), "a copy is changed"
    nested = Blend(Blend(EASE(), EASE()), EASE()).set_params(first__second__reg=3.0)
    assert nested.first.second.reg == 3.0 and nested.first.first.reg == EASE().reg
    replaced = Blend(EASE(), EASE()).set_params(first=ItemCF(), first__shrinkage=2.0)
    assert isinstance(replaced.first, ItemCF) and replaced.first.shrinkage == 2.0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"third__reg": 1.0}, "Blend has no component 'third'; it has first, second"),
        ({"weight__x": 1.0}, "Blend has no component 'weight'"),
        ({"first__colour": 1.0}, "EASE has no parameter 'colour'"),
        ({"first__reg": -1.0, "weight": 0.1}, "reg must be greater than 0"),
        ({"first__reg": 2.0, "weight": 7.0}, "weight must lie between"),
    ],
)
def test_a_wrong_name_or_value_sets_nothing(params: dict, words: str) -> None:
    blend = Blend(EASE(), EASE())
    before = repr(blend)
    with pytest.raises(ValueError, match=words):
        blend.set_params(**params)
    assert repr(blend) == before


def test_scikit_learn_clones_it_with_its_components(blend: Blend, data: Dataset) -> None:
    twin = clone(blend)
    assert repr(twin) == repr(blend) and twin.first is not blend.first
    with pytest.raises(NotFittedError):
        twin.score("u1")
    assert np.array_equal(twin.fit(data).score(["u1"]), blend.score(["u1"]))


def test_a_failed_fit_of_a_component_loses_nothing(blend: Blend, data: Dataset) -> None:
    before = blend.score(["u1", "u2"])
    hopeless = Blend(EASE(), EASE()).fit(data)
    hopeless.second = keras_recs.BiasedMF()
    with pytest.raises(ValueError, match="BiasedMF needs ratings"):
        hopeless.fit(data)
    assert hopeless.score(["u1"]).shape == (1, 20)
    assert np.array_equal(blend.score(["u1", "u2"]), before)
