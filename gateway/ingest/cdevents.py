"""CDEvents: what a delivery of CI and CD tools tells of jobs, tests, deploys, incidents and changes.

A field that CDEvents have no place for is told in `customData.argus`, or as a parameter of the request. What is told
there goes before what the event says, and that before the parameter; a project is last looked for in the event's
sources. Versions 0.1 to 0.6-draft differ in words and optional fields alone, so the version of a type is not looked at.

Source: github.com/cdevents/spec, its documents and conformance/*.json.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, NamedTuple

from fastapi import Query

from contracts.errors import BadRecord
from contracts.records import (
    LONGEST_DETAILS,
    LONGEST_MESSAGE,
    Change,
    ChangeState,
    DeployState,
    DeployStep,
    Event,
    JobExecution,
    ProductionError,
    TestExecution,
    TestReportPart,
    checked,
)
from gateway.ingest import cloudevents
from gateway.ingest.claims import Claim, Fields, repository, rows, text, within
from gateway.ingest.cloudevents import FILE, CloudEvent
from gateway.ingest.csv import epoch_ms
from gateway.ingest.junit import LONGEST_DURATION_MS, short
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

_TYPE = re.compile(r"dev\.cdevents\.([a-z]+\.[a-z]+)(\.[0-9][0-9a-z.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

JOB_OUTCOMES = {"success": "success", "failure": "failure", "error": "error", "cancel": "cancelled"}
TEST_OUTCOMES = {
    "success": "pass", "pass": "pass", "failure": "fail", "fail": "fail", "error": "error",
    "skip": "skip", "cancel": "skip",
}  # fmt: skip
"""`pass`, `fail` and `skip` are those of the first versions. What was cancelled has shown nothing of the test."""


@dataclass(frozen=True)
class Defaults:
    """What the parameters of a request say of all its events, for those that do not say it."""

    project: Annotated[str | None, Query(description="<tenant>/<name>")] = None
    run: Annotated[str | None, Query(description="id of the pipeline execution")] = None
    job: Annotated[str | None, Query(description="the CI job that ran the tests")] = None
    attempt: Annotated[int | None, Query(description="attempt of that job")] = None
    environment: Annotated[str | None, Query(description="where it ran, or what was deployed to")] = None
    service: Annotated[str | None, Query(description="whose incidents these are")] = None
    commit: Annotated[str | None, Query(description="commit under test, or deployed")] = None
    branch: Annotated[str | None, Query(description="its branch")] = None
    pipelines: Annotated[
        Literal["jobs"] | None,
        Query(description="`jobs`: the sender tells of no task runs, so a pipeline run is a job"),
    ] = None


class _Told(NamedTuple):
    """One event: the whole, its subject's id and content, when it happened (epoch ms), and what is told besides."""

    event: CloudEvent
    subject: str
    content: Fields
    at_ms: int
    custom: Fields
    defaults: Defaults

    def named(self, *path: str) -> str | None:
        """The text at the end of a path in the content; None where there is none. Raises BadRecord."""
        return _text(".".join(path), within(self.content, *path))

    def of(self, field: str, own: str | None = None) -> str | None:
        """A field by who goes first: customData, the event itself, the request. Raises BadRecord."""
        custom = _text(f"customData.argus.{field}", text(self.custom.get(field)))
        return custom or own or getattr(self.defaults, field, None)

    def around(self) -> dict[str, object]:
        """The fields that jobs and reports have in common."""
        return {
            "project": _project(self),
            "attempt": self.custom.get("attempt", self.defaults.attempt),
            "environment": self.of("environment", self.named("environment", "id")),
            "commit": self.of("commit"),
            "branch": self.of("branch"),
        }

    def duration_ms(self) -> int | None:
        """How long it took. Raises BadRecord."""
        found = self.custom.get("duration_ms")
        if found is None or (type(found) is int and 0 <= found <= LONGEST_DURATION_MS):
            return found
        raise BadRecord("customData.argus.duration_ms", found, "is no duration in ms")


_Make = Callable[[_Told], dict[str, object] | None]


def read(body: bytes, headers: Mapping[str, str], defaults: Defaults) -> Iterator[Row | Refusal]:
    """The rows of one delivery; names of `headers` are in lower case."""
    for event in cloudevents.read(body, headers):
        if isinstance(event, Refusal):
            yield event
        else:
            yield from rows(_claims(event, defaults), FILE)


def _claims(event: CloudEvent, defaults: Defaults) -> Iterator[Claim]:
    found = _TYPE.fullmatch(event.type)
    if found and found[1] in _KEPT:
        kind, make = _KEPT[found[1]]
        yield Claim(event.place, kind, lambda: make(_told(event, defaults)))


def _told(event: CloudEvent, defaults: Defaults) -> _Told:
    context, subject = (_object(one, within(event.data, one)) for one in ("context", "subject"))
    if context.get("type") != event.type:
        raise BadRecord("context.type", context.get("type"), "is not the type of the CloudEvent")
    name = _text("subject.id", subject.get("id"))
    if not name:
        raise BadRecord("subject.id", name, "has to be some text: it is required of every CDEvent")
    timestamp = context.get("timestamp", event.time)
    if not isinstance(timestamp, str):
        raise BadRecord("context.timestamp", timestamp, "is no time")
    custom = within(event.data, "customData", "argus")
    return _Told(
        event=event,
        subject=name,
        content=_object("subject.content", subject.get("content")),
        at_ms=epoch_ms("context.timestamp", timestamp),
        custom={} if custom is None else _object("customData.argus", custom),
        defaults=defaults,
    )


