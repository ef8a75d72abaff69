"""Is a project burning, and since when?

An execution counts at its arrival; what it means is decided at the next instant of a grid of 5 s of the project's
clock (one that did not fail waits for the minute's end), so that it does not matter how a job cuts its stream. Runs
that failed and runs that met the infrastructure are two series, each with the model of models/velocity.py and at most
one incident at a time. An incident opens when its series fires, escalates when its severity rises or its p falls
below the next power of ten, and resolves once the series has been quiet for long enough. A run counts once, in the
minute in which it was first known to fail; what comes to be known later than LATE_MIN after it happened revises the
numbers, and raises nothing.

Ids follow from project, series and the instant at which the incident opened, so a log that is read again says the same.
What is remembered lies in named cells as in models/health.py: a head, and one cell for each series.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct

from contracts.insights import (
    Expectation,
    FailureExpectation,
    Insight,
    Series,
    SeriesExpectation,
    Severity,
    WindowScore,
)
from contracts.records import JobExecution
from models import velocity
from models.evidence import Failure, evidence, failure, kept, title
from models.health import MINUTE_MS, Cells
from models.velocity import SPAN, Fleet, Rule, Velocity, Window

VERSION = 1
GRID_MS = 5_000
LATE_MIN = 5  # what is known so late is news; what comes later is history
DECADES = (1e-5, 1e-6, 1e-7, 1e-8)
"""Below each of these p an incident is told again: feeds choose by them."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
DIGITS = 4
"""Of what is told: the last bits of an estimate are nobody's business."""

HEAD = "incidents"

Told = FailureExpectation | Insight


class Watch(NamedTuple):
    """How a project is watched: by the hours of its time zone, with what is believed of any project, by a rule."""

    zone: str = "UTC"
    fleet: Fleet = Fleet()
    rule: Rule = velocity.RULE


class Arrival(NamedTuple):
    """One execution as it arrives (epoch ms): the minute (since the epoch) in which its run is now known to fail or to
    have met the infrastructure, null where that was known before or is not so."""

    project: str
    run: str
    arrived_ms: int
    failing: int | None = None
    error: int | None = None
    execution: JobExecution | None = None


class _Head(Struct):
    """`now_ms` is the clock's, `due_ms` the instant at which to decide, `resolves_ms` when to look at an incident."""

    began: int
    now_ms: int
    due_ms: int | None = None
    resolves_ms: dict[Series, int] = {}
    version: int = VERSION


class _Open(Struct):
    """An incident: the worst of it so far, its failing runs, and how many messages told of it."""

    subject: str
    opened_ms: int
    severity: Severity
    p: float
    runs: int
    told: int = 1


class _Watched(Struct):
    """One series."""

    velocity: Velocity
    failures: list[Failure] = []
    incident: _Open | None = None
    version: int = VERSION


_HEAD = msgspec.json.Decoder(_Head)
_WATCHED = msgspec.json.Decoder(_Watched)


