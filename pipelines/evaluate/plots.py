"""Pictures of an evaluation, drawn from what it found and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import Misconfigured
from pipelines.evaluate import nab
from pipelines.evaluate.curves import STEP_MIN, busiest_week, detections, operating_curve, recall_by_rate, week_of
from pipelines.evaluate.velocity import BUDGET, MODEL, SIMULATED, Evaluated, Trace

OURS, OTHER, WRONG, SHADE, QUIET = "#0072b2", "#555555", "#d55e00", "#e69f00", "#999999"
"""Okabe and Ito 2008: told apart by the colour-blind."""
MARKS = ("s", "^", "D", "v", "P", "X")
LEAST = 0.001  # false alarms a day: below it the axis is linear, so that none has its place
POWERS = [half / 2 for half in range(4, 27)]
ALPHAS = [10**-power for power in POWERS]
MARKED = (3, 6)
BANDS = 8


def draw(folder: Path, found: Evaluated) -> list[Path]:
    """The pictures of what was judged; what was not has none. Raises Misconfigured when they cannot be written."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    style: dict[Any, Any] = {
        "figure.dpi": 130, "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left",
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "savefig.bbox": "tight",
        "date.converter": "concise",
    }  # fmt: skip
    traces, drawn = found.traces, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(style):
            if traces.real:
                drawn.append(("week.png", _week(pyplot, found)))
            drawn.append(("operating-curve.png", _operating(pyplot, found)))
            drawn.append(("recall-by-rate.png", _by_rate(pyplot, found)))
            if traces.benchmark:
                drawn.append(("benchmark.png", _benchmark(pyplot, traces.benchmark, traces.opened)))
            for name, figure in drawn:
                figure.savefig(folder / name)
                pyplot.close(figure)
    except OSError as denied:
        raise Misconfigured(f"--plots {folder}: cannot be written ({denied.strerror})") from denied
    return [folder / name for name, _ in drawn]


def _week(pyplot: Any, found: Evaluated) -> Any:
    """One real series of a week, with incidents of the first seed laid over it."""
    trace = found.traces.real[1]
    series, first = busiest_week(trace.population)
    alpha = float(found.setup["alpha"])
    week = week_of(trace, series, first, alpha)
    figure, axes = pyplot.subplots(figsize=(11, 4.2))
    hours = np.arange(len(week.observed)) * STEP_MIN / 60
    for at, (start, end) in enumerate(week.incidents):
        axes.axvspan(
            start, max(end, start + 0.5), color=SHADE, alpha=0.45, lw=0, label=None if at else "incident laid over it"
        )
    axes.bar(hours, week.observed, width=STEP_MIN / 60, align="edge", color=QUIET, label=f"observed in {STEP_MIN} min")
    axes.plot(hours + STEP_MIN / 120, week.expected, color=OURS, lw=1.6, label=f"expected in {STEP_MIN} min")
    top = 1.06 * max(1, int(week.observed.max()))
    axes.plot(week.found, [top] * len(week.found), "v", color=OURS, ms=8, label="alarm that found it", clip_on=False)
    axes.plot(week.false, [top] * len(week.false), "x", color=WRONG, ms=8, mew=2, label="false alarm", clip_on=False)
    monday = datetime.fromtimestamp(week.first * 60, UTC)
    axes.set_xticks(range(0, 169, 24), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", ""], ha="left")
    axes.set(
        xlim=(0, 168), ylim=(0, None), xlabel=f"week of {monday:%Y-%m-%d} (UTC)", ylabel=f"arrivals in {STEP_MIN} min",
        title=f"{list(found.setup['real']['series'])[series]}: {len(week.found)} alarms on {len(week.incidents)} "
        f"incidents, {len(week.false)} false, at p < {alpha:g}",
    )  # fmt: skip
    axes.title.set_position((0, 1.12))
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=5)
    return figure


def _operating(pyplot: Any, found: Evaluated) -> Any:
    """False alarms against recall, where there were arrivals on those too."""
    parts = [("simulated fleet", "sim", found.traces.simulated, found.traces.simulated)]
    if real := found.traces.real:
        parts.insert(0, ("real arrivals, incidents laid over them", "real", real[:1], real[1:]))
    figure, many = pyplot.subplots(1, len(parts), figsize=(5.6 * len(parts), 4.4), squeeze=False, sharey=True)
    for axes, (title, part, without, burning) in zip(many[0], parts, strict=True):
        _curve(axes, without, burning)
        for mark, (name, figures) in zip(MARKS, found.against.items(), strict=False):
            if f"{part}.recall" in figures:
                at = figures[f"{part}.false_alarms_per_day"], figures[f"{part}.recall"]
                axes.plot(*at, mark, color=OTHER, ms=7, mfc="white", mew=1.5, label=name.replace("_", " "))
        at = found.figures[f"{part}.false_alarms_per_day"], found.figures[f"{part}.recall"]
        axes.plot(*at, "o", color=OURS, ms=10, label=f"{MODEL}, in use (p < {found.setup['alpha']:g})")
        axes.set_xscale("symlog", linthresh=LEAST)
        axes.set(
            xlim=(-LEAST / 20, None), ylim=(0, 1.02), title=title,
            xlabel=f"false alarms per series and day (log above {LEAST:g})",
        )  # fmt: skip
        axes.grid(alpha=0.25)
    many[0][0].set_ylabel("share of incidents found")
    curve, *others, ours = zip(*many[0][0].get_legend_handles_labels(), strict=True)
    figure.legend(*zip(ours, curve, *others, strict=True), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3)
    figure.suptitle("Incidents found against false alarms: up and to the left is better", x=0.06, ha="left")
    return figure


