"""From scores to alarms, and from alarms to figures.

Whoever scores, an alarm is raised alike: minutes above a threshold are one alarm until there were 30 without. An alarm
finds an incident when it is raised while that lasts or within 15 minutes after; one that finds none is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluate.population import Incidents, Population

QUIET_MIN = 30
GRACE_MIN = 15
THRESHOLDS = 400
_APART = 10**9  # minutes between the series when they lie on one axis


@dataclass(frozen=True)
class Scores:
    """The judged minutes with something to say: series, minute and score, ordered by series, then minute.

    A higher score is a stronger suspicion.
    """

    series: NDArray[np.int64]
    minute: NDArray[np.int64]
    score: NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """False alarms per series and day, the share of incidents found, and the median minutes until they were."""

    false_per_day: float
    recall: float
    latency_min: float


def dense(scores: NDArray[np.float64], population: Population) -> Scores:
    """Scores of every minute (rows) and series (columns): those of the judged minutes that are above 0."""
    minute, series = np.nonzero(scores[population.judged :] > 0)
    order = np.lexsort((minute, series))
    minute, series = minute[order] + population.judged, series[order]
    return Scores(series, minute, scores[minute, series])


def apart(scores: Scores, populations: Sequence[Population]) -> list[Scores]:
    """The scores of each of the populations that were put side by side."""
    ends = np.cumsum([population.counts.shape[1] for population in populations])
    parts = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        here = (scores.series >= start) & (scores.series < end)
        parts.append(Scores(scores.series[here] - start, scores.minute[here], scores.score[here]))
    return parts


def alarms(scores: Scores, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and minute at which each alarm is raised: `threshold` is exceeded, and was not for 30 minutes."""
    above = scores.score > threshold
    series, minute = scores.series[above], scores.minute[above]
    opens = np.ones(len(series), bool)
    opens[1:] = (np.diff(series) != 0) | (np.diff(minute) > QUIET_MIN)
    return series[opens], minute[opens]


def judge(population: Population, scores: Scores, threshold: float) -> Judged:
    """The figures at a threshold; a recall without incidents, and a latency without a find, are NaN."""
    series, minute = alarms(scores, threshold)
    found, wait = _found(population.incidents, series, minute)
    return Judged(
        float(np.sum(~found)) / population.days,
        float(np.mean(wait >= 0)) if len(wait) else float("nan"),
        float(np.median(wait[wait >= 0])) if np.any(wait >= 0) else float("nan"),
    )


def best(population: Population, scores: Scores, most_false_per_day: float) -> Judged:
    """The figures at the threshold that finds the most incidents within a budget of false alarms."""
    return judge(population, scores, best_threshold(population, scores, most_false_per_day))


def best_threshold(population: Population, scores: Scores, most_false_per_day: float) -> float:
    """The threshold that finds the most incidents within a budget of false alarms; infinite when none finds any."""
    threshold, recall = float("inf"), 0.0
    for share in np.unique(np.geomspace(1e-6, 1, THRESHOLDS)):
        tried = float(np.quantile(scores.score, 1 - share, method="lower")) if len(scores.score) else float("inf")
        found = judge(population, scores, tried)
        if found.false_per_day > 2 * most_false_per_day:
            break
        if found.false_per_day <= most_false_per_day and found.recall > recall:
            threshold, recall = tried, found.recall
    return threshold


def incidents_found(population: Population, scores: Scores, threshold: float) -> NDArray[np.bool_]:
    """Of each incident, in the order of series and start, whether it is found."""
    _, wait = _found(population.incidents, *alarms(scores, threshold))
    return wait >= 0


def alarms_true(population: Population, scores: Scores, threshold: float) -> NDArray[np.bool_]:
    """Of each alarm whether it found an incident."""
    found, _ = _found(population.incidents, *alarms(scores, threshold))
    return found


def _found(
    incidents: Incidents, series: NDArray[np.int64], minute: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Of each alarm whether it found an incident, and of each incident the minutes until it was found, -1 if never.

    Incidents are in the order of series and start.
    """
    if not len(incidents.series):
        return np.zeros(len(series), bool), np.empty(0, np.int64)
    order = np.lexsort((incidents.start, incidents.series))
    first = incidents.series[order] * _APART + incidents.start[order]
    alarm = series * _APART + minute
    last_before = np.searchsorted(first, alarm, "right") - 1
    since = alarm - first[last_before]
    found = (last_before >= 0) & (since < incidents.minutes[order][last_before] + GRACE_MIN)
    wait = np.full(len(first), _APART)
    np.minimum.at(wait, last_before[found], since[found] + 1)
    return found, np.where(wait < _APART, wait, -1)
