"""When, and on what device, the users of `cinema` come, and what that does to clicks."""

from __future__ import annotations

import numpy as np

DEVICES = ("phone", "tablet", "tv")
SLOTS = ("day", "evening", "late night", "weekend morning")


def _hour_chances() -> np.ndarray:
    hour, centre, width = (
        np.arange(24),
        np.array([9, 14, 20, 23.8])[:, None],
        np.array([1.5, 2, 1.5, 1.3])[:, None],
    )
    around = (hour - centre + 12) % 24 - 12  # hours from the centre, the short way round
    bumps = np.exp(-0.5 * (around / width) ** 2)  # morning, afternoon, evening, midnight
    heights = np.array(
        [
            [[0.3, 0.7, 1.6, 0.35], [1.6, 0.8, 1.2, 0.4]],
            [[0.2, 0.6, 1.0, 1.3], [0.7, 0.6, 0.8, 1.2]],
        ]
    )
    chances = heights @ bumps
    return chances / chances.sum(axis=-1, keepdims=True)


#: (2, 2, 24) chances of each hour: for early birds and night owls, on weekdays and weekends.
HOUR_CHANCES = _hour_chances()
#: (2, 3) what weekdays and weekends do to the chances of each device.
DEVICE_LIFT = np.array([[1.2, 1.0, 0.8], [0.7, 1.0, 1.4]])


def time_slot(hour: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """(n,) index into SLOTS: late night is 22 to 3, evening 17 to 22, weekend morning 6 to 12."""
    hour, weekend = np.asarray(hour), np.asarray(weekend).astype(bool)
    slot = np.where((hour >= 17) & (hour < 22), 1, 0)
    slot = np.where((hour >= 22) | (hour < 3), 2, slot)
    return np.where(weekend & (hour >= 6) & (hour < 12), 3, slot)


def slot_chances(night_owl: np.ndarray) -> np.ndarray:
    """(n, 4) how likely each slot is for these users, over a week."""
    chances = np.zeros((2, len(SLOTS)))
    for weekend, share in ((0, 5 / 7), (1, 2 / 7)):
        slots = time_slot(np.arange(24), np.full(24, weekend))
        for habit in (0, 1):
            chances[habit] += share * np.bincount(slots, HOUR_CHANCES[habit, weekend], len(SLOTS))
    return chances[np.asarray(night_owl).astype(int)]


def draw(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(b,) one index per row of `chances`, (b, k), which need not sum to 1."""
    total = np.cumsum(chances, axis=1)
    return (rng.random(len(chances))[:, None] * total[:, -1:] >= total).sum(axis=1)


def draw_context(
    night_owl: np.ndarray,
    devices: np.ndarray,
    weekend: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Hour (b,) and device (b,) of one visit each.

    Args:
        night_owl: (b,) bool.  devices: (b, 3) chances of each device.  weekend: (b,) 0 or 1.
    """
    weekend = np.asarray(weekend).astype(int)
    hour = draw(HOUR_CHANCES[np.asarray(night_owl).astype(int), weekend], rng)
    return hour, draw(devices * DEVICE_LIFT[weekend], rng)