def _curve(axes: Any, without: Sequence[Trace], burning: Sequence[Trace]) -> None:
    """The model's curve, with some of its thresholds written beside it."""
    curve = operating_curve(without, burning, ALPHAS)
    axes.plot(*zip(*curve, strict=True), "-", color=OURS, lw=1.6, label=f"{MODEL}, other thresholds of p")
    for power in MARKED:
        at = curve[POWERS.index(power)]
        axes.plot(*at, "o", color=OURS, ms=4)
        told = f"p < 1e-{power}"
        axes.annotate(told, at, (-6, 5), textcoords="offset points", ha="right", fontsize=8, color=OURS)


def _by_rate(pyplot: Any, found: Evaluated) -> Any:
    """Recall of the simulated fleets at the budget, by the rate at which projects fail otherwise."""
    fleet, mean = found.setup["simulated"], found.figures[SIMULATED]
    edges = [*np.geomspace(fleet["least_rate"] / 2, fleet["most_rate"] * 2, BANDS + 1)]
    bands = recall_by_rate(found.traces.simulated, edges)
    figure, axes = pyplot.subplots(figsize=(8.2, 4.4))
    middles = [np.sqrt(band.low * band.high) for band in bands]
    recalls = np.array([band.recall for band in bands])
    ends = np.array([[band.least, band.most] for band in bands]).T
    axes.errorbar(
        middles, recalls, yerr=np.abs(ends - recalls), fmt="o", color=OURS, capsize=3, ms=6,
        label="share found in a band of rates, 95 % interval",
    )  # fmt: skip
    for x, band in zip(middles, bands, strict=True):
        axes.annotate(f"n={band.incidents}", (x, 0.02), ha="center", fontsize=8, color=OTHER)
    axes.axhline(mean, color=OURS, ls="--", lw=1, label=f"mean over seeds: {mean:.3f}")
    axes.set(
        xscale="log", ylim=(0, 1.02), ylabel="share of incidents found",
        xlabel="usual failing runs per minute of the project (log)",
        title=f"Simulated incidents found at no more than {BUDGET:g} false alarms per project and day",
    )  # fmt: skip
    axes.grid(axis="y", alpha=0.25)
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
    return figure


def _benchmark(pyplot: Any, series: Sequence[nab.Series], opened: Sequence[Sequence[int]]) -> Any:
    """Of the series with a detection the one with the most labelled windows, then values; the title tells of all."""
    told = list(zip(series, map(detections, series, opened), strict=True))
    one, found = max(told, key=lambda pair: (bool(pair[1].judged), len(pair[0].windows), len(pair[0].values)))
    met, windows, outside = (
        sum(many) for many in zip(*((each.met, len(of.windows), len(each.outside)) for of, each in told), strict=True)
    )
    figure, axes = pyplot.subplots(figsize=(11, 4.2))
    for at, (first, last) in enumerate(one.windows):
        label = None if at else "labelled window"
        axes.axvspan(one.times[first], one.times[last], color=SHADE, alpha=0.35, lw=0, label=label)
    if one.probation:
        axes.axvspan(one.times[0], one.times[one.probation - 1], color=QUIET, alpha=0.25, lw=0, label="not judged")
    axes.plot(one.times, one.values, color=OTHER, lw=0.7, label="value")
    axes.plot(one.times[found.inside], one.values[found.inside], "v", color=OURS, ms=8, label="detection in a window")
    axes.plot(
        one.times[found.outside], one.values[found.outside], "x", color=WRONG, ms=8, mew=2, label="detection outside"
    )
    axes.set(
        xlim=(one.times[0], one.times[-1]), xlabel="time (UTC)", ylabel="value",
        title=f"{one.name}: {found.met} of {len(one.windows)} labelled windows met, {len(found.outside)} detections "
        f"outside\n(of all {len(series)} series: {met} of {windows} met, {outside} outside)",
    )  # fmt: skip
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=5)
    return figure