def _object(field: str, value: object) -> Fields:
    if not isinstance(value, Mapping):
        raise BadRecord(field, value, "is no object")
    return value


def _text(field: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadRecord(field, value, "is no text")
    return value


def _outcome(told: _Told, words: Mapping[str, str]) -> str:
    word = told.named("outcome")
    if word is None or word not in words:
        raise BadRecord("outcome", word, f"is none of {', '.join(words)}")
    return words[word]


def _project(told: _Told) -> object:
    sources = (within(told.event.data, "subject", "source"), told.event.source)
    return told.of("project") or told.named("repository", "id") or next(filter(None, map(repository, sources)), None)


def _job(told: _Told) -> dict[str, object]:
    took_ms = told.duration_ms()
    return {
        **told.around(),
        "run": told.of("run", told.named("pipelineRun", "id")) or told.subject,
        "job": told.of("job", told.named("taskName")),
        "outcome": _outcome(told, JOB_OUTCOMES),
        "started_ms": None if took_ms is None else told.at_ms - took_ms,
        "finished_ms": told.at_ms,
        "message": (told.named("errors") or "")[:LONGEST_DETAILS],
        "url": told.named("uri") or told.named("url"),
    }


def _pipeline(told: _Told) -> dict[str, object] | None:
    """Its jobs tell all of a run but its name; so it is a job by itself only where the sender tells of no others."""
    if told.defaults.pipelines is None:
        return None
    name = told.named("pipelineName")
    return {**_job(told), "run": told.of("run", told.subject), "job": told.of("job", name), "workflow": name}


def _test(told: _Told, *, is_skipped: bool = False) -> dict[str, object]:
    suite_run, around = told.named("testSuiteRun", "id"), told.around()
    test = {
        "test": short(told.of("test", told.named("testCase", "id")) or "") or None,
        "outcome": "skip" if is_skipped else _outcome(told, TEST_OUTCOMES),
        "finished_ms": told.at_ms,
        "name": told.named("testCase", "name"),
        "duration_ms": told.duration_ms(),
        "message": (told.named("reason") or "")[:LONGEST_MESSAGE] or None,
    }
    execution = checked(TestExecution, {field: value for field, value in test.items() if value is not None})
    parts = (suite_run, around["environment"], execution.test, told.subject)
    return {
        **around,
        "run": told.of("run") or suite_run or told.subject,
        "job": told.of("job"),
        "report": short("::".join(str(part) for part in parts if part)),
        "k": 1,
        "n": 1,
        "tests": [execution],
    }


def _deploy(told: _Told, *, state: DeployState) -> dict[str, object]:
    return {
        "project": _project(told),
        "deploy": told.of("deploy") or short(f"{told.event.source}#{told.event.id}"),
        "environment": told.of("environment", told.named("environment", "id")),
        "state": state,
        "at_ms": told.at_ms,
        "head": told.of("commit"),
        "base": told.of("base"),
        "branch": told.of("branch"),
        "service": told.of("service", told.subject),
        "artifact": told.named("artifactId"),
    }


def _incident(told: _Told) -> dict[str, object]:
    return {
        "project": _project(told),
        "error": told.subject,
        "service": told.of("service", told.named("service", "id")),
        "message": (told.named("description") or "incident")[:LONGEST_MESSAGE],
        "at_ms": told.at_ms,
        "environment": told.of("environment", told.named("environment", "id")),
        "artifact": told.named("artifactId"),
        "url": told.named("ticketURI"),
    }


def _change(told: _Told, *, state: ChangeState) -> dict[str, object]:
    """What is called by its commit is no pull request."""
    is_commit = _COMMIT.fullmatch(told.subject) is not None
    return {
        "project": _project(told),
        "commit": told.of("commit", told.subject if is_commit else None),
        "committed_ms": told.at_ms,
        "branch": told.of("branch"),
        "change": None if is_commit else told.subject,
        "state": state,
        "base": told.of("base"),
    }


_KEPT: dict[str, tuple[type[Event], _Make]] = {
    "taskrun.finished": (JobExecution, _job),
    "pipelinerun.finished": (JobExecution, _pipeline),
    "testcaserun.finished": (TestReportPart, _test),
    "testcaserun.skipped": (TestReportPart, partial(_test, is_skipped=True)),
    "service.deployed": (DeployStep, partial(_deploy, state="succeeded")),
    "service.upgraded": (DeployStep, partial(_deploy, state="succeeded")),
    "service.rolledback": (DeployStep, partial(_deploy, state="rolled_back")),
    "incident.detected": (ProductionError, _incident),
    "incident.reported": (ProductionError, _incident),
    "change.created": (Change, partial(_change, state="open")),
    "change.updated": (Change, partial(_change, state="open")),
    "change.merged": (Change, partial(_change, state="merged")),
    "change.abandoned": (Change, partial(_change, state="closed")),
}
"""What the rest tells is known already, or is nothing that is kept: a published service was deployed, a suite's outcome
is that of its tests, and the artifact of a resolved incident is the one that mended it."""
