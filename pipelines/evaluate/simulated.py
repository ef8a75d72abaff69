"""Simulated failing runs with the truth of their incidents; it shares no code with a model.

Rates of projects are spread evenly over their orders of magnitude. A project's rate moves with the hour and the weekday
(its own working hours), and with a noise that lasts hours: the logarithm is an AR(1) process. Runs then fail
independently of each other. An incident multiplies the rate or adds to it, whichever is more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipelines.evaluate.population import WEEK_MIN, Incidents, Population


@dataclass(frozen=True)
class Fleet:
    """The parameters: failing runs a minute, minutes, weeks; `noise` is the deviation of the rate's logarithm."""

    projects: int = 100
    least_rate: float = 0.002
    most_rate: float = 2.0
    weeks: int = 6
    warm_weeks: int = 3
    night: float = 0.3
    weekend: float = 0.3
    noise: float = 0.4
    noise_lasts_min: float = 180.0
    incident_times: float = 4.0
    incident_adds: float = 0.4
    incident_least_min: int = 15
    incident_most_min: int = 45


FIRST_MIN = 29_459_520  # since the epoch: Monday 2026-01-05 00:00 UTC


def simulate(seed: int, fleet: Fleet) -> Population:
    """A population from a seed: one incident per project and judged week."""
    random = np.random.default_rng(seed)
    minutes = fleet.weeks * WEEK_MIN
    rates = _rates(random, fleet, minutes)
    weeks = np.arange(fleet.warm_weeks, fleet.weeks)
    series = np.repeat(np.arange(fleet.projects), len(weeks))
    start = np.tile(weeks, fleet.projects) * WEEK_MIN + random.integers(0, WEEK_MIN - 300, len(series))
    lasts = random.integers(fleet.incident_least_min, fleet.incident_most_min + 1, len(series))
    for column, at, length in zip(series, start, lasts, strict=True):
        usual = rates[at : at + length, column]
        rates[at : at + length, column] = np.maximum(fleet.incident_times * usual, usual + fleet.incident_adds)
    return Population(FIRST_MIN, random.poisson(rates), Incidents(series, start, lasts), fleet.warm_weeks * WEEK_MIN)


def _rates(random: np.random.Generator, fleet: Fleet, minutes: int) -> NDArray[np.float64]:
    usual = 10 ** random.uniform(np.log10(fleet.least_rate), np.log10(fleet.most_rate), fleet.projects)
    shift = random.integers(0, 1440, fleet.projects)
    at = np.arange(minutes)[:, None] + shift
    bump = np.clip(np.sin((at % 1440 / 1440 - 0.25) * 2 * np.pi), 0, None)  # a working day of twelve hours
    shape = (fleet.night + (1 - fleet.night) * bump) * np.where(at // 1440 % 7 >= 5, fleet.weekend, 1.0)
    kept = np.exp(-1 / fleet.noise_lasts_min)
    steps = random.normal(0, fleet.noise * np.sqrt(1 - kept**2), (minutes, fleet.projects))
    noise = np.exp(lfilter([1], [1, -kept], steps, axis=0) - fleet.noise**2 / 2)
    rates: NDArray[np.float64] = usual * shape / shape.mean(axis=0) * noise
    return rates
