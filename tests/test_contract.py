"""The contract, over every answer in the catalogue. An answer joins by being there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import keras_recs
from keras_recs.core.recommender import WITH_SIMILAR_ITEMS, NotFittedError, Recommender
from keras_recs.data import Dataset, split
from keras_recs.evaluation import protocol_named
from keras_recs.questions import QUESTIONS, Answer, Question
from keras_recs.testing import BATTERY, Subject, checkerboard, rated_checkerboard

CASES = [(q, a) for q in QUESTIONS for a in q.answers]
NAMES = [f"q{q.number:02d} {a.name}" for q, a in CASES]

#: Settings for data of a few dozen events, where a default made for thousands would stop before it
#: has learned.
SMALL = {
    "BPR": dict(n_factors=8, n_epochs=15, batch_size=32, learning_rate=0.05),
    "NeuMF": dict(
        gmf_dim=8,
        mlp_dim=8,
        hidden=(16,),
        dropout=0.0,
        n_epochs=15,
        batch_size=64,
        learning_rate=0.02,
        n_negatives=2,
        embedding_reg=1e-5,
    ),
    "EASE": dict(reg=1.0),
    "LightGCN": dict(
        n_factors=16, n_layers=2, n_epochs=12, n_batches=8, n_negatives=2, learning_rate=0.02
    ),
    "NGCF": dict(
        n_factors=16, n_layers=2, n_epochs=12, n_batches=8, n_negatives=2, learning_rate=0.02
    ),
    "ImplicitALS": dict(n_factors=4, reg=0.5),
    "LLMInterestModel": dict(
        encoder="tfidf",
        n_factors=8,
        dropout=0.0,
        id_dropout=0.2,
        n_epochs=15,
        batch_size=16,
        n_negatives=4,
        learning_rate=0.03,
    ),
    "BiasedMF": dict(n_factors=8, n_epochs=60),
}


#: Who cannot be asked to beat popularity on MovieLens, and why. What they reach there is in the
#: tests of the question.
NO_FLOOR = {
    "ContentEmbedding": "titles and genres are all that it reads, and they do not tell what is seen",
    "LLMInterestModel": "it reads what users write, and MovieLens has nothing by them",
}


@pytest.fixture(scope="module", params=CASES, ids=NAMES)
def subject(request: pytest.FixtureRequest) -> Subject:
    """An answer, fitted once for all behaviours; on ratings of both kinds if it learns from them."""
    q, a = request.param
    rated = "ratings" in protocol_named(q.protocol).rule.needs
    return Subject(
        q.make(a, **SMALL.get(a.class_name, {})),
        rated_checkerboard() if rated else checkerboard(),
        counts_repeats="recency" in a.name,
    )


@pytest.mark.parametrize("behaviour", BATTERY.values(), ids=BATTERY)
def test_it_keeps_the_contract(subject: Subject, behaviour: Callable[[Subject], None]) -> None:
    behaviour(subject)


def test_who_has_similar_items_is_named(subject: Subject) -> None:
    """In the error of those that have none."""
    able = subject.name in WITH_SIMILAR_ITEMS
    kind = type(subject.recommender)
    assert able == (kind._item_similarity is not Recommender._item_similarity)
    if not able:
        with pytest.raises(NotImplementedError, match=f"{subject.name} does .* ItemCF"):
            subject.recommender.similar_items(0)


def test_the_class_of_a_file_is_found(subject: Subject, tmp_path: Path) -> None:
    subject.recommender.save(tmp_path / "model")
    loaded = keras_recs.load(tmp_path / "model")
    assert type(loaded) is type(subject.recommender)
    assert np.array_equal(loaded.score(subject.data.user_ids.ids), subject.scores)


def test_scikit_learn_can_clone_it(subject: Subject) -> None:
    """A clone has the same parameters and has learned nothing."""
    clone = pytest.importorskip("sklearn.base").clone
    recommender = subject.recommender
    for original in (recommender, type(recommender)()):
        cloned = clone(original)
        assert type(cloned) is type(original) and cloned.get_params() == original.get_params()
        with pytest.raises(NotFittedError):
            cloned.score([0])


@pytest.mark.data
@pytest.mark.parametrize(("q", "a"), CASES, ids=NAMES)
def test_it_beats_its_trivial_baseline_on_movielens(
    ml100k: Dataset, fitted_on_movielens: Callable, q: Question, a: Answer
) -> None:
    from keras_recs.evaluation import evaluate

    if a.class_name in NO_FLOOR:
        pytest.skip(NO_FLOOR[a.class_name])
    parts = split(ml100k, q.protocol)
    mine = evaluate(fitted_on_movielens(q, a), parts).metrics
    protocol = protocol_named(q.protocol)
    _, floor = protocol.floor
    trivial = evaluate(floor().fit(parts.train), parts).metrics
    main = protocol.main_metric(mine)
    if protocol.lower_is_better:
        assert mine[main] < trivial[main] - 0.01
    else:
        assert mine[main] > 1.3 * trivial[main]
