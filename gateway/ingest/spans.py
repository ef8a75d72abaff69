"""Spans of CI: which of them tells of a job, of a test or of a deploy.

The names are OpenTelemetry's conventions for `cicd`, `vcs`, `test`, `deployment` and `artifact`
(https://opentelemetry.io/docs/specs/semconv/registry/attributes/); what they have no name for is under `argus.`. A span
tells of a job by `cicd.pipeline.task.run.result`, of a test by `test.case.result.status` and of a deploy by
`deployment.status`, which it has to have itself; all else may be the scope's or the resource's. Other spans tell of
nothing.

A report is all the tests of one job in one request. It is called by the spans it has: the same ones sent again are the
same report, and others, flushed later, are another one. A span is taken or refused whole.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from itertools import count, filterfalse
from typing import NamedTuple

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord
from contracts.records import (
    LONGEST_DETAILS,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LONGEST_SUITE,
    DeployStep,
    JobExecution,
    TestExecution,
    TestReportPart,
    checked,
)
from gateway.ingest import junit
from gateway.ingest.claims import Claim, number, repository, rows, text
from gateway.ingest.csv import OUTCOMES
from gateway.ingest.parts import parts
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

FILE = "request"
TASK_RESULT, TEST_STATUS, DEPLOY_STATUS = (
    "cicd.pipeline.task.run.result", "test.case.result.status", "deployment.status",
)  # fmt: skip
REPETITION = "argus.repetition"

_TEST_OUTCOMES = {
    "pass": "pass", "passed": "pass", "fail": "fail", "failed": "fail", "error": "error", "skip": "skip",
    "skipped": "skip",
}  # fmt: skip

Attributes = Mapping[str, str | int]
Fits = Callable[[Row], Row | Refusal]
"""The row, or its refusal where it is another tenant's or not in time."""


class Span(Struct, frozen=True, kw_only=True):
    """One span: its ids in hex, times in nanoseconds since 1970, 0 where there is none.

    `own` are its own attributes, `attributes` those with the scope's and the resource's below them.
    """

    trace: str
    id: str
    began_ns: int
    ended_ns: int
    own: Attributes
    attributes: Attributes
    message: str
    details: str


class _Test(NamedTuple):
    """One execution, and whether its span tells which repetition it is: 0 can be told as well."""

    execution: TestExecution
    is_numbered: bool


class _Report(Struct):
    """The tests of one job so far, each by trace and span; `part` says whose they are."""

    part: TestReportPart
    tests: dict[tuple[str, str], _Test]


def read(spans: Iterable[Span | Refusal], project: str | None, fits: Fits) -> Iterator[Row | Refusal]:
    """What the spans tell of, one refusal for each that is refused; `project` is whose they are where they do not say.

    The reports come last, when all their tests are known.
    """
    reports: dict[tuple[object, ...], _Report] = {}
    for span in spans:
        if isinstance(span, Refusal):
            yield span
            continue
        told = [fits(row) if isinstance(row, Row) else row for row in rows(_claims(span, project), FILE)]
        if refusals := [row for row in told if isinstance(row, Refusal)]:
            yield refusals[0]
            continue
        for row in told:
            if isinstance(row, Row) and isinstance(row.record, TestReportPart):
                _add(reports, span, row.record)
            else:
                yield row
    for report in reports.values():
        yield from _parts(report)


def _add(reports: dict[tuple[object, ...], _Report], span: Span, part: TestReportPart) -> None:
    whose = tuple(value for value in msgspec.structs.astuple(part) if not isinstance(value, list))
    report = reports.setdefault(whose, _Report(part, {}))
    report.tests[span.trace, span.id] = _Test(part.tests[0], is_numbered=REPETITION in span.own)


def _parts(report: _Report) -> Iterator[Row]:
    spans = "".join(sorted(f"{trace}{span}" for trace, span in report.tests))
    name = "otlp-" + blake2b(spans.encode(), digest_size=8).hexdigest()
    whole = list(parts(_numbered(report)))
    for k, part in enumerate(whole, start=1):
        record = msgspec.structs.replace(report.part, report=name, k=k, n=len(whole), tests=part)
        yield Row(file=FILE, place=f"{name} part {k} of {len(whole)}", record=record)


