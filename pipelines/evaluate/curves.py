"""What pictures of an evaluation show, as numbers: operating curves, recall by rate, a week of one series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.hours import hours_of_week
from pipelines.evaluate import many, nab
from pipelines.evaluate.alarms import alarms, alarms_true, best_threshold, incidents_found, judge
from pipelines.evaluate.population import WEEK_MIN, Population
from pipelines.evaluate.velocity import BUDGET, Trace

STEP_MIN = 15  # minutes that a bar of the week sums up
Z_95 = 1.959964


@dataclass(frozen=True)
class Band:
    """Projects with `low` to `high` failing runs a minute: incidents, the share found, and its 95 % interval."""

    low: float
    high: float
    incidents: int
    recall: float
    least: float
    most: float


@dataclass(frozen=True)
class Week:
    """A week of one series in sums of 15 minutes; instants and spans are in hours from its beginning."""

    first: int
    observed: NDArray[np.int64]
    expected: NDArray[np.float64]
    incidents: list[tuple[float, float]]
    found: list[float]
    false: list[float]


@dataclass(frozen=True)
class Detections:
    """Positions of judged detections within and outside of a series' windows, and how many windows were met."""

    inside: list[int]
    outside: list[int]
    met: int

    @property
    def judged(self) -> int:
        """How many there are."""
        return len(self.inside) + len(self.outside)


def detections(series: nab.Series, opened: Sequence[int]) -> Detections:
    """What the model found in a series of the benchmark, its probation left out."""
    judged = [at for at in opened if at >= series.probation]
    inside = [at for at in judged if any(first <= at <= last for first, last in series.windows)]
    met = sum(any(first <= at <= last for at in inside) for first, last in series.windows)
    return Detections(inside, sorted(set(judged) - set(inside)), met)


def operating_curve(
    without: Sequence[Trace], burning: Sequence[Trace], alphas: Sequence[float]
) -> list[tuple[float, float]]:
    """False alarms per series and day in `without`, and the share of incidents found in `burning`, by alpha."""
    curve = []
    for alpha in alphas:
        at = -math.log10(alpha)
        false = [judge(one.population, one.scores, at).false_per_day for one in without]
        recall = [judge(one.population, one.scores, at).recall for one in burning]
        curve.append((float(np.mean(false)), float(np.mean(recall))))
    return curve


def recall_by_rate(traces: Sequence[Trace], edges: Sequence[float]) -> list[Band]:
    """The share of incidents found within the budget of false alarms, by the rate at which projects fail otherwise.

    That rate is the mean of the weeks that only teach. A band without an incident is left out.
    """
    rates, found = [], []
    for trace in traces:
        population = trace.population
        by_series = population.counts[: population.judged].mean(axis=0)
        rates.append(by_series[np.sort(population.incidents.series)])
        threshold = best_threshold(population, trace.scores, BUDGET)
        found.append(incidents_found(population, trace.scores, threshold))
    rate, hit = np.concatenate(rates), np.concatenate(found)
    bands = []
    for low, high in pairwise(edges):
        inside = hit[(rate >= low) & (rate < high)]
        if count := len(inside):
            bands.append(Band(low, high, count, float(inside.mean()), *wilson(int(inside.sum()), count)))
    return bands


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    >>> [round(end, 3) for end in wilson(8, 10)], [round(end, 3) for end in wilson(0, 10)]
    ([0.49, 0.943], [0.0, 0.278])
    """
    share, square = hits / of, Z_95**2 / of
    middle = (share + square / 2) / (1 + square)
    half = Z_95 / (1 + square) * math.sqrt(share * (1 - share) / of + square / 4 / of)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def busiest_week(population: Population) -> tuple[int, int]:
    """The series with the most arrivals in judged weeks, and the first minute of its week with the most."""
    judged = population.counts[population.judged :]
    series = int(judged.sum(axis=0).argmax())
    weeks = judged[: len(judged) // WEEK_MIN * WEEK_MIN, series].reshape(-1, WEEK_MIN).sum(axis=1)
    return series, population.judged + int(weeks.argmax()) * WEEK_MIN


def week_of(trace: Trace, series: int, first: int, alpha: float) -> Week:
    """A week of one series: what was there, what the model expected, and which of its alarms were right."""
    population = trace.population
    fleet = many.pooled(population.counts[: population.judged], population.first)
    end = first + WEEK_MIN
    counts = population.counts[:end, [series]]
    told = many.follow(counts, hours_of_week(population.first, end, "UTC"), fleet)
    known = population.incidents
    mine = (known.series == series) & (known.start >= first) & (known.start < end)
    at, right = alarms(trace.scores, -math.log10(alpha)), alarms_true(population, trace.scores, -math.log10(alpha))
    here = (at[0] == series) & (at[1] >= first) & (at[1] < end)
    hours = (at[1] - first) / 60
    return Week(
        population.first + first,
        counts[first:, 0].reshape(-1, STEP_MIN).sum(axis=1),
        told.expected[first:, 0].astype(np.float64).reshape(-1, STEP_MIN).sum(axis=1),
        [((start - first) / 60, (start + lasts - first) / 60)
         for start, lasts in zip(known.start[mine].tolist(), known.minutes[mine].tolist(), strict=True)],
        hours[here & right].tolist(),
        hours[here & ~right].tolist(),
    )  # fmt: skip
