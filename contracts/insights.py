"""The records of what Argus has noticed, and of what people say to it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from contracts.records import LONGEST_MESSAGE, Count, EventTime, Identifier, Project, Share, decoded

Series = Literal["failing", "error"]
"""Runs that failed by what they test, and runs that met the infrastructure."""
Severity = Literal["medium", "high", "critical"]
Says = Literal["acknowledged", "muted", "unmuted", "useful", "not_useful"]
LONGEST_SHOWN = 200
"""Characters of a name within evidence, of which the job keeps as many bytes."""

Amount = Annotated[float, Meta(ge=0)]
Shown = Annotated[str, Meta(max_length=LONGEST_SHOWN)]


class WindowScore(Struct, frozen=True):
    """The last `minutes`: runs observed and expected, their ratio, and the chance of as many or more."""

    minutes: Count
    observed: Count
    expected: Amount
    ratio: Amount
    p: Share


class SeriesExpectation(Struct, frozen=True):
    """How one series stands: severity is that of the windows that fire now, `incident` the one that is open."""

    windows: list[WindowScore]
    severity: Severity | None = None
    incident: Identifier | None = None


@decoded
class Expectation(Struct, frozen=True):
    """Both series of a project."""

    failing: SeriesExpectation
    error: SeriesExpectation


@decoded
class FailureExpectation(Struct, frozen=True, kw_only=True):
    """What failed of late in a project beside what this hour explains, as known at `as_of_ms`."""

    project: Project
    failure_expectation: Expectation
    as_of_ms: EventTime
    model_version: Annotated[int, Meta(ge=1)]


class Part(Struct, frozen=True):
    """So many of the runs, and their share, have this `value`."""

    value: Shown
    runs: Count
    share: Share


class Evidence(Struct, frozen=True, kw_only=True):
    """What the failing runs have in common: the most frequent values first, of the `runs` that were looked at.

    `first_commit` and `last_commit` are those of the first and the last of them; `examples` names runs.
    """

    runs: Count
    jobs: list[Part] = []
    branches: list[Part] = []
    environments: list[Part] = []
    commits: Count = 0
    first_commit: Shown | None = None
    last_commit: Shown | None = None
    examples: list[Shown] = []


@decoded
class Insight(Struct, frozen=True, kw_only=True):
    """One thing that was noticed of `subject`, or what became of it, with evidence; `at_ms` is the project's clock.

    `insight` names this very message and `subject` what it is about; both follow from the log, so that whoever sees a
    name again has seen the message. `window` is the worst that fires, null once resolved; `p` and `severity` are the
    worst so far, `runs` the failing ones since it opened.
    """

    insight: Identifier
    project: Project
    kind: Literal["incident"]
    subject: Identifier
    state: Literal["opened", "escalated", "resolved"]
    at_ms: EventTime
    opened_ms: EventTime
    series: Series
    severity: Severity
    p: Share
    runs: Count
    title: Annotated[str, Meta(max_length=LONGEST_MESSAGE)]
    window: WindowScore | None = None
    evidence: Evidence
    model_version: Annotated[int, Meta(ge=1)]


@decoded
class FeedbackLabel(Struct, frozen=True, kw_only=True):
    """A human's word about an incident, or about all of a project where that is the `subject`; the newest holds.

    `until_ms` ends a mute; none ends it by `unmuted` alone. `actor` is whose token it was.
    """

    label: Identifier
    project: Project
    subject: Identifier
    says: Says
    at_ms: EventTime
    actor: Identifier
    until_ms: EventTime | None = None
    note: Annotated[str, Meta(max_length=LONGEST_MESSAGE)] | None = None
