"""One way to measure all: the same users, the same items and the same rule for every recommender.

`keras_recs.data.split` makes the splits; each protocol says what is measured on its own.
"""

from __future__ import annotations

from typing import Any

from keras_recs.core.recommender import Recommender
from keras_recs.data.splits import Split
from keras_recs.evaluation.protocols import protocol_of, require_lists
from keras_recs.evaluation.ranking import checked_scores, evaluate_table, require_split
from keras_recs.evaluation.results import Evaluation
from keras_recs.utils.checks import whole_number


def evaluate(recommender: Recommender, split: Split, *, k: int = 10) -> Evaluation:
    """Measure a recommender that was fitted on `split.train`, by the protocol that made the split.

    Lists (P1, P2 and P4): `recommend` ranks all items that the user has not seen in training. Only
    users with a relevant test item count. A test item that the user had met in training cannot be
    recommended, so it is not relevant; an item that comes twice in the test is one. Metrics:
    "ndcg@k", "recall@k", "recall@20", "hr@k", "precision@k", "mrr@k", "map@k", and for the lists
    together "coverage@k", "novelty@k", "gini@k".

    Ratings (P3): `predict` on every test event, clipped to the rating scale. Metrics: "rmse",
    "mae".

    Events (P5): `predict_events` on the test events, as `evaluate_events` measures it.

    A recommender that says what it was fitted on (`seen_`, `user_ids_`, `item_ids_`, as
    `Recommender` does) is not measured on that: where it has met a test pair that the training part
    does not hold, it was fitted on too much. Pairs that the data repeat later are no such case
    in lists, where they are not relevant; of ratings, the same pair on both sides is an error.

    Args:
        recommender: fitted on `split.train`; only its public verbs and attributes are used.
        split: as `keras_recs.data.split` makes it.
        k: length of the lists.

    Raises:
        NotFittedError: before `fit`.
        KeyError: the recommender does not know a user or item of the split.
        ValueError: no user has a relevant test item; the recommender was fitted on test pairs;
            of ratings, pairs that are on both sides; a list with a seen item or with one twice;
            predictions that are not finite.
    """
    require_split(split)
    if isinstance(recommender, type):
        raise TypeError(
            f"recommender must be fitted, got the class {recommender.__name__} itself: "
            f"{recommender.__name__}().fit(parts.train)"
        )
    return protocol_of(split).measure(recommender, split, k)


def evaluate_scores(scores: Any, split: Split, k: int = 10) -> Evaluation:
    """Measure a matrix of scores by a protocol of lists, as `evaluate` does a recommender.

    Args:
        scores: (n_users, n_items), higher is better, in the order of the data set's ids. Items seen
            in training are masked here. Equal scores rank by the lower item; -inf keeps an item out
            of the list.
        split: as `keras_recs.data.split` makes it.
        k: length of the lists.

    Raises:
        ValueError: another shape, NaN, or a split that is not about lists.

    >>> from keras_recs.data import Dataset, split
    >>> data = Dataset.from_arrays([1, 1, 1, 2, 2], [10, 20, 30, 10, 30], timestamps=[1, 2, 3, 1, 2])
    >>> evaluate_scores([[9, 0, 0], [0, 5, 3]], split(data, "P2"), k=1).per_user["hr@1"].tolist()
    [1.0, 0.0]
    """
    whole_number("k", k)
    scores = checked_scores(scores, split)
    require_lists(split)
    return evaluate_table(scores, split, k)
