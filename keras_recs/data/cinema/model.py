"""The planted preference model behind `cinema`: who is shown what, clicks on what, and what comes
of it.

The generator (tools/cinema/generate.py) and the environment (`CinemaEnv`) draw from this one model. It
is pure NumPy and works on batches. The symbols, for a user u, a film i and the progress t in [0, 1]
of u's time in the data:

    f_i   film's theme vector over the 24 THEMES, in two halves of length 1 each: 12 moods, the sum
          of the rows of GENRE_MOODS of its genres, and 12 subjects, what the story is about, which
          only the synopsis tells
    w_u   user's interests over the themes, not negative, sum 1, one to three of them not zero
          w_u(t) = (1 - t) start_u + t end_u      (the two differ for users whose taste drifts)
    z     the interest that a visit is about: drawn from w_u(t), the same for the whole visit
    A_ic  affinity of film i with taste community c, mostly of the people who made it; uncorrelated
          with themes, quality and clickbait, so no text shows it
    c_u   the user's community, one of N_COMMUNITIES
    q_i   quality, e_i fame, b_i clickbait (all about 0 ± 1), o_i age of the film in [0, 1]
    m_ui(t) = w_u(t) · f_i / |w_u(t)|
    x     series state of the film for the user: +1 the part before was watched, -1 it was not,
          0 there is no part before
    v     how often the film was shown to the user and left alone
    L     CONTEXT_LIFT[theme, slot], 0 for subjects: slot is day, evening, late night or weekend
          morning

    shown     the SLATE films of highest
              FAME e_i + RELEVANCE (m_ui(t) + A_ic/4) - FATIGUE v
              + NEXT_SHOWN [x=1] - SKIP_SHOWN [x=-1] + Gumbel noise,
              without what was watched and what is not in the catalogue yet
    click     logit = CLICK_BASE + INTEREST f_iz + COMMUNITY A_ic + QUALITY q_i + KNOWN e_i
              + BAIT_CLICK b_i + Σ_k f_ik L[k, slot] + NEXT_CLICK [x=1] - SKIP_CLICK [x=-1] + a_u
    utility   U = UTILITY_MATCH m_ui(t) + UTILITY_COMMUNITY A_ic + UTILITY_QUALITY q_i
              - UTILITY_BAIT b_i
    finish    logit, once clicked = FINISH_BASE + FINISH_UTILITY U - BAIT_FINISH b_i
              - PHONE_OLD o_i [device is phone]
    like      logit, once clicked = LIKE_BASE + LIKE_UTILITY U
    rating    1 + the number of cut points below U + r_u + RATING_NOISE ε, once clicked

a_u and r_u are how readily a user clicks and how kindly the user rates. Clickbait is the planted
conflict of tasks: it raises clicks and lowers finishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from keras_recs.data.cinema.context import SLOTS

MOODS = (
    "cosmos",
    "adrenaline",
    "laughter",
    "love",
    "dread",
    "riddle",
    "underworld",
    "wonder",
    "childhood",
    "song",
    "past",
    "quiet",
)
SUBJECTS = (
    "sea",
    "school",
    "kin",
    "money",
    "power",
    "contest",
    "stage",
    "road",
    "wild",
    "beasts",
    "machines",
    "mind",
)
THEMES = MOODS + SUBJECTS
#: How much each genre speaks for each mood.
GENRE_MOODS: dict[str, dict[str, float]] = {
    "action": {"adrenaline": 1.0},
    "adventure": {"wonder": 0.5, "adrenaline": 0.4},
    "animation": {"childhood": 0.9},
    "comedy": {"laughter": 1.0},
    "crime": {"underworld": 1.0},
    "documentary": {"past": 0.8, "quiet": 0.4},
    "drama": {"quiet": 0.6},
    "family": {"childhood": 0.9},
    "fantasy": {"wonder": 1.0},
    "history": {"past": 1.0},
    "horror": {"dread": 1.3},
    "musical": {"song": 1.4},
    "mystery": {"riddle": 1.0},
    "romance": {"love": 1.0},
    "science fiction": {"cosmos": 1.1},
    "thriller": {"riddle": 0.6, "adrenaline": 0.4, "dread": 0.2},
    "war": {"past": 1.0},
    "western": {"past": 0.5, "adrenaline": 0.6},
}
N_COMMUNITIES = 6
RATING_SCALE = (1.0, 5.0)
SLATE = 10  # films on one page of impressions

FAME, RELEVANCE, FATIGUE, NEXT_SHOWN, SKIP_SHOWN = 1.15, 3.5, 0.1, 3.0, 1.5
CLICK_BASE, INTEREST, COMMUNITY, QUALITY, KNOWN, BAIT_CLICK = -4.8, 8.8, 1.6, 0.3, 0.3, 0.7
NEXT_CLICK, SKIP_CLICK = 2.5, 2.0
UTILITY_MATCH, UTILITY_COMMUNITY, UTILITY_QUALITY, UTILITY_BAIT = 1.3, 0.9, 0.55, 0.45
FINISH_BASE, FINISH_UTILITY, BAIT_FINISH, PHONE_OLD = 0.0, 0.8, 1.3, 1.8
LIKE_BASE, LIKE_UTILITY = -2.2, 1.2
RATING_NOISE = 0.7

#: Extra click logit of a film wholly of one theme, by slot of the day.
CONTEXT_LIFT = np.zeros((len(THEMES), len(SLOTS)))
for _theme, _lifts in {
    "childhood": (0.2, -1.0, -2.4, 3.0),
    "song": (-0.3, 0.4, -0.8, 1.2),
    "dread": (-1.4, 0.1, 3.0, -2.0),
    "riddle": (-0.6, 0.2, 1.6, -1.4),
    "laughter": (-0.2, 1.0, -0.6, 0.2),
    "adrenaline": (-0.4, 0.8, 0.2, -0.8),
    "love": (-0.4, 1.0, -0.2, -0.2),
    "cosmos": (-0.2, -0.2, 1.1, -0.6),
    "past": (1.0, -0.6, -1.0, 0.6),
    "quiet": (0.9, -0.4, -0.4, 0.4),
    "wonder": (0.2, 0.0, -0.6, 0.8),
    "underworld": (-0.4, 0.1, 1.2, -1.1),
}.items():
    CONTEXT_LIFT[THEMES.index(_theme)] = _lifts


def theme_vectors(genres: Sequence[Sequence[str]], subjects: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, 24) float64, the two halves of each row of length 1: the themes of films with these
    genres and subjects.

    Raises:
        KeyError: a genre that GENRE_MOODS does not know.
        ValueError: a subject that SUBJECTS does not know, or films without any.
    """
    return np.column_stack([mood_vectors(genres), _subject_vectors(subjects)])


