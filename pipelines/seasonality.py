"""The trend, the week and the day of a project's failures, and its next 24 hours: Prophet, fitted on counts by hour.

For people who look at a page. Alarms come from models/velocity.py, which reads nothing of this: on recorded arrivals
Prophet's band raised more false alarms, and a count that it expects may be negative.

Source: Taylor and Letham 2018, Forecasting at Scale.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from contracts.seasonality import FitErrors, ForecastHour, Seasonality, TrendDay

if TYPE_CHECKING:
    from prophet import Prophet

VERSION = 1

HOUR_MS, DAY_HOURS, WEEK_HOURS = 3_600_000, 24, 168
HISTORY_DAYS = 56
"""Eight weeks: the half-life of an hour of the week in the alarm is four, and older habits are of other people."""
LEAST_DAYS = 14
"""Each hour of the week seen twice: from one time nobody can tell the hour from chance."""
LEAST_RUNS = 200
"""Some four a day over eight weeks; with fewer nearly every hour is empty and the shape is that of single runs."""
BAND = 0.8
SAMPLES = 300  # of the trend's and the noise's futures: the ends of the band then move by some hundredths of a run
SEED = 1
FIT_S = 20.0  # of one fit; a usual one takes less than half a second, and there are two a project

Minutes = Mapping[int, tuple[int, int]]
"""Runs and failing runs by the start of the minute, epoch ms."""


@dataclass(frozen=True)
class Hourly:
    """Failing runs of every whole hour of the history, empty ones included; `starts_ms` are epoch ms."""

    starts_ms: NDArray[np.int64]
    failing: NDArray[np.int64]


def history_from(now_ms: int) -> int:
    """Minutes before this (epoch ms) are not looked at."""
    return now_ms - HISTORY_DAYS * DAY_HOURS * HOUR_MS


def hourly(minutes: Minutes, zone: str, now_ms: int) -> Hourly | str:
    """Hours of a project as its people live them, up to the last that has ended; or why there are too few.

    >>> hourly({}, "UTC", 0)
    'no runs in the last 56 days'
    """
    known = {at: counts for at, counts in minutes.items() if history_from(now_ms) <= at < now_ms and counts[0]}
    if not known:
        return f"no runs in the last {HISTORY_DAYS} days"
    offset = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone)).utcoffset()
    ahead_ms = round(offset.total_seconds() * 1000) % HOUR_MS if offset else 0  # of zones that are half an hour apart
    first, last = (-(-(min(known) + ahead_ms) // HOUR_MS), (now_ms + ahead_ms) // HOUR_MS)
    if last - first < LEAST_DAYS * DAY_HOURS:
        return f"{(last - first) / DAY_HOURS:.1f} days of history, {LEAST_DAYS} are needed"
    runs, failing = sum(runs for runs, _ in known.values()), np.zeros(last - first, np.int64)
    if runs < LEAST_RUNS:
        return f"{runs} runs in the last {HISTORY_DAYS} days, {LEAST_RUNS} are needed"
    for at, (_, failed) in known.items():
        if 0 <= (hour := (at + ahead_ms) // HOUR_MS - first) < len(failing):
            failing[hour] += failed
    if not failing.any():
        return f"no run failed in the last {HISTORY_DAYS} days"
    return Hourly(np.arange(first, last) * HOUR_MS - ahead_ms, failing)


def fit(project: str, zone: str, hours: Hourly, now_ms: int, *, limit_s: float = FIT_S) -> Seasonality | str:
    """The seasons of a project as of `now_ms`; or why Prophet found none. The same hours give the same answer.

    Fitted twice, each within `limit_s`: without the last day, on which it is then judged, and with it.
    """
    try:
        judged = _expected(
            _fitted(hours, zone, limit_s, before=DAY_HOURS, samples=0), hours.starts_ms[-DAY_HOURS:], zone
        )
        model = _fitted(hours, zone, limit_s, before=0, samples=SAMPLES)
        week = _predicted(model, hours.starts_ms[-1] + HOUR_MS * np.arange(1, WEEK_HOURS + 1), zone)
    except (
        RuntimeError,
        TimeoutError,
        ValueError,
    ) as failed:  # what cmdstan and Prophet raise when they do not converge
        return f"no fit: {type(failed).__name__}: {str(failed)[:120]}"
    band = week[["yhat", "yhat_lower", "yhat_upper"]].to_numpy()[:DAY_HOURS]
    shapes = week[["weekly", "daily"]].to_numpy()
    if not (np.isfinite(band).all() and np.isfinite(shapes).all() and np.isfinite(judged).all()):
        return "no fit: it is not finite"
    last, before = hours.failing[-DAY_HOURS:], hours.failing[-DAY_HOURS - WEEK_HOURS : -WEEK_HOURS]
    starts = hours.starts_ms[-1] + HOUR_MS * np.arange(1, DAY_HOURS + 1)
    return Seasonality(
        project=project,
        as_of_ms=now_ms,
        zone=zone,
        trend=_by_day(model),
        weekly=_mean_by(week["ds"].dt.weekday.to_numpy(), shapes[:, 0], 7),
        daily=_mean_by(week["ds"].dt.hour.to_numpy(), shapes[:, 1], DAY_HOURS),
        forecast=[
            ForecastHour(int(at), *(_rounded(max(0.0, value)) for value in values))
            for at, values in zip(starts, band, strict=True)
        ],
        errors=FitErrors(
            fit=_rounded(np.abs(last - judged).mean()),
            week_before=_rounded(np.abs(last - before).mean()),
            hours=DAY_HOURS,
            clipped_hours=int((band[:, 0] < 0).sum()),
        ),
        model_version=VERSION,
    )


@cache
def _prophet() -> "type[Prophet]":
    """Imported when it is first needed, which takes seconds; what it and cmdstan log is dropped."""
    for name in ("prophet", "prophet.plot", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    from prophet import Prophet

    return Prophet


def _fitted(hours: Hourly, zone: str, limit_s: float, *, before: int, samples: int) -> "Prophet":
    """A fit on all but the last `before` hours."""
    import pandas as pd

    end = len(hours.failing) - before
    model = _prophet()(
        yearly_seasonality=False, weekly_seasonality=True, daily_seasonality=True, interval_width=BAND,
        uncertainty_samples=samples,
    )  # fmt: skip
    counts = pd.DataFrame({"ds": _local(hours.starts_ms[:end], zone), "y": hours.failing[:end]})
    with TemporaryDirectory() as scratch:  # cmdstan's own would keep every fit's files until we end
        model.fit(counts, seed=SEED, timeout=limit_s, output_dir=scratch)
    return model


def _predicted(model: "Prophet", starts_ms: NDArray[np.int64], zone: str) -> Any:
    """Prophet's table for these hours."""
    import pandas as pd

    np.random.seed(SEED)  # Prophet draws its band from numpy's global generator
    return model.predict(pd.DataFrame({"ds": _local(starts_ms, zone)}))


def _expected(model: "Prophet", starts_ms: NDArray[np.int64], zone: str) -> NDArray[np.float64]:
    expected: NDArray[np.float64] = np.maximum(_predicted(model, starts_ms, zone)["yhat"].to_numpy(), 0)
    return expected


def _local(starts_ms: NDArray[np.int64], zone: str) -> list[datetime]:
    """What clocks in the zone show, which Prophet wants without a zone."""
    there = ZoneInfo(zone)
    return [datetime.fromtimestamp(int(at) / 1000, UTC).astimezone(there).replace(tzinfo=None) for at in starts_ms]


def _by_day(model: "Prophet") -> list[TrendDay]:
    """The trend's mean of each local day."""
    known: Any = model.history
    days = known["ds"].dt.strftime("%Y-%m-%d").to_numpy()
    trend = model.predict_trend(known)
    return [TrendDay(str(day), _rounded(trend[days == day].mean())) for day in np.unique(days)]


def _mean_by(cells: NDArray[np.int64], values: NDArray[np.float64], many: int) -> list[float]:
    return [_rounded(values[cells == cell].mean()) for cell in range(many)]


def _rounded(value: float) -> float:
    return round(float(value), 4)
