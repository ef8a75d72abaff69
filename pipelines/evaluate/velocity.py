"""How good the alarm on failure velocity is, beside what else could watch a count by minute."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
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
from pipelines.evaluate.simulated import Fleet, simulate

SEEDS = (1, 2, 3, 4, 5)
PROMISED = ("real.false_alarms_per_day", "real.recall", "real.latency_min", "sim.recall_at_005")
BUDGET = 0.05  # false alarms per series and day
MODEL = "model"

Scorer = Callable[[Population], Scores]


@dataclass(frozen=True)
class Evaluated:
    """Figures, those of each comparator, and what a reader needs to judge them."""

    figures: Mapping[str, float]
    against: Mapping[str, Mapping[str, float]]
    setup: Mapping[str, Any]


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


def evaluate(data: Path, *, told: Callable[[str], None], seeds: Sequence[int], fleet: Fleet) -> Evaluated:
    """Judge the model and the comparators on real arrivals under `data` and on a simulated fleet of each seed.

    Where `data` holds the Numenta Anomaly Benchmark, on that too.

    Raises Misconfigured when `data` does not hold what is needed.
    """
    read = arrivals.read(data)
    found = {name: _Found() for name in _SCORERS}
    told(f"real arrivals: {', '.join(read)}")
    quiet = arrivals.quiet(read)
    _judge_real(found, quiet, [arrivals.burning(quiet, seed) for seed in seeds])
    told(f"simulated: {fleet.projects} projects, seeds {', '.join(map(str, seeds))}")
    _judge_simulated(found, [simulate(seed, fleet) for seed in seeds])
    against = {name: found[name].means for name in COMPARATORS}
    if (data / "nab").is_dir():
        series = nab.read(data)
        told(f"Numenta Anomaly Benchmark: {len(series)} series")
        found[MODEL].note("nab.standard", [nab.standard(series, [_opened(one) for one in series])])
        gaussian = nab.standard(series, [nab.windowed_gaussian(one) for one in series])
        against["windowed_gaussian"] = {"nab.standard": round(gaussian, 4)}
    setup = {
        "intervals": {name: one.intervals for name, one in found.items()},
        "seeds": list(seeds),
        "real": {
            "series": {name: int(total) for name, total in zip(read, quiet.counts.sum(axis=0), strict=True)},
            "weeks": arrivals.WEEKS,
            "warm_weeks": arrivals.WARM_WEEKS,
            "incident_min": arrivals.INCIDENT_MIN,
            "incident_rate": arrivals.INCIDENT_RATE,
            "zero_minutes_ratio": round(float(np.mean(quiet.counts == 0)), 4),
        },
        "simulated": asdict(fleet),
        "alpha": RULE.alpha,
        "model_version": VERSION,
    }
    return Evaluated(found[MODEL].means, against, setup)


def _judge_real(found: Mapping[str, _Found], quiet: Population, burning: Sequence[Population]) -> None:
    """False alarms where nothing was laid over the arrivals; recall and latency where something was."""
    together = side_by_side([quiet, *burning])
    for name, (score, threshold) in _SCORERS.items():
        first, *rest = apart(score(together), [quiet, *burning])
        found[name].note("real.false_alarms_per_day", [judge(quiet, first, threshold).false_per_day])
        judged = [judge(population, scores, threshold) for population, scores in zip(burning, rest, strict=True)]
        found[name].note("real.recall", [one.recall for one in judged])
        found[name].note("real.latency_min", [one.latency_min for one in judged])


def _judge_simulated(found: Mapping[str, _Found], populations: Sequence[Population]) -> None:
    """At the usual threshold, and at the best within the budget."""
    for name, (score, threshold) in _SCORERS.items():
        scored = [(population, score(population)) for population in populations]
        usual = [judge(population, scores, threshold) for population, scores in scored]
        found[name].note("sim.false_alarms_per_day", [one.false_per_day for one in usual])
        found[name].note("sim.recall", [one.recall for one in usual])
        found[name].note(
            "sim.recall_at_005", [best(population, scores, BUDGET).recall for population, scores in scored]
        )


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
