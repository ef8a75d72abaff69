"""Project health by another way: every value that a project ever had, as sums over a table of what changes when.

Each (project, run, series) has one least minute at a time. Where it comes to lie at minute m it adds one to the
windows from its arrival (or from the minute's begin, for the velocity of minutes still to come) until the project's
current minute has moved on: 1 for the velocity, 1,440 and 10,080 for the rates. A running total over all these
changes gives the values after each step: a step is one minute's begin, or one execution's arrival.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.reference import MINUTE_MS, SERIES

DAY_MINUTES, WEEK_MINUTES = 1_440, 10_080
DAY_MS = DAY_MINUTES * MINUTE_MS
VELOCITY = [f"{when}.{name}" for when in ("last_minute", "current_minute") for name in SERIES]
VALUES = ["failure_rate_24h", "failure_rate_7d", *VELOCITY]
_SUMS = [f"{window}.{name}" for window in ("day", "week", "last_minute", "current_minute") for name in SERIES]
_STEP = ["project", "at_ms", "phase", "place"]
_BEGIN, _ARRIVAL = 0, 1  # of a minute and of an execution: at one instant time passes first


@dataclass(frozen=True)
class Health:
    """Values by project and as_of_ms: `told`, each that the job says, in order; `history`, each row of the past that
    must be there; `newest`, the last of each project, by project alone."""

    told: pd.DataFrame
    history: pd.DataFrame
    newest: pd.DataFrame


def health(executions: pd.DataFrame, clock_ms: int) -> Health:
    """All values of all projects until `clock_ms`, or until a project's last execution if that is later.

    `executions` as in reference.Read: those of one project stand in the order of their arrival.
    """
    moves = _moves(executions)
    ends = executions.groupby("project").arrived_ms.max().clip(lower=clock_ms)
    changes = pd.concat([_changes(moves, window) for window in _WINDOWS], ignore_index=True)
    if len(midnights := _midnights(executions, ends)):
        changes = pd.concat([changes, midnights], ignore_index=True)
    changes = changes[changes.at_ms <= changes.project.map(ends)]
    sums = changes.groupby(_STEP)[_SUMS].sum().groupby("project").cumsum().reset_index()
    values = sums[["project", "at_ms", "phase", *VELOCITY]].rename(columns={"at_ms": "as_of_ms"})
    for rate, window in (("failure_rate_24h", "day"), ("failure_rate_7d", "week")):
        runs = sums[f"{window}.runs"]
        share = (sums[f"{window}.failing_runs"] / runs.where(runs > 0)).clip(upper=1)
        values.insert(1, rate, share)
    is_midnight = (values.as_of_ms % DAY_MS == 0) & (values.phase == _BEGIN) & (sums["week.runs"] > 0)
    told = values[_differs(values) | is_midnight].drop(columns="phase")
    last = told.drop_duplicates(["project", "as_of_ms"], keep="last")
    history = last[_differs(last) | _other_day(last)]
    return Health(
        told.set_index(["project", "as_of_ms"])[VALUES],
        history.set_index(["project", "as_of_ms"])[VALUES],
        told.drop_duplicates("project", keep="last").set_index("project")[["as_of_ms", *VALUES]],
    )


def _moves(executions: pd.DataFrame) -> pd.DataFrame:
    """Where each series of each run comes to lie (sign 1) and where it lay before (sign -1)."""
    flags = {"runs": slice(None), "failing_runs": executions.failing, "error_runs": executions.erring}
    moves = []
    for name, chosen in flags.items():
        rows = executions.assign(place=np.arange(len(executions)), series=name).loc[chosen]
        rows = rows.assign(minute=rows.groupby(["project", "run"]).minute.cummin())
        before = rows.groupby(["project", "run"]).minute.shift()
        moved = before.isna() | (before != rows.minute)
        moves.append(rows[moved].assign(sign=1))
        left = moved & before.notna()
        moves.append(rows[left].assign(sign=-1, minute=before[left].astype("int64")))
    return pd.concat(moves, ignore_index=True)[["project", "arrived_ms", "place", "series", "minute", "sign"]]


_WINDOWS = {"day": (None, DAY_MINUTES), "week": (None, WEEK_MINUTES), "last_minute": (1, 2), "current_minute": (0, 1)}
"""Of the current minute after a run's own: from which (None: even before it) until which it is in."""


def _changes(moves: pd.DataFrame, window: str) -> pd.DataFrame:
    """What `moves` add to one window when they enter it and take away when they leave."""
    first, end = _WINDOWS[window]
    leaves_ms = (moves.minute + end) * MINUTE_MS
    inside = moves[moves.arrived_ms < leaves_ms]
    enters_ms = inside.arrived_ms if first is None else (inside.minute + first) * MINUTE_MS
    by_arrival = enters_ms <= inside.arrived_ms
    entering = pd.DataFrame(
        {
            "project": inside.project,
            "at_ms": np.maximum(enters_ms, inside.arrived_ms),
            "phase": np.where(by_arrival, _ARRIVAL, _BEGIN),
            "place": np.where(by_arrival, inside.place, 0),
        }
    )
    leaving = entering.assign(at_ms=leaves_ms[inside.index], phase=_BEGIN, place=0)
    both = pd.concat([entering, leaving], ignore_index=True)
    signs = np.concatenate([inside.sign, -inside.sign])
    columns = np.concatenate([inside.series, inside.series])
    filled = {f"{window}.{name}": np.where(columns == name, signs, 0) for name in SERIES}
    return both.assign(**dict.fromkeys(_SUMS, 0)).assign(**filled)


def _midnights(executions: pd.DataFrame, ends: pd.Series) -> pd.DataFrame:
    """A step that changes nothing at each midnight of each project's life."""
    firsts = executions.groupby("project").arrived_ms.min()
    rows = [
        (project, at_ms, _BEGIN, 0, *([0] * len(_SUMS)))
        for project, first_ms in firsts.items()
        for at_ms in range((first_ms // DAY_MS + 1) * DAY_MS, ends[project] + 1, DAY_MS)
    ]
    return pd.DataFrame(rows, columns=[*_STEP, *_SUMS]).astype(dict.fromkeys([*_STEP[1:], *_SUMS], "int64"))


def _differs(values: pd.DataFrame) -> pd.Series:
    """Whether a row's values are others than those of the row before it of the same project."""
    before = values.groupby("project")[VALUES].shift()
    same = (values[VALUES] == before) | (values[VALUES].isna() & before.isna())
    return ~same.all(axis=1) | (values.project != values.project.shift())


def _other_day(values: pd.DataFrame) -> pd.Series:
    day = values.as_of_ms // DAY_MS
    return day != day.groupby(values.project).shift()
