"""The velocity model over many series at once: the formulas of `models.velocity`, minute by minute, over arrays."""

import numpy as np
from numpy.typing import NDArray

from models.velocity import (
    CELLS,
    LEVEL_KEPT,
    RULE,
    SPAN,
    WEEK_KEPT,
    WINDOWS,
    Fleet,
    Rule,
    fires,
    frozen,
    hourly_rate,
    hours_of_week,
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


def scores(population: Population, fleet: Fleet, zone: str = "UTC", rule: Rule = RULE) -> Scores:
    """-log10 of the least p of the windows that may fire, of every judged minute in which a run failed.

    A window may fire by its count and ratio; which p is small enough is for who reads it.
    """
    told = follow(population.counts, population.first, fleet, zone, rule)
    kept = [one for one in told if one[0] >= population.judged]
    minute = np.concatenate([np.full(len(series), at) for at, series, _ in kept] or [np.empty(0, np.int64)])
    series = np.concatenate([series for _, series, _ in kept] or [np.empty(0, np.int64)])
    p = np.concatenate([p for _, _, p in kept] or [np.empty(0)])
    order = np.lexsort((minute, series))
    return Scores(series[order], minute[order], -np.log10(np.maximum(p[order], 1e-300)))


def follow(
    counts: NDArray[np.int64], first: int, fleet: Fleet, zone: str = "UTC", rule: Rule = RULE
) -> list[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
    """Of every minute with a window that may fire: the minute (from 0), the series, and the least p of such windows."""
    minutes, many = counts.shape
    cells, profile = hours_of_week(first, minutes, zone), np.array(fleet.profile)
    seen = {window: _sums(counts, window) for window in WINDOWS}
    eligible = (counts > 0) & (seen[SPAN] >= rule.least)
    any_eligible = eligible.any(axis=1)
    sums, lengths = np.zeros((CELLS, many)), np.zeros(CELLS)
    observed, explained = np.zeros(many), np.zeros(many)
    opened, fired = np.full(many, -1), np.full(many, -(10**9))
    base = np.full(many, fleet.rate * profile[cells[0]])
    expected = np.tile(base * level(observed, explained), (SPAN, 1))
    told = []
    for at in range(minutes):
        cell = cells[at]
        if at and cell != cells[at - 1]:
            sums[cell] *= WEEK_KEPT
            lengths[cell] *= WEEK_KEPT
            mean = project_mean(sums.sum(axis=0), lengths.sum(), fleet.rate)
            base = hourly_rate(sums[cell], lengths[cell], mean * profile[cell])
        now = expected[at % SPAN] = base * level(observed, explained)
        if any_eligible[at]:
            series = np.flatnonzero(eligible[at])
            p, fire = _judged(at, series, seen, expected, rule)
            told.append((at, series[p < 1], p[p < 1]))
            if at >= rule.settled_min and fire.any():
                series = series[fire]
                quiet = np.where(expected[:, series].sum(axis=0) >= rule.busy, rule.busy_quiet_min, rule.quiet_min)
                opened[series] = np.where(at - fired[series] > quiet, at, opened[series])
                fired[series] = at
        burning = fired == at
        level_frozen, hour_frozen = frozen(at - opened, rule)
        recent = taught(counts[at], now, burning & level_frozen)
        hourly = taught(counts[at], now, burning & hour_frozen)
        sums[cell] += hourly
        lengths[cell] += 1
        observed = LEVEL_KEPT * observed + (1 - LEVEL_KEPT) * recent
        explained = LEVEL_KEPT * explained + (1 - LEVEL_KEPT) * base
    return told


def _judged(
    at: int,
    series: NDArray[np.int64],
    seen: dict[int, NDArray[np.int64]],
    expected: NDArray[np.float64],
    rule: Rule,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The least p of the windows that may fire, 1 where none may, and whether one fires."""
    least, fire = np.ones(len(series)), np.zeros(len(series), bool)
    for window in WINDOWS:
        rows = np.arange(at - window + 1, at + 1) % SPAN
        count, mean = seen[window][at, series], expected[np.ix_(rows, series)].sum(axis=0)
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
