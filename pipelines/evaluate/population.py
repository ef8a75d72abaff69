"""What a detector is judged on: series of counts by minute, and the incidents that are known to lie in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WEEK_MIN = 7 * 1440


@dataclass(frozen=True)
class Incidents:
    """Series (column), first minute and minutes of each incident; minutes count from the population's first."""

    series: NDArray[np.int64]
    start: NDArray[np.int64]
    minutes: NDArray[np.int64]


@dataclass(frozen=True)
class Population:
    """`counts` has a row for each minute from `first` on and a column for each series.

    `first` counts from the epoch and is a Monday 00:00 UTC. Minutes before `judged` only teach.
    """

    first: int
    counts: NDArray[np.int64]
    incidents: Incidents
    judged: int

    @property
    def days(self) -> float:
        """Days that are judged, of all series together."""
        minutes, series = self.counts.shape
        return float((minutes - self.judged) * series) / 1440


def side_by_side(populations: Sequence[Population]) -> Population:
    """Populations of the same minutes as one, to be scored in one pass; whose incidents are whose is not kept."""
    first = populations[0]
    none = np.empty(0, np.int64)
    counts = np.concatenate([one.counts for one in populations], axis=1)
    return Population(first.first, counts, Incidents(none, none, none), first.judged)
