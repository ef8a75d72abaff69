"""Spans of CI: what they tell of, whose it is, and what a report is."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import DeployStep, JobExecution, TestExecution, TestReportPart, encode
from gateway.ingest.otlp import JSON, PROTOBUF, read
from gateway.ingest.refusal import Refusal, refusal
from gateway.ingest.row import LARGEST_PART, LARGEST_VALUE, Row
from gateway.ingest.spans import read as told_by
from tests.unit.gateway.ingest.otlp_requests import BEGAN_MS, ENDED_MS, REQUESTS, Attributes, Told

REPOSITORY = {"vcs.repository.url.full": "https://github.com/acme/app"}
RESOURCE = {
    **REPOSITORY, "cicd.pipeline.name": "ci", "cicd.pipeline.run.id": "4711", "cicd.pipeline.run.url.full": "https://x/4711",
    "vcs.ref.head.name": "main", "vcs.ref.head.type": "branch", "vcs.ref.head.revision": "abc", "argus.attempt": "2",
    "argus.environment": "linux",
}  # fmt: skip
TASK = {"cicd.pipeline.task.name": "unit", "cicd.pipeline.task.run.id": "9", "cicd.pipeline.task.run.result": "failure"}
TEST = {
    "cicd.pipeline.task.name": "unit",
    "test.suite.name": "suite",
    "test.case.name": "adds",
    "test.case.result.status": "fail",
}
DEPLOY = {
    "deployment.id": "1208", "deployment.name": "shop", "deployment.status": "succeeded",
    "deployment.environment.name": "production", "vcs.ref.base.revision": "old", "artifact.purl": "pkg:oci/shop@1",
}  # fmt: skip


def rows(
    spans: Sequence[Told], resource: Attributes = RESOURCE, kind: str = PROTOBUF, project: str | None = None
) -> list[Row | Refusal]:  # fmt: skip
    return list(told_by(read(REQUESTS[kind](spans, resource), kind), project, lambda row: row))


def records(found: list[Row | Refusal]) -> list[object]:
    assert all(isinstance(one, Row) for one in found), found
    return [one.record for one in found if isinstance(one, Row)]


def refused(span: Attributes, resource: Attributes = RESOURCE) -> Refusal:
    (found,) = rows([Told(1, span)], resource)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_a_task_s_span_is_a_job_execution(kind: str) -> None:
    assert records(rows([Told(1, TASK, "exit code 1")], kind=kind)) == [
        JobExecution(
            project="acme/app", run="4711", job="unit", attempt=2, outcome="failure", started_ms=BEGAN_MS,
            finished_ms=ENDED_MS, workflow="ci", commit="abc", branch="main", environment="linux",
            message="exit code 1", url="https://x/4711",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("success", "success"), ("failure", "failure"), ("error", "error"), ("timeout", "timeout"),
     ("cancellation", "cancelled"), ("skip", "skipped")],
)  # fmt: skip
def test_every_result_of_the_conventions_is_an_outcome(result: str, outcome: str) -> None:
    (found,) = records(rows([Told(1, {**TASK, "cicd.pipeline.task.run.result": result})]))
    assert isinstance(found, JobExecution)
    assert found.outcome == outcome


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_a_test_s_span_is_a_test_of_its_job_s_report(kind: str) -> None:
    thrown = {"exception.message": "1 != 2", "exception.stacktrace": "at line 7"}
    (part,) = records(rows([Told(1, TEST, "", thrown)], kind=kind))
    assert isinstance(part, TestReportPart)
    assert (part.project, part.run, part.job, part.attempt, part.k, part.n) == ("acme/app", "4711", "unit", 2, 1, 1)
    assert (part.environment, part.commit, part.branch) == ("linux", "abc", "main")
    assert part.tests == [
        TestExecution(
            test="suite::::adds", outcome="fail", finished_ms=ENDED_MS, suite="suite", name="adds", duration_ms=600_000,
            message="1 != 2", details="at line 7",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "outcome"), [("pass", "pass"), ("fail", "fail"), ("error", "error"), ("skip", "skip")]
)
def test_a_test_s_status_is_the_conventions_or_ours(status: str, outcome: str) -> None:
    (part,) = records(rows([Told(1, {**TEST, "test.case.result.status": status})]))
    assert isinstance(part, TestReportPart)
    assert part.tests[0].outcome == outcome


@pytest.mark.parametrize("kind", sorted(REQUESTS))
def test_a_deployment_s_span_is_a_step_of_a_deploy(kind: str) -> None:
    assert records(rows([Told(1, DEPLOY)], kind=kind)) == [
        DeployStep(
            project="acme/app", deploy="1208", environment="production", state="succeeded", at_ms=ENDED_MS, head="abc",
            base="old", branch="main", service="shop", artifact="pkg:oci/shop@1", url="https://x/4711",
        )
    ]  # fmt: skip


def test_a_task_that_deploys_tells_of_both() -> None:
    assert [type(one) for one in records(rows([Told(1, {**TASK, **DEPLOY})]))] == [JobExecution, DeployStep]


@pytest.mark.parametrize(
    "span",
    [{}, {"http.request.method": "GET"}, {"test.case.name": "adds"}, {"cicd.pipeline.result": "success"},
     {"deployment.environment.name": "production"}, {"cicd.pipeline.task.name": "unit"}],
)  # fmt: skip
def test_a_span_without_a_result_tells_of_nothing(span: Attributes) -> None:
    assert rows([Told(1, span)], {**RESOURCE, "deployment.id": "7", "deployment.status": "succeeded"}) == []


@pytest.mark.parametrize(
    ("told", "default", "project"),
    [
        ({"vcs.repository.url.full": "https://gitlab.example.org/acme/group/app.git"}, None, "acme/group/app"),
        ({"vcs.repository.url.full": "https://github.com/acme/app/actions/runs/7"}, "acme/other", "acme/app"),
        ({"vcs.repository.url.full": "https://gitlab.com/acme/group/app/-/jobs/1"}, None, "acme/group/app"),
        ({"vcs.repository.url.full": "git@github.com:acme/app.git"}, None, "acme/app"),
        ({"vcs.repository.url.full": "https://code.example.org/acme/app"}, "acme/other", "acme/app"),
        (
            {"vcs.repository.url.full": "https://[", "vcs.owner.name": "acme", "vcs.repository.name": "app"},
            "acme/other",
            "acme/app",
        ),
        ({"vcs.repository.url.full": 7}, "acme/other", "acme/other"),
        ({"vcs.owner.name": "acme", "vcs.repository.name": "app"}, "acme/other", "acme/app"),
        ({"vcs.repository.name": "app"}, "acme/other", "acme/other"),
        ({**REPOSITORY, "argus.project": "acme/mine"}, "acme/other", "acme/mine"),
        ({}, "acme/other", "acme/other"),
    ],
)
def test_whose_it_is_is_told_or_the_default(told: Attributes, default: str | None, project: str) -> None:
    resource = {"cicd.pipeline.run.id": 4711, **told}
    (found,) = records(rows([Told(1, TASK)], resource, project=default))
    assert isinstance(found, JobExecution)
    assert (found.project, found.run) == (project, "4711")


def test_a_tag_is_no_branch() -> None:
    (found,) = records(rows([Told(1, TASK)], {**RESOURCE, "vcs.ref.head.type": "tag"}))
    assert isinstance(found, JobExecution)
    assert found.branch is None


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({**TASK, "cicd.pipeline.task.run.result": "glorious"}, "outcome"),
        ({**TASK, "argus.attempt": "many"}, "attempt"),
        ({**TASK, "vcs.repository.url.full": "https://github.com/app"}, "project"),
        ({**TEST, "test.case.name": ""}, "test.case.name"),
        ({**TEST, "test.case.result.status": "perhaps"}, "outcome"),
        ({**TEST, "argus.repetition": -1}, "repetition"),
        ({**DEPLOY, "deployment.status": "perhaps"}, "state"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(span: Attributes, field: str) -> None:
    assert (refused(span).place, refused(span).field) == ("span 0000000000000001", field)


@pytest.mark.parametrize(
    ("lacking", "field"), [("cicd.pipeline.run.id", "run"), ("vcs.repository.url.full", "project")]
)
def test_what_is_missing_is_named(lacking: str, field: str) -> None:
    resource = {name: value for name, value in RESOURCE.items() if name != lacking}
    for span in (TASK, TEST):
        assert field in refused(span, resource).reason


def test_a_report_is_called_by_its_spans_and_not_by_their_order() -> None:
    spans = [
        Told(number, {**TEST, "test.case.name": f"t{number % 3}"}, ended_ms=ENDED_MS + number) for number in range(1, 8)
    ]
    other_way = random.Random(7).sample(spans, len(spans))
    assert encode(records(rows(spans))[0]) == encode(records(rows([*other_way, spans[2]], kind=JSON))[0])  # type: ignore[arg-type]
    (first,), (second,) = (records(rows(some)) for some in (spans[:4], spans[4:]))
    assert isinstance(first, TestReportPart)
    assert isinstance(second, TestReportPart)
    assert first.report != second.report, "what is flushed later is a report of its own"
    assert [(one.test[-2:], one.repetition) for one in first.tests] == [("t1", 0), ("t2", 0), ("t0", 0), ("t1", 1)]


def test_repetitions_are_counted_by_time() -> None:
    later, earlier = Told(1, TEST, ended_ms=ENDED_MS + 1), Told(2, {**TEST, "test.case.result.status": "pass"})
    (part,) = records(rows([later, earlier]))
    assert isinstance(part, TestReportPart)
    assert [(one.outcome, one.repetition) for one in part.tests] == [("pass", 0), ("fail", 1)]


def test_a_repetition_that_is_told_is_kept() -> None:
    (part,) = records(rows([Told(1, {**TEST, "argus.repetition": "3"})]))
    assert isinstance(part, TestReportPart)
    assert part.tests[0].repetition == 3


@pytest.mark.parametrize(
    ("told", "repetitions"),
    [([1, 0], [1, 0]), (["1", "0"], [1, 0]), (["2", None, None], [2, 0, 1]), ([None, 0, None], [1, 0, 2]),
     ([None, None, 1], [0, 2, 1])],
)  # fmt: skip
@pytest.mark.parametrize("later_ms", [0, 1])
def test_repetitions_that_are_not_told_are_those_that_nobody_tells(
    told: list[str | int | None], repetitions: list[int], later_ms: int
) -> None:
    spans = [
        Told(number, TEST if nth is None else {**TEST, "argus.repetition": nth}, ended_ms=ENDED_MS + number * later_ms)
        for number, nth in enumerate(told, start=1)
    ]
    other = Told(9, {**TEST, "test.case.name": "takes"}, ended_ms=ENDED_MS + 9)
    (part,) = records(rows([*spans, other]))
    assert isinstance(part, TestReportPart)
    assert [one.repetition for one in part.tests] == [*repetitions, 0]


def test_jobs_have_reports_of_their_own() -> None:
    found = records(rows([Told(1, TEST), Told(2, {**TEST, "cicd.pipeline.task.name": "e2e"}), Told(3, TASK)]))
    assert [getattr(one, "job", None) for one in found] == ["unit", "unit", "e2e"], "reports come last"
    assert [type(one) for one in found] == [JobExecution, TestReportPart, TestReportPart]


def test_a_large_report_comes_in_parts() -> None:
    details = {"exception.stacktrace": "x" * 20_000}
    spans = [Told(number, {**TEST, "test.case.name": f"t{number}"}, "m", details) for number in range(1, 31)]
    spans += [Told(number, {**TEST, "test.case.name": f"t{number}"}) for number in range(31, 700)]
    parts = [one for one in records(rows(spans)) if isinstance(one, TestReportPart)]
    assert [(one.k, one.n) for one in parts] == [(k, len(parts)) for k in range(1, len(parts) + 1)]
    assert len({one.report for one in parts}) == 1
    assert len({test.test for one in parts for test in one.tests}) == 699
    assert max(len(one.tests) for one in parts) <= 500
    assert LARGEST_PART / 2 < max(len(encode(one)) for one in parts) <= LARGEST_VALUE


def test_a_span_that_does_not_fit_is_refused_whole_and_once() -> None:
    def fits(row: Row) -> Row | Refusal:
        return refusal(row.file, row.place, "project", "", "no") if row.place.endswith(("1", "2")) else row

    spans = [Told(1, {**TASK, **DEPLOY}), Told(2, TEST), Told(3, TEST)]
    found = list(told_by(read(REQUESTS[PROTOBUF](spans, RESOURCE), PROTOBUF), None, fits))
    assert [type(one) for one in found] == [Refusal, Refusal, Row]


keys = st.sampled_from(
    sorted({*RESOURCE, *TASK, *TEST, *DEPLOY, "argus.repetition", "argus.project", "vcs.owner.name"})
)
values = st.text(max_size=30) | st.integers(-(2**63), 2**63 - 1)


@given(st.dictionaries(keys, values, max_size=4), st.dictionaries(keys, values, max_size=4), st.integers(0, 2**43))
def test_no_attributes_break_the_reader(own: Attributes, outer: Attributes, ended_ms: int) -> None:
    spans = [
        Told(number, {**kind, **own}, ended_ms=ended_ms) for number, kind in enumerate((TASK, TEST, DEPLOY), start=1)
    ]
    found = rows(spans, {**RESOURCE, **outer}, JSON)
    assert len(found) >= 1
    assert all(isinstance(one, Row | Refusal) for one in found)
