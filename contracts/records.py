"""The records on topics, one frozen struct each.

Values are JSON. Unknown fields are ignored and absent optional fields are null, so that a newer writer and
an older reader understand one another (contracts/compatibility.py holds every change to that).
Times are epoch milliseconds, UTC.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from contracts.errors import BadRecord

R = TypeVar("R", bound=Struct)

_DECODERS: "dict[type[Struct], msgspec.json.Decoder[Any]]" = {}


def decoded(kind: type[R]) -> type[R]:
    """Class decorator: `decode` and `checked` give this.

    msgspec learns a type when it is first used, and where two threads are the first the process crashes (0.22.0); what
    is learnt here is learnt while a module is imported, which one thread does.
    """
    _DECODERS[kind] = msgspec.json.Decoder(kind)
    return kind


EARLIEST_MS = 1_577_836_800_000
"""2020-01-01: an event time before it is a unit mistake (seconds) or a clock that was never set."""
FUTURE_MS = 5 * 60_000
"""An event time further than this after its arrival is a wrong clock."""
LATE_MS = 24 * 3_600_000
"""An event time further than this before its arrival is too late to be counted."""

LONGEST_ID, LONGEST_SUITE, LONGEST_NAME = 500, 500, 2_000
"""Characters of what is called something: an identifier, a suite or a class, a test."""
LONGEST_MESSAGE, LONGEST_DETAILS = 4_096, 16_384
"""Characters of a text in a record; what a job says may be as long as details."""
LONGEST_PATH, MOST_FILES = 1_024, 3_000
"""Characters of a changed file's path, and files of a change."""
PART_TESTS = 500
"""Tests in one part of a report."""

NO_MORE = r"$(?!\n)"
"""The end of a pattern: `$` alone also matches before a last newline in Python, though not in other languages."""

PROJECT_PATTERN = r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+" + NO_MORE

Project = Annotated[str, Meta(pattern=PROJECT_PATTERN, max_length=255, description="<tenant>/<name>")]
Identifier = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+" + NO_MORE)]
EventTime = Annotated[int, Meta(ge=EARLIEST_MS, description="epoch milliseconds, UTC")]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


Outcome = Literal["success", "failure", "error", "cancelled", "timeout", "skipped"]
TestOutcome = Literal["pass", "fail", "error", "skip"]
Trigger = Literal["human", "bot"]
ChangeState = Literal["open", "merged", "closed"]
FileStatus = Literal["added", "modified", "removed", "renamed"]
DeployState = Literal["requested", "started", "succeeded", "failed", "rolled_back"]
Author = Annotated[
    str,
    Meta(pattern=r"^[0-9a-f]{32}" + NO_MORE, description="keyed hash: tells authors of one tenant apart, names nobody"),
]
Url = Annotated[str, Meta(max_length=2_048)]


@decoded
class JobExecution(Struct, frozen=True, kw_only=True):
    """One attempt of one CI job; its identity is (project, run, job, attempt)."""

    project: Project
    run: Identifier
    job: Identifier
    outcome: Outcome
    finished_ms: EventTime
    attempt: Annotated[int, Meta(ge=1, le=10_000)] = 1
    started_ms: EventTime | None = None
    workflow: Identifier | None = None
    commit: Identifier | None = None
    branch: Identifier | None = None
    environment: Identifier | None = None
    trigger: Trigger | None = None
    message: Annotated[str, Meta(max_length=LONGEST_DETAILS)] | None = None
    url: Url | None = None


@decoded
class TestExecution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of one test within a report; `repetition` is its order among the same test there."""

    test: Identifier
    outcome: TestOutcome
    finished_ms: EventTime
    suite: Annotated[str, Meta(max_length=LONGEST_SUITE)] | None = None
    classname: Annotated[str, Meta(max_length=LONGEST_SUITE)] | None = None
    name: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    params: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    repetition: Count = 0
    duration_ms: Count | None = None
    message: Annotated[str, Meta(max_length=LONGEST_MESSAGE)] | None = None
    details: Annotated[str, Meta(max_length=LONGEST_DETAILS)] | None = None


@decoded
class TestReportPart(Struct, frozen=True, kw_only=True):
    """Part `k` (from 1) of the `n` parts of one report; the report is complete when all `n` have come."""

    project: Project
    run: Identifier
    job: Identifier
    report: Identifier
    k: Annotated[int, Meta(ge=1)]
    n: Annotated[int, Meta(ge=1)]
    tests: Annotated[list[TestExecution], Meta(max_length=PART_TESTS)]
    attempt: Annotated[int, Meta(ge=1, le=10_000)] = 1
    environment: Identifier | None = None
    commit: Identifier | None = None
    branch: Identifier | None = None


class ChangedFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a change; `added` and `removed` are lines."""

    path: Annotated[str, Meta(min_length=1, max_length=LONGEST_PATH)]
    status: FileStatus | None = None
    added: Count | None = None
    removed: Count | None = None


