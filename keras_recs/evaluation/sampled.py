"""Sampled metrics, which the field used for years: here to be compared with full ranking, not to be
used."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.splits import Split
from keras_recs.evaluation.protocols import require_lists
from keras_recs.evaluation.ranking import Truth, blocks, cells_of, checked_scores
from keras_recs.evaluation.results import Evaluation
from keras_recs.utils.checks import whole_number


def sampled_evaluation(
    scores: Any, split: Split, n_negatives: int = 99, seed: int = 0, *, k: int = 10
) -> Evaluation:
    """HR@k and NDCG@k of each test item among a few uniformly drawn negatives (He et al. 2017).

    Why it misleads (Krichene & Rendle 2020, On Sampled Metrics for Item Recommendation): among 99
    of 1,600 other items, rank 10 stands for about rank 160 of the real list, which nobody looks at.
    The figure is a much blunter function of the real rank than NDCG@10 is, nearer to AUC. So it is
    not only larger: it puts recommenders in another order, and the order changes with the number of
    negatives. Use `evaluate_scores`.

    Args:
        scores: (n_users, n_items), higher is better, in the order of the data set's ids.
        split: of lists, such as P1 or P2. Each pair of a user and a relevant test item is a case of its own.
        n_negatives: drawn for each case without replacement from what the user met neither in
            training nor in the test; where fewer are left, all of them.
        seed: of the draws.
        k: the target is a hit where fewer than k negatives are above it; a tie counts half.

    Returns:
        An Evaluation with "hr@k_s99" and "ndcg@k_s99" (the number is `n_negatives`), one entry per
        case.
    """
    whole_number("n_negatives", n_negatives)
    whole_number("k", k)
    scores = checked_scores(scores, split)
    require_lists(split)
    truth = Truth(split)
    users, items = np.divmod(truth.relevant, truth.n_items)
    relevant = sparse.csr_array(
        (np.ones(len(users), np.float32), (users, items)), shape=scores.shape
    )
    known = split.train.seen + relevant
    rng = np.random.default_rng(seed)
    n = min(n_negatives, truth.n_items)
    ranks = np.empty(len(users))
    for block in blocks(len(users), truth.n_items):
        # The n smallest of uniform keys are n items drawn without replacement; known items come
        # last.
        keys = rng.random((len(users[block]), truth.n_items), np.float32)
        keys[cells_of(known[users[block]])] = 2.0
        negatives = np.argpartition(keys, n - 1, axis=1)[:, :n]
        valid = np.take_along_axis(keys, negatives, axis=1) < 1
        ranks[block] = ranks_among(scores, users[block], items[block], negatives, valid)
    suffix = f"@{k}_s{n_negatives}"
    hit = ranks < k
    per_case = {
        f"hr{suffix}": hit.astype(float),
        f"ndcg{suffix}": np.where(hit, 1 / np.log2(ranks + 2), 0.0),
    }
    means = {name: float(values.mean()) for name, values in per_case.items()}
    return Evaluation(split.protocol, means, per_case, split.train.user_ids.ids[users])


def ranks_among(
    scores: np.ndarray,
    users: np.ndarray,
    targets: np.ndarray,
    negatives: np.ndarray,
    valid: np.ndarray | bool = True,
) -> np.ndarray:
    """(n,) how many negatives are above each target, ties counting half.

    Args:
        scores: (n_users, n_items).
        users, targets: (n,) indices.
        negatives: (n, m) item indices.
        valid: (n, m) bool, False for those to leave out.
    """
    target = scores[users, targets][:, None]
    drawn = scores[users[:, None], negatives]
    return np.sum((drawn > target) & valid, axis=1) + np.sum((drawn == target) & valid, axis=1) / 2