def _numbered(report: _Report) -> Iterator[TestExecution]:
    """The tests by time; one that does not tell its repetition has the first that no other of the same test has."""
    taken = defaultdict[str, set[int]](set)
    for test, is_numbered in report.tests.values():
        if is_numbered:
            taken[test.test].add(test.repetition)
    free = {test.test: filterfalse(taken[test.test].__contains__, count()) for test, _ in report.tests.values()}
    for _, (test, is_numbered) in sorted(report.tests.items(), key=lambda one: (one[1].execution.finished_ms, one[0])):
        yield test if is_numbered else msgspec.structs.replace(test, repetition=next(free[test.test]))


def _claims(span: Span, project: str | None) -> Iterator[Claim]:
    place = f"span {span.id}"
    if TASK_RESULT in span.own:
        yield Claim(place, JobExecution, partial(_job, span, project))
    if TEST_STATUS in span.own:
        yield Claim(place, TestReportPart, partial(_test, span, project))
    if DEPLOY_STATUS in span.own:
        yield Claim(place, DeployStep, partial(_deploy, span, project))


def _job(span: Span, project: str | None) -> dict[str, object]:
    told = str(span.own[TASK_RESULT])
    return {
        **_whose(span.attributes, project),
        "outcome": OUTCOMES.get(told.lower(), told),
        "started_ms": _ms(span.began_ns),
        "finished_ms": _ms(span.ended_ns),
        "workflow": text(span.attributes.get("cicd.pipeline.name")),
        "message": span.message[:LONGEST_DETAILS],
        "url": _url(span.attributes),
    }


def _test(span: Span, project: str | None) -> dict[str, object]:
    told = str(span.own[TEST_STATUS])
    suite, name = (str(span.attributes.get(key, "")) for key in ("test.suite.name", "test.case.name"))
    if not name:
        raise BadRecord("test.case.name", name, "is missing")
    fields = {
        "test": junit.identity(suite, "", name),
        "outcome": _TEST_OUTCOMES.get(told.lower(), told),
        "finished_ms": _ms(span.ended_ns),
        "suite": suite[:LONGEST_SUITE] or None,
        "name": name[:LONGEST_NAME],
        "repetition": number(span.own.get(REPETITION)),
        "duration_ms": max(0, span.ended_ns - span.began_ns) // 1_000_000 if span.began_ns else None,
        "message": span.message[:LONGEST_MESSAGE] or None,
        "details": span.details[:LONGEST_DETAILS] or None,
    }
    told_fields = {key: value for key, value in fields.items() if value is not None}
    test = checked(TestExecution, told_fields)
    return {**_whose(span.attributes, project), "report": "otlp", "k": 1, "n": 1, "tests": [test]}


def _deploy(span: Span, project: str | None) -> dict[str, object]:
    has = span.attributes
    return {
        "project": _project(has, project),
        "deploy": text(has.get("deployment.id")),
        "environment": text(has.get("deployment.environment.name")),
        "state": str(span.own[DEPLOY_STATUS]).lower(),
        "at_ms": _ms(span.ended_ns),
        "head": text(has.get("vcs.ref.head.revision")),
        "base": text(has.get("vcs.ref.base.revision")),
        "branch": _branch(has),
        "service": text(has.get("deployment.name")),
        "artifact": text(has.get("artifact.purl")),
        "url": _url(has),
    }


def _whose(has: Attributes, project: str | None) -> dict[str, object]:
    """What a job and its tests have in common."""
    return {
        "project": _project(has, project),
        "run": text(has.get("cicd.pipeline.run.id")),
        "job": text(has.get("cicd.pipeline.task.name")),
        "attempt": number(has.get("argus.attempt")),
        "environment": text(has.get("argus.environment")),
        "commit": text(has.get("vcs.ref.head.revision")),
        "branch": _branch(has),
    }


def _project(has: Attributes, otherwise: str | None) -> object:
    """What is told under `argus.`, else whose the repository's address is, else owner and name.

    >>> _project({"vcs.repository.url.full": "https://gitlab.example.org/acme/group/app.git"}, None)
    'acme/group/app'
    """
    if told := has.get("argus.project"):
        return told
    if told := repository(has.get("vcs.repository.url.full"), is_one=True):
        return told
    owner, name = has.get("vcs.owner.name"), has.get("vcs.repository.name")
    return f"{owner}/{name}" if owner and name else otherwise


def _branch(has: Attributes) -> object:
    return text(has.get("vcs.ref.head.name")) if has.get("vcs.ref.head.type", "branch") == "branch" else None


def _url(has: Attributes) -> object:
    return has.get("cicd.pipeline.task.run.url.full") or has.get("cicd.pipeline.run.url.full")


def _ms(at_ns: int) -> int | None:
    return at_ns // 1_000_000 or None