@decoded
class Change(Struct, frozen=True, kw_only=True):
    """One commit, or a pull request as it stands at its head commit; its identity is (project, commit, change).

    `files` is null where the sender lists none, and has the first where they are too many for one record;
    `files_changed` counts all.
    """

    project: Project
    commit: Identifier
    committed_ms: Annotated[int, Meta(ge=0, description="epoch milliseconds, UTC")]
    branch: Identifier | None = None
    change: Annotated[Identifier, Meta(description="number of the pull or merge request")] | None = None
    state: ChangeState | None = None
    base: Annotated[Identifier, Meta(description="commit or branch it is made against")] | None = None
    author: Author | None = None
    trigger: Trigger | None = None
    is_fix: bool = False
    files: Annotated[list[ChangedFile], Meta(max_length=MOST_FILES)] | None = None
    files_changed: Count | None = None
    lines_added: Count | None = None
    lines_removed: Count | None = None
    url: Url | None = None


@decoded
class DeployStep(Struct, frozen=True, kw_only=True):
    """One step of a deploy; its identity is (project, deploy, state)."""

    project: Project
    deploy: Identifier
    environment: Identifier
    state: DeployState
    at_ms: EventTime
    head: Annotated[Identifier, Meta(description="commit that is deployed")] | None = None
    base: Annotated[Identifier, Meta(description="commit that ran before")] | None = None
    branch: Identifier | None = None
    service: Identifier | None = None
    artifact: Annotated[Identifier, Meta(description="what is deployed, such as a purl")] | None = None
    url: Url | None = None


@decoded
class ProductionError(Struct, frozen=True, kw_only=True):
    """A group of errors seen in production, as its source has it at `at_ms`; its identity is (project, error, at_ms).

    `count` and `users_affected` are totals since the group was first seen; null where they are not told.
    """

    project: Project
    error: Annotated[Identifier, Meta(description="id of the group at its source")]
    service: Identifier
    message: Annotated[str, Meta(max_length=LONGEST_MESSAGE)]
    at_ms: EventTime
    count: Count | None = None
    users_affected: Count | None = None
    environment: Identifier | None = None
    release: Identifier | None = None
    artifact: Annotated[Identifier, Meta(description="what was deployed, such as a purl")] | None = None
    details: Annotated[str, Meta(max_length=LONGEST_DETAILS)] | None = None
    url: Url | None = None


Event = JobExecution | TestReportPart | Change | DeployStep | ProductionError
"""What comes in from outside."""


@decoded
class FailureVelocity(Struct, frozen=True, kw_only=True):
    """What one project did in the minute that starts at `minute_ms`; three zeros where its runs have moved away."""

    project: Project
    minute_ms: EventTime
    runs: Count
    failing_runs: Count
    error_runs: Count

    def counts(self) -> tuple[int, int, int] | None:
        """Runs, failing and error runs; None for three zeros, which are as good as no row.

        >>> FailureVelocity(project="acme/app", minute_ms=0, runs=0, failing_runs=0, error_runs=0).counts()
        """
        counts = (self.runs, self.failing_runs, self.error_runs)
        return counts if any(counts) else None


class MinuteCounts(Struct, frozen=True):
    """Runs, failing runs and error runs of one minute."""

    runs: Count = 0
    failing_runs: Count = 0
    error_runs: Count = 0


@decoded
class CurrentVelocity(Struct, frozen=True):
    """The last full minute and the one that is running, zeros included."""

    last_minute: MinuteCounts
    current_minute: MinuteCounts


@decoded
class ProjectHealth(Struct, frozen=True, kw_only=True):
    """How a project does, as known at `as_of_ms`; a rate is null where no run lies in its window."""

    project: Project
    failure_rate_24h: Share | None
    failure_rate_7d: Share | None
    failure_velocity: CurrentVelocity
    as_of_ms: EventTime
    model_version: Annotated[int, Meta(ge=1)]


@decoded
class DeadLetter(Struct, frozen=True, kw_only=True):
    """What `reader` could not use, whole: `key`, `value` and header values are the original bytes (base64 in JSON)."""

    reader: Identifier
    reason: str
    topic: str
    partition: Count
    offset: Count
    key: bytes | None = None
    headers: dict[str, bytes | None] | None = None
    value: bytes | None = None

    @property
    def origin(self) -> str:
        """Where the original lies: `topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def encode(record: Struct) -> bytes:
    """The JSON bytes of a record; the same record gives the same bytes."""
    return msgspec.json.encode(record)


def decode(kind: type[R], value: bytes) -> R:
    """The record in `value`.

    Raises BadRecord, naming the field, when it does not match the contract.
    """
    try:
        record: R = _DECODERS[kind].decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as bad:  # what nests too deep is no record either
        raise BadRecord(kind.__name__, value[:200], str(bad)) from bad
    return record


def checked(kind: type[R], fields: Mapping[str, object]) -> R:
    """A record built from plain fields, every constraint of its contract checked.

    Raises BadRecord, naming the field and the value.
    """
    try:
        record: R = msgspec.convert(fields, type=_DECODERS[kind].type)
    except msgspec.ValidationError as bad:
        message = str(bad)
        field = (
            message.partition("`$.")[2].partition("`")[0].partition("[")[0]
            or message.partition("`")[2].partition("`")[0]
        )
        raise BadRecord(field or kind.__name__, fields.get(field, fields), message) from bad
    return record
