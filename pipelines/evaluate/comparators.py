"""What else could watch a count by minute. Each takes counts (minutes by series) and scores every minute by itself.

Only minutes with a failing run say something; `COMPARATORS` has the threshold of each that is in common use.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluate.population import WEEK_MIN

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

HOUR = 60
EARS_MIN, EARS_PERIODS, EARS_LAG = 15, 7, 2
INFINITE = 1e9


def rolling_ratio(counts: Counts) -> Numbers:
    """Times the mean of the 60 minutes before; without bound after an empty hour."""
    mean = _before(counts, HOUR) / HOUR
    return np.where(counts > 0, np.where(mean > 0, counts / np.maximum(mean, 1e-12), INFINITE), 0.0)


def three_sigma(counts: Counts) -> Numbers:
    """Deviations above the mean of the 60 minutes before; without bound after an hour of equal minutes."""
    mean = _before(counts, HOUR) / HOUR
    deviation = np.sqrt(np.maximum(_before(counts**2, HOUR) / HOUR - mean**2, 0))
    above = np.maximum(counts - mean, 0)
    return np.where(counts > 0, np.where(deviation > 0, above / np.maximum(deviation, 1e-12), above * INFINITE), 0.0)


def ears_c2(counts: Counts) -> Numbers:
    """C2 of the Early Aberration Reporting System over 15-minute sums that end at each minute.

    Mean and deviation of seven such sums, of which the last ended two sums ago; the deviation is at least 1.
    """
    sums = _within(counts, EARS_MIN)
    total, squares = np.zeros(counts.shape), np.zeros(counts.shape)
    for period in range(EARS_PERIODS):
        past = _later(sums, EARS_MIN * (EARS_LAG + 1 + period))
        total += past
        squares += past**2
    mean = total / EARS_PERIODS
    variance = np.maximum(squares - EARS_PERIODS * mean**2, 0) / (EARS_PERIODS - 1)
    deviation = np.maximum(np.sqrt(variance), 1.0)
    return np.where(counts > 0, np.maximum((sums - mean) / deviation, 0), 0.0)


def seasonal_z(counts: Counts) -> Numbers:
    """Deviations of the last 15 minutes above the mean of the same ones of every week before; Poisson, at least 1.

    The first week has no week before and scores nothing.
    """
    sums = _within(counts, EARS_MIN).astype(float)
    z = np.zeros(counts.shape)
    smooth = _within(counts, HOUR) / HOUR * EARS_MIN
    for week in range(1, -(-len(counts) // WEEK_MIN)):
        here = slice(week * WEEK_MIN, min((week + 1) * WEEK_MIN, len(counts)))
        length = here.stop - here.start
        mean = smooth[: week * WEEK_MIN].reshape(week, WEEK_MIN, -1).mean(axis=0)[:length]
        z[here] = (sums[here] - mean) / np.sqrt(np.maximum(mean, 1.0))
    return np.where(counts > 0, np.maximum(z, 0), 0.0)


COMPARATORS: dict[str, tuple[Callable[[Counts], Numbers], float]] = {
    "rolling_mean_3x": (rolling_ratio, 3.0),
    "three_sigma": (three_sigma, 3.0),
    "ears_c2": (ears_c2, 3.0),
    "seasonal_z": (seasonal_z, 3.0),
}
"""Each with its usual threshold."""


def _within(counts: Counts, window: int) -> Counts:
    """The sum of each minute and those before it in the window."""
    total = np.cumsum(counts, axis=0)
    total[window:] -= total[:-window].copy()
    return total


def _later(values: Counts, minutes: int) -> Counts:
    """Moved so many minutes later; 0 before."""
    moved = np.zeros_like(values)
    moved[minutes:] = values[:-minutes]
    return moved


def _before(counts: Counts, window: int) -> Counts:
    """The sum of the window that ends before each minute."""
    return _later(_within(counts, window), 1)
