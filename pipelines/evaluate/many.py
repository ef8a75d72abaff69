"""The velocity model over many series at once: the formulas of `models.velocity`, minute by minute, over arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.hours import CELLS, hours_of_week
from models.velocity import (
    LEVEL_KEPT,
    RULE,
    SPAN,
    WEEK_KEPT,
    WINDOWS,
    Fleet,
    Rule,
    evidence,
    fires,
    frozen,
    hourly_rate,
    level,
    project_mean,
    tail,
    taught,
)
from pipelines.evaluate.alarms import Scores
from pipelines.evaluate.population import Population


def pooled(counts: NDArray[np.int64], first: int, zone: str = "UTC") -> Fleet:
    """What a fleet that has seen these minutes believes of a project it has not: its mean, and its hours' shape."""
    cells = hours_of_week(first, len(counts), zone)
    seen = np.bincount(cells, counts.sum(axis=1), CELLS) / counts.shape[1]
    minutes = np.bincount(cells, minlength=CELLS)
    rate = max(float(counts.mean()), 1e-6)
    shape = hourly_rate(seen, minutes, rate) / rate
    return Fleet(rate, tuple(float(share) for share in shape / shape.mean()))


@dataclass(frozen=True)
class Told:
    """Every minute (row) and series (column) of which a window may fire, by its count and ratio, in order of time.

    `p` is the least of such windows, `opens` whether an incident opens. `expected` has every minute (row) and series.
    """

    minute: NDArray[np.int64]
    series: NDArray[np.int64]
    p: NDArray[np.float64]
    opens: NDArray[np.bool_]
    expected: NDArray[np.float32]


def scores(population: Population, fleet: Fleet, zone: str = "UTC", rule: Rule = RULE) -> Scores:
    """-log10 of p, of every judged minute of which a window may fire; which p is small enough is for who reads it."""
    told = follow(population.counts, hours_of_week(population.first, len(population.counts), zone), fleet, rule)
    order = np.lexsort((told.minute, told.series))
    order = order[told.minute[order] >= population.judged]
    return Scores(told.series[order], told.minute[order], -np.log10(np.maximum(told.p[order], 1e-300)))


def follow(counts: NDArray[np.int64], cells: NDArray[np.int64], fleet: Fleet, rule: Rule = RULE) -> Told:
    """What the model says of counts (minutes by series), given the hour of the week of each minute."""
    minutes, many = counts.shape
    profile = np.array(fleet.profile)
    eligible = (counts > 0) & (_sums(counts, SPAN) >= rule.least)
    any_eligible = eligible.any(axis=1)
    sums, lengths = np.zeros((CELLS, many)), np.zeros(CELLS)
    observed, explained = np.zeros(many), np.zeros(many)
    opened, fired = np.full(many, -1), np.full(many, -(10**9))
    base = np.full(many, fleet.rate * profile[cells[0]])
    expected = np.tile(base * level(observed, explained), (SPAN, 1))
    before = np.empty((minutes, many), np.float32)
    told = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, bool))]
    for at in range(minutes):
        cell = cells[at]
        if at and cell != cells[at - 1]:
            sums[cell] *= WEEK_KEPT
            lengths[cell] *= WEEK_KEPT
            mean = project_mean(sums.sum(axis=0), lengths.sum(), fleet.rate)
            base = hourly_rate(sums[cell], lengths[cell], mean * profile[cell])
        now = before[at] = expected[at % SPAN] = base * level(observed, explained)
        if any_eligible[at]:
            series = np.flatnonzero(eligible[at])
            p, fire = _judged(at, series, counts, expected, rule)
            fire &= at >= rule.settled_min
            quiet = np.where(expected[:, series].sum(axis=0) >= rule.busy, rule.busy_quiet_min, rule.quiet_min)
            opens = fire & (at - fired[series] > quiet)
            opened[series[opens]] = at
            fired[series[fire]] = at
            may = p < 1
            told.append((np.full(int(may.sum()), at), series[may], p[may], opens[may]))
        level_frozen, hour_frozen = frozen(at - opened, rule)
        recent = taught(counts[at], now, (fired == at) & level_frozen)
        hourly = taught(counts[at], now, (fired == at) & hour_frozen)
        sums[cell] += hourly
        lengths[cell] += 1
        observed = LEVEL_KEPT * observed + (1 - LEVEL_KEPT) * recent
        explained = LEVEL_KEPT * explained + (1 - LEVEL_KEPT) * base
    minute, which, least, opens = (np.concatenate(parts) for parts in zip(*told, strict=True))
    return Told(minute, which, least, opens, before)


def _judged(
    at: int,
    series: NDArray[np.int64],
    counts: NDArray[np.int64],
    expected: NDArray[np.float64],
    rule: Rule,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The least p of the windows that may fire, 1 where none may, and whether one fires."""
    least, fire = np.ones(len(series)), np.zeros(len(series), bool)
    for window in WINDOWS:
        rows = np.arange(at - window + 1, at + 1)
        means = expected[np.ix_(rows % SPAN, series)]
        counts_ = np.where(rows[:, None] >= 0, counts[np.ix_(rows, series)], 0)
        count, mean = evidence(counts_, means).sum(axis=0), means.sum(axis=0)
        may = (count >= rule.least) & (count >= rule.ratio * mean)
        p = np.where(may, tail(count, mean), 1.0)
        least = np.minimum(least, p)
        fire |= fires(count, mean, p, rule)
    return least, fire


def _sums(counts: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """The sum of each minute and those before it in the window."""
    total = np.cumsum(counts, axis=0)
    total[window:] -= total[:-window].copy()
    return total
