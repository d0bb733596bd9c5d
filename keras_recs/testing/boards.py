"""Small data of which one knows what is to be found in it: checkerboards, ratings of low rank,
crowds of chance, and data as nasty as real logs are."""

from __future__ import annotations

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.data.features import ItemFeatures, UserFeatures
from keras_recs.data.readers import from_matrix

#: Two topics: their genre, and the words of their texts. Items and users of even index have the
#: first, those of odd index the second.
TOPICS = (
    ("horror", "ghost house cellar monster night blood scream fear"),
    ("romance", "love kiss wedding summer letter heart couple marry"),
)


def checkerboard(n: int = 20) -> Dataset:
    """User u met every item of u's parity but item u: whoever learns from others recommends item u.

    The order of events is u + 2, u + 4, … and from the start again, so that item u is also what
    comes next: whoever learns what follows on what recommends it too.

    Args:
        n: the number of users, and of items; even.

    >>> data = checkerboard()
    >>> data
    Dataset('checkerboard', 20 users, 20 items, 180 interactions)
    >>> last = data.interactions.timestamps[data.interactions.users == 6].argmax()
    >>> data.interactions.items[data.interactions.users == 6][last].item()
    4
    """
    users, items = np.nonzero(
        (np.add.outer(np.arange(n), np.arange(n)) % 2 == 0) & ~np.eye(n, dtype=bool)
    )
    return Dataset.from_arrays(
        users,
        items,
        ratings=np.full(len(users), 5.0),
        timestamps=users * n + (items - users) % n,
        item_features=ItemFeatures(np.arange(n), titles=[f"item {i}" for i in range(n)]),
        rating_scale=(1.0, 5.0),
        name="checkerboard",
    )


def rated_checkerboard(n: int = 20) -> Dataset:
    """Items of the user's own parity are worth 5, the others 1; of each kind one is hidden: item u,
    and item u + 1. Whoever learns ratings recommends item u.

    Args:
        n: the number of users, and of items.

    >>> rated_checkerboard()
    Dataset('rated checkerboard', 20 users, 20 items, 360 interactions)
    """
    users, items = np.divmod(np.arange(n * n), n)
    hidden = (items == users) | (items == (users + 1) % n)
    users, items = users[~hidden], items[~hidden]
    ratings = np.where((users + items) % 2 == 0, 5.0, 1.0)
    return Dataset.from_arrays(
        users, items, ratings, np.arange(len(users)), name="rated checkerboard"
    )


def planted(
    n_users: int = 60,
    n_items: int = 40,
    rank: int = 3,
    observed: float = 0.4,
    seed: int = 0,
) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Ratings that are exactly of low rank around 3, some of them observed.

    Args:
        n_users, n_items: the sizes.
        rank: of the ratings less 3.
        observed: the share that is in the data.
        seed: of everything.

    Returns:
        the data; all ratings, (n_users, n_items); which of them are observed, of the same shape.

    >>> data, ratings, known = planted(rank=2)
    >>> int(np.linalg.matrix_rank(ratings - 3)), len(data) == int(known.sum())
    (2, True)
    """
    rng = np.random.default_rng(seed)
    truth = 3 + rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items)) / rank**0.5
    mask = rng.random(truth.shape) < observed
    data = from_matrix(np.where(mask, truth, np.nan), missing=float("nan"))
    return data, truth, mask


def random_crowd(n_users: int, n_items: int, least: float) -> Dataset:
    """Ratings and times at random; the most popular item is met by 0.6 of the users, the last by
    `least`: there is nothing to learn but popularity.

    >>> random_crowd(50, 20, least=0.1).n_items
    20
    """
    rng = np.random.default_rng(5)
    users, items = np.nonzero(rng.random((n_users, n_items)) < np.linspace(0.6, least, n_items))
    order = rng.permutation(len(users))
    return Dataset.from_arrays(
        users[order],
        items[order],
        rng.integers(1, 6, len(users)),
        rng.integers(0, 10**6, len(users)),
    )


def nasty(n: int = 12) -> Dataset:
    """A log as real ones are: ids are strings, events come out of order and some of them twice, all
    at one of three times, with ratings from -2 to 2. User "new" met nothing, nobody met item
    "unsold", and user "most" met everything else. Items differ in popularity, so that weights from
    i to j are not those from j to i.

    Args:
        n: the number of further users, and items. Their events are a checkerboard, of which item i
            has what users from i / 2 on have met.

    >>> data = nasty()
    >>> data.user_ids.ids.tolist()[:2], data.item_ids.ids.tolist()[-2:]
    (['most', 'new'], ['item 9', 'unsold'])
    >>> len(data), data.seen.nnz
    (81, 69)
    """
    board = np.add.outer(np.arange(n), np.arange(n)) % 2 == 0
    later = np.arange(n)[:, None] >= np.arange(n) // 2
    users, items = np.nonzero(board & later)
    people = np.array([*(f"user {u}" for u in range(n)), "most", "new"])
    things = np.array([*(f"item {i}" for i in range(n)), "unsold"])
    users = np.concatenate([users, users[:n], np.full(n, n)])
    items = np.concatenate([items, items[:n], np.arange(n)])
    order = np.random.default_rng(0).permutation(len(users))
    users, items = users[order], items[order]
    return Dataset.from_arrays(
        people[users],
        things[items],
        ratings=(users + items) % 5 - 2.0,
        timestamps=(users + items) % 3,
        item_features=ItemFeatures(things, titles=things.tolist()),
        user_features=UserFeatures(people),
        name="nasty",
    )


def with_words(data: Dataset) -> Dataset:
    """`data` with titles, genres and texts that tell the parity of an item's or user's index, for
    whoever reads words.

    >>> data = with_words(checkerboard())
    >>> data.item_features.titles[0], data.item_features.genres[1]
    ('cellar monster', ('romance',))
    """
    said = _texts(data.n_items)
    items = ItemFeatures(
        data.item_ids.ids,
        [" ".join(text.split()[:2]) for text in said],
        [(TOPICS[i % 2][0],) for i in range(data.n_items)],
        texts=said,
    )
    return Dataset(
        data.interactions,
        data.user_ids,
        data.item_ids,
        item_features=items,
        user_features=UserFeatures(data.user_ids.ids, _texts(data.n_users)),
        name=data.name,
        rating_scale=data.rating_scale,
    )


def _texts(n: int) -> list[str]:
    """Each leaves out two words of its topic."""
    words = [topic.split() for _, topic in TOPICS]
    return [" ".join(np.roll(words[i % 2], i // 2)[2:]) for i in range(n)]