def learn(cells: Cells, arrival: Arrival, watch: Watch) -> Iterator[Told]:
    """Fold one execution in: first time passes up to its arrival, then it counts, and a decision is due."""
    yield from pass_time(cells, arrival.project, arrival.arrived_ms, watch)
    head = _head(cells, arrival.arrived_ms)
    head.now_ms = max(head.now_ms, arrival.arrived_ms)
    # what succeeds can open nothing: it refreshes what is expected, and a minute is soon enough for that
    grid_ms = MINUTE_MS if arrival.failing is None and arrival.error is None else GRID_MS
    due_ms = (head.now_ms // grid_ms + 1) * grid_ms
    head.due_ms = due_ms if head.due_ms is None else min(head.due_ms, due_ms)
    _write(cells, HEAD, head)
    known: dict[Series, int | None] = {"failing": arrival.failing, "error": arrival.error}
    for series, minute in known.items():
        if minute is not None:
            _count(cells, head, series, minute, arrival, watch)


def pass_time(cells: Cells, project: str, to_ms: int, watch: Watch) -> Iterator[Told]:
    """Come to all decisions that are due up to `to_ms`, in their order."""
    if HEAD not in cells:
        return
    head = _head(cells, to_ms)
    while (at_ms := _next_ms(head)) is not None and at_ms <= to_ms:
        head.now_ms = max(head.now_ms, at_ms)
        over: list[Told] = []
        for series, resolves_ms in sorted(head.resolves_ms.items()):
            if resolves_ms <= at_ms:
                over += _resolve(cells, head, series, project, at_ms, watch)
        yield from over
        is_due = head.due_ms is not None and head.due_ms <= at_ms
        if over or is_due:
            head.due_ms = None if is_due else head.due_ms
            yield from _decide(cells, head, project, at_ms, watch)
        _write(cells, HEAD, head)


def next_instant_ms(cells: Cells) -> int | None:
    """When time alone matters next (epoch ms), or never."""
    return _next_ms(_head(cells, 0)) if HEAD in cells else None


def _next_ms(head: _Head) -> int | None:
    instants = [*head.resolves_ms.values(), *([head.due_ms] if head.due_ms is not None else [])]
    return min(instants, default=None)


def _count(cells: Cells, head: _Head, series: Series, minute: int, arrival: Arrival, watch: Watch) -> None:
    watched = _watched(cells, head, series, watch)
    now = head.now_ms // MINUTE_MS
    is_news = minute >= now - LATE_MIN
    watched.velocity = velocity.count(
        watched.velocity, now if is_news else minute, 1, watch.zone, watch.fleet, watch.rule, is_news=is_news
    )
    if is_news:
        since = now - SPAN + 1 if watched.incident is None else 0
        watched.failures = kept([*watched.failures, failure(now, arrival.run, arrival.execution)], since)
        if watched.incident is not None:
            watched.incident.runs += 1
    _write(cells, series_cell(series), watched)


def _decide(cells: Cells, head: _Head, project: str, at_ms: int, watch: Watch) -> Iterator[Told]:
    minute = (at_ms - 1) // MINUTE_MS  # the instant ends the 5 s before it
    stands: dict[Series, SeriesExpectation] = {}
    for series in get_args(Series):
        watched = _watched(cells, head, series, watch)
        advanced = velocity.advance(watched.velocity, minute, watch.zone, watch.fleet, watch.rule)
        if advanced.opened is None:
            yield from _over(watched, head, series, project, at_ms)
        watched.velocity = velocity.decide(advanced, watch.rule)
        windows, judged = velocity.score(watched.velocity), velocity.news(watched.velocity)
        severity = velocity.severity(judged, watch.rule) if watched.velocity.fired == watched.velocity.minute else None
        if severity is not None:
            yield from _told(watched, series, project, at_ms, judged, severity, watch.rule)
            head.resolves_ms[series] = _resolves_ms(watched.velocity, watch.rule)
        _write(cells, series_cell(series), watched)
        incident = watched.incident.subject if watched.incident is not None else None
        stands[series] = SeriesExpectation([_shown(window) for window in windows], severity, incident)
    yield FailureExpectation(
        project=project,
        failure_expectation=Expectation(**stands),
        as_of_ms=at_ms,
        model_version=VERSION,
    )


def _told(
    watched: _Watched,
    series: Series,
    project: str,
    at_ms: int,
    windows: tuple[Window, ...],
    severity: Severity,
    rule: Rule,
) -> Iterator[Insight]:
    """The insight, if this is an incident that was not open, or one that is worse than was told."""
    worst = min((window for window in windows if velocity.window_fires(window, rule)), key=lambda window: window.p)
    incident = watched.incident
    if incident is None:
        subject = _subject(project, series, at_ms)
        watched.incident = _Open(subject, at_ms, severity, worst.p, windows[-1].observed)
        yield _insight(watched, watched.incident, series, project, at_ms, "opened", worst)
    elif SEVERITIES.index(severity) > SEVERITIES.index(incident.severity) or _decade(worst.p) > _decade(incident.p):
        incident.severity = max(severity, incident.severity, key=SEVERITIES.index)
        incident.p = min(worst.p, incident.p)
        incident.told += 1
        yield _insight(watched, incident, series, project, at_ms, "escalated", worst)


def _resolve(cells: Cells, head: _Head, series: Series, project: str, at_ms: int, watch: Watch) -> Iterator[Insight]:
    """The insight that the incident is over, unless it goes on."""
    watched = _watched(cells, head, series, watch)
    watched.velocity = velocity.advance(watched.velocity, at_ms // MINUTE_MS, watch.zone, watch.fleet, watch.rule)
    if watched.velocity.opened is None:
        yield from _over(watched, head, series, project, at_ms)
    else:
        head.resolves_ms[series] = _resolves_ms(watched.velocity, watch.rule)
    _write(cells, series_cell(series), watched)


def _over(watched: _Watched, head: _Head, series: Series, project: str, at_ms: int) -> Iterator[Insight]:
    """The insight that what was open is over, and no more of it."""
    head.resolves_ms.pop(series, None)
    if watched.incident is not None:
        watched.incident.told += 1
        yield _insight(watched, watched.incident, series, project, at_ms, "resolved", None)
        watched.incident = None
        watched.failures = kept(watched.failures, at_ms // MINUTE_MS - SPAN + 1)


def _resolves_ms(known: Velocity, rule: Rule) -> int:
    """When to look: a series that is busy may become quieter, and its incident then ends sooner."""
    closes = min(velocity.closes_at(known, rule), known.minute + rule.quiet_min)
    return (max(closes, known.minute) + 1) * MINUTE_MS


def _insight(
    watched: _Watched,
    incident: _Open,
    series: Series,
    project: str,
    at_ms: int,
    state: Literal["opened", "escalated", "resolved"],
    worst: Window | None,
) -> Insight:
    found = evidence(watched.failures)
    window = _shown(worst) if worst is not None else None
    return Insight(
        insight=f"{incident.subject}-{incident.told}",
        project=project,
        kind="incident",
        subject=incident.subject,
        state=state,
        at_ms=at_ms,
        opened_ms=incident.opened_ms,
        series=series,
        severity=incident.severity,
        p=_short(incident.p),
        runs=incident.runs,
        title=title(series, window, incident.runs, (at_ms - incident.opened_ms) // MINUTE_MS, found),
        window=window,
        evidence=found,
        model_version=VERSION,
    )


def _subject(project: str, series: Series, at_ms: int) -> str:
    return f"incident-{blake2b(f'{project} {series} {at_ms}'.encode(), digest_size=8).hexdigest()}"


def _decade(p: float) -> int:
    return sum(p < below for below in DECADES)


def _shown(window: Window) -> WindowScore:
    return WindowScore(window.minutes, window.observed, _short(window.expected), _short(window.ratio), _short(window.p))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def series_cell(series: Series) -> str:
    """The name of the cell of a series."""
    return f"{HEAD}/{series}"


def _head(cells: Cells, now_ms: int) -> _Head:
    text = cells.get(HEAD)
    return _HEAD.decode(text) if text is not None else _Head(now_ms // MINUTE_MS, now_ms)


def _watched(cells: Cells, head: _Head, series: Series, watch: Watch) -> _Watched:
    text = cells.get(series_cell(series))
    return _WATCHED.decode(text) if text is not None else _Watched(velocity.begin(head.began, watch.zone, watch.fleet))


def _write(cells: Cells, name: str, what: _Head | _Watched) -> None:
    cells[name] = msgspec.json.encode(what).decode()
