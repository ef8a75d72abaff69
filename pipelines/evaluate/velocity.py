"""How good the alarm on failure velocity is, beside what else could watch a count by minute."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from models.velocity import RULE, VERSION
from models.velocity import Fleet as VelocityFleet
from pipelines.evaluate import arrivals, many, nab
from pipelines.evaluate.alarms import Scores, apart, best, dense, judge
from pipelines.evaluate.comparators import COMPARATORS
from pipelines.evaluate.population import Population, side_by_side
from pipelines.evaluate.recordings import Recordings
from pipelines.evaluate.simulated import Fleet, simulate

SEEDS = (1, 2, 3, 4, 5)
REAL, SIMULATED = ("real.false_alarms_per_day", "real.recall", "real.latency_min"), "sim.recall_at_005"
BUDGET = 0.05  # false alarms per series and day
MODEL = "model"

Scorer = Callable[[Population], Scores]


@dataclass(frozen=True)
class Trace:
    """A population and what the model said of it."""

    population: Population
    scores: Scores


@dataclass(frozen=True)
class Traces:
    """What the model's figures were taken from, for who draws it.

    `real` begins with the arrivals as they are, then with incidents of each seed; `opened` has the positions at which
    the model opens an incident in each series of the benchmark.
    """

    real: tuple[Trace, ...]
    simulated: tuple[Trace, ...]
    benchmark: tuple[nab.Series, ...]
    opened: tuple[list[int], ...]


@dataclass(frozen=True)
class Evaluated:
    """Figures, those of each comparator, what a reader needs to judge them, and what they were taken from."""

    figures: Mapping[str, float]
    against: Mapping[str, Mapping[str, float]]
    setup: Mapping[str, Any]
    traces: Traces


@dataclass
class _Found:
    """What was measured of one detector: its means, and the interval of each."""

    means: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, values: Sequence[float]) -> None:
        """The mean over seeds, with the 95 % interval of Student's t; a value that no seed has is left out."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return
        self.means[name] = round(float(np.mean(known)), 4)
        if len(known) > 1:
            half = float(student.ppf(0.975, len(known) - 1)) * float(np.std(known, ddof=1)) / math.sqrt(len(known))
            self.intervals[name] = f"{self.means[name]:.4g} +- {half:.2g} (n={len(known)})"


def evaluate(recorded: Recordings, *, told: Callable[[str], None], seeds: Sequence[int], fleet: Fleet) -> Evaluated:
    """Judge the model and the comparators on a simulated fleet of each seed and on what was recorded.

    What was not recorded has no figures.
    """
    found = {name: _Found() for name in _SCORERS}
    against = {name: found[name].means for name in COMPARATORS}
    setup: dict[str, Any] = {"seeds": list(seeds), "left_out": list(recorded.told)}
    real: tuple[Trace, ...] = ()
    if recorded.commits:
        told(f"real arrivals: {', '.join(recorded.commits)}")
        quiet = arrivals.quiet(recorded.commits)
        real = _judge_real(found, quiet, [arrivals.burning(quiet, seed) for seed in seeds])
        setup["real"] = _real_setup(recorded.commits, quiet)
    told(f"simulated: {fleet.projects} projects, seeds {', '.join(map(str, seeds))}")
    simulated = _judge_simulated(found, [simulate(seed, fleet) for seed in seeds])
    opened = tuple(_opened(one) for one in recorded.benchmark)
    if recorded.benchmark:
        told(f"Numenta Anomaly Benchmark: {len(recorded.benchmark)} series")
        found[MODEL].note("nab.standard", [nab.standard(recorded.benchmark, opened)])
        gaussian = nab.standard(recorded.benchmark, [nab.windowed_gaussian(one) for one in recorded.benchmark])
        against["windowed_gaussian"] = {"nab.standard": round(gaussian, 4)}
    setup |= {
        "intervals": {name: one.intervals for name, one in found.items()},
        "simulated": asdict(fleet),
        "alpha": RULE.alpha,
        "model_version": VERSION,
    }
    return Evaluated(found[MODEL].means, against, setup, Traces(real, simulated, recorded.benchmark, opened))


def promised(recorded: Recordings, found: Evaluated) -> tuple[str, ...]:
    """The figures that must come out of what was recorded; where no incident was found, nothing was waited for."""
    real = REAL if found.figures.get("real.recall") else REAL[:2]
    return (*(real if recorded.commits else ()), SIMULATED, *(("nab.standard",) if recorded.benchmark else ()))


def _real_setup(commits: Mapping[str, NDArray[np.int64]], quiet: Population) -> dict[str, Any]:
    return {
        "series": {name: int(total) for name, total in zip(commits, quiet.counts.sum(axis=0), strict=True)},
        "weeks": arrivals.WEEKS,
        "warm_weeks": arrivals.WARM_WEEKS,
        "incident_min": arrivals.INCIDENT_MIN,
        "incident_rate": arrivals.INCIDENT_RATE,
        "zero_minutes_ratio": round(float(np.mean(quiet.counts == 0)), 4),
    }


def _judge_real(found: Mapping[str, _Found], quiet: Population, burning: Sequence[Population]) -> tuple[Trace, ...]:
    """False alarms where nothing was laid over the arrivals; recall and latency where something was."""
    together = side_by_side([quiet, *burning])
    traces: tuple[Trace, ...] = ()
    for name, (score, threshold) in _SCORERS.items():
        first, *rest = scored = apart(score(together), [quiet, *burning])
        if name == MODEL:
            traces = tuple(Trace(*pair) for pair in zip([quiet, *burning], scored, strict=True))
        found[name].note("real.false_alarms_per_day", [judge(quiet, first, threshold).false_per_day])
        judged = [judge(population, scores, threshold) for population, scores in zip(burning, rest, strict=True)]
        found[name].note("real.recall", [one.recall for one in judged])
        found[name].note("real.latency_min", [one.latency_min for one in judged])
    return traces


def _judge_simulated(found: Mapping[str, _Found], populations: Sequence[Population]) -> tuple[Trace, ...]:
    """At the usual threshold, and at the best within the budget. The model's traces."""
    traces: tuple[Trace, ...] = ()
    for name, (score, threshold) in _SCORERS.items():
        scored = [(population, score(population)) for population in populations]
        if name == MODEL:
            traces = tuple(Trace(*pair) for pair in scored)
        usual = [judge(population, scores, threshold) for population, scores in scored]
        found[name].note("sim.false_alarms_per_day", [one.false_per_day for one in usual])
        found[name].note("sim.recall", [one.recall for one in usual])
        found[name].note(SIMULATED, [best(population, scores, BUDGET).recall for population, scores in scored])
    return traces


def _opened(series: nab.Series) -> list[int]:
    """Where the model opens an incident, each value a minute's count: most are not counts, which is what is tested."""
    told = many.follow(nab.as_counts(series), series.hours, VelocityFleet())
    return [int(minute) for minute in told.minute[told.opens]]


def _believed(population: Population) -> Scores:
    """The model's scores; its fleet is what the population's own weeks of warming up show."""
    return many.scores(population, many.pooled(population.counts[: population.judged], population.first))


def _compared(score: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> Scorer:
    return lambda population: dense(score(population.counts), population)


_SCORERS: dict[str, tuple[Scorer, float]] = {
    MODEL: (_believed, -math.log10(RULE.alpha)),
    **{name: (_compared(score), threshold) for name, (score, threshold) in COMPARATORS.items()},
}
"""By name: what scores a population, and the threshold it is used with."""