def mood_vectors(genres: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, 12) float64, rows of length 1: the moods of films with these genres."""
    vectors = np.zeros((len(genres), len(MOODS)))
    for row, names in enumerate(genres):
        for genre in names:
            for mood, weight in GENRE_MOODS[genre].items():
                vectors[row, MOODS.index(mood)] += weight
    return _unit(vectors)


def _subject_vectors(subjects: Sequence[Sequence[str]]) -> np.ndarray:
    vectors = np.zeros((len(subjects), len(SUBJECTS)))
    for row, names in enumerate(subjects):
        vectors[row, [SUBJECTS.index(name) for name in names]] = 1
    return _unit(vectors)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"film {int(np.argmin(lengths))} has no genre or no subject")
    return vectors / lengths


@dataclass(frozen=True, eq=False)
class CinemaModel:
    """The parameters of the model, and its equations. n users, m films, K = 24 themes, C = 6
    communities.

    Every method takes a batch of b users (indices) and either `items`, (b, s) film indices, or None
    for all films; it returns (b, s) or (b, m). `progress` is (b,) in [0, 1]; `follows` is the
    series state x, from `follows()`.

    Args:
        start, end: (n, K) interests at the beginning and the end of a user's time.
        communities: (n,) int, c_u.  clicking, kindness: (n,) a_u and r_u.
        themes: (m, K).  affinity: (m, C).  quality, fame, bait, age: (m,).
        previous: (m,) int, the film that is the part before in a series, -1 where there is none.
        cuts: (4,) cut points of the ratings.
    """

    start: np.ndarray
    end: np.ndarray
    communities: np.ndarray
    clicking: np.ndarray
    kindness: np.ndarray
    themes: np.ndarray
    affinity: np.ndarray
    quality: np.ndarray
    fame: np.ndarray
    bait: np.ndarray
    age: np.ndarray
    previous: np.ndarray
    cuts: np.ndarray

    @property
    def n_users(self) -> int:
        return len(self.start)

    @property
    def n_items(self) -> int:
        return len(self.themes)

    def interests(self, users: np.ndarray, progress: np.ndarray) -> np.ndarray:
        """(b, K) w_u(t)."""
        t = np.asarray(progress)[:, None]
        return (1 - t) * self.start[users] + t * self.end[users]

    def match(
        self, users: np.ndarray, progress: np.ndarray, items: np.ndarray | None = None
    ) -> np.ndarray:
        """m_ui(t): the interests, scaled to length 1, times the themes."""
        interests = self.interests(users, progress)
        interests = interests / np.linalg.norm(interests, axis=1, keepdims=True)
        if items is None:
            return interests @ self.themes.T
        return np.einsum("bk,bsk->bs", interests, self.themes[items])

    def community_affinity(self, users: np.ndarray, items: np.ndarray | None = None) -> np.ndarray:
        """A_ic for the community of each user."""
        own = self.communities[users]
        return self.affinity.T[own] if items is None else self.affinity[items, own[:, None]]

    def follows(self, watched: np.ndarray, items: np.ndarray | None = None) -> np.ndarray:
        """x in {-1, 0, 1} from `watched`, (b, m) bool of what each user of the batch has
        watched."""
        previous = self.previous[np.arange(self.n_items)[None] if items is None else items]
        seen = np.take_along_axis(
            watched,
            np.broadcast_to(np.maximum(previous, 0), (len(watched), previous.shape[1])),
            axis=1,
        )
        return np.where(previous < 0, 0, np.where(seen, 1, -1))

    def exposure_logit(
        self,
        users: np.ndarray,
        progress: np.ndarray,
        follows: np.ndarray,
        ignored: np.ndarray,
        items: np.ndarray | None = None,
    ) -> np.ndarray:
        """What the old recommender that made the impressions ranks by, before noise."""
        fame = self.fame[np.arange(self.n_items)[None] if items is None else items]
        relevance = self.match(users, progress, items) + 0.25 * self.community_affinity(
            users, items
        )
        return (
            FAME * fame
            + RELEVANCE * relevance
            - FATIGUE * ignored
            + NEXT_SHOWN * (follows == 1)
            - SKIP_SHOWN * (follows == -1)
        )

    def click_logit(
        self,
        users: np.ndarray,
        active: np.ndarray,
        slot: np.ndarray,
        follows: np.ndarray,
        items: np.ndarray | None = None,
    ) -> np.ndarray:
        """Log odds of a click on a film that is shown; `active` (b,) is z, `slot` (b,) an index
        into SLOTS."""
        columns = np.arange(self.n_items)[None] if items is None else items
        lift = CONTEXT_LIFT.T[slot]  # (b, K)
        if items is None:
            pull, context = self.themes.T[active], lift @ self.themes.T
        else:
            pull, context = (
                self.themes[items, active[:, None]],
                np.einsum("bk,bsk->bs", lift, self.themes[items]),
            )
        return (
            CLICK_BASE
            + INTEREST * pull
            + COMMUNITY * self.community_affinity(users, items)
            + context
            + QUALITY * self.quality[columns]
            + KNOWN * self.fame[columns]
            + BAIT_CLICK * self.bait[columns]
            + NEXT_CLICK * (follows == 1)
            - SKIP_CLICK * (follows == -1)
            + self.clicking[users][:, None]
        )

    def utility(
        self, users: np.ndarray, progress: np.ndarray, items: np.ndarray | None = None
    ) -> np.ndarray:
        """U: how much the user gets out of the film, in the units of the cut points."""
        columns = np.arange(self.n_items)[None] if items is None else items
        return (
            UTILITY_MATCH * self.match(users, progress, items)
            + UTILITY_COMMUNITY * self.community_affinity(users, items)
            + UTILITY_QUALITY * self.quality[columns]
            - UTILITY_BAIT * self.bait[columns]
        )

    def finish_logit(
        self, utility: np.ndarray, phone: np.ndarray, items: np.ndarray | None = None
    ) -> np.ndarray:
        """Log odds that a film that was clicked is watched to the end; `phone` (b,) bool."""
        columns = np.arange(self.n_items)[None] if items is None else items
        return (
            FINISH_BASE
            + FINISH_UTILITY * utility
            - BAIT_FINISH * self.bait[columns]
            - PHONE_OLD * self.age[columns] * np.asarray(phone)[:, None]
        )

    def like_logit(self, utility: np.ndarray) -> np.ndarray:
        """Log odds that a film that was clicked is liked."""
        return LIKE_BASE + LIKE_UTILITY * utility

    def rating(self, users: np.ndarray, utility: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Ratings 1 to 5, int; `noise` is standard normal, of the shape of `utility`."""
        felt = utility + self.kindness[users][:, None] + RATING_NOISE * noise
        return 1 + (felt[..., None] > self.cuts).sum(axis=-1)

    def expected_rating(
        self, users: np.ndarray, progress: np.ndarray, items: np.ndarray | None = None
    ) -> np.ndarray:
        """Mean of `rating` over its noise."""
        felt = self.utility(users, progress, items) + self.kindness[users][:, None]
        return 1 + sum(ndtr((felt - cut) / RATING_NOISE) for cut in self.cuts)

    def click_probability(
        self,
        users: np.ndarray,
        progress: np.ndarray,
        watched: np.ndarray,
        slots: np.ndarray | None = None,
        *,
        ignored: np.ndarray | None = None,
    ) -> np.ndarray:
        """(b, m) chance of a click, averaged over the interests of the user and over the slots of
        the day.

        Args:
            watched: (b, m) bool, for the series; it does not mask anything.
            slots: (b, 4) weights of the slots, each row summing to 1; equal weights by default.
            ignored: (b, m) v. When given, the chance is weighted by exp(exposure), how much more
            often than others
                a film is shown: what ranks films by how likely they are the next click in the data,
                rather than on a page where all are shown.
        """
        if slots is None:
            slots = np.full((len(users), len(SLOTS)), 1 / len(SLOTS))
        interests, follows = self.interests(users, progress), self.follows(watched)
        out = np.zeros((len(users), self.n_items))
        for theme in range(len(THEMES)):
            rows = np.flatnonzero(interests[:, theme] > 1e-9)
            for slot in range(len(SLOTS)):
                same = np.ones(len(rows), int)
                logit = self.click_logit(users[rows], theme * same, slot * same, follows[rows])
                out[rows] += (interests[rows, theme] * slots[rows, slot])[:, None] * expit(logit)
        if ignored is not None:
            out *= np.exp(self.exposure_logit(users, progress, follows, ignored))
        return out
