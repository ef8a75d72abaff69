"""CDEvents: the examples of the specification, who goes first, and what is refused or only taken note of."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import (
    Change,
    DeployStep,
    Event,
    JobExecution,
    ProductionError,
    TestExecution,
    TestReportPart,
    encode,
)
from gateway.ingest.cdevents import Defaults, read
from gateway.ingest.cloudevents import BATCH, STRUCTURED
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

AT, AT_MS = "2023-03-20T14:27:05.315384Z", 1_679_322_425_315
DETECTED_AT, DETECTED_MS = "2022-11-11T13:52:20.079Z", 1_668_174_740_079
PURL = "pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
ID, SOURCE = "271069a8-fc18-44f1-b38f-9d70a1695819", "/event/source/123"
DEV = {"id": "dev", "source": "testkube-dev-123"}
CASE = {"id": "92834723894", "version": "1.0", "name": "Login Test", "type": "integration"}
RUN = {
    "url": "https://www.example.com/mySubject123", "outcome": "failure",
    "errors": "Something went wrong\nWith some more details",
}  # fmt: skip
SERVICE = {"environment": {"id": "test123"}, "artifactId": PURL}
INCIDENT = {
    "description": "Response time above threshold of 100ms", "environment": {"id": "prod1", "source": "/iaas/geo1"},
    "service": {"id": "myApp", "source": "/clusterA/namespaceB"}, "artifactId": PURL,
}  # fmt: skip
REPOSITORY = {"repository": {"id": "TestRepo/TestOrg", "source": "https://example.org"}}

CONTENT: dict[str, dict[str, object]] = {
    "testcaserun.finished.0.3.0": {"outcome": "success", "environment": DEV, "testCase": CASE},
    "testcaserun.skipped.0.1.0": {
        "reason": "Not running in this environment", "environment": DEV, "testCase": CASE,
        "testSuiteRun": {"id": "test-suite-111", "source": "testkube-dev-123"},
    },
    "testsuiterun.finished.0.3.0-draft": {
        "outcome": "failure", "severity": "critical", "reason": "Host 123.34.23.32 not found", "environment": DEV,
        "testSuite": {"id": "92834723894", "version": "1.0", "name": "Auth TestSuite"},
    },
    "pipelinerun.finished.0.3.0": {**RUN, "pipelineName": "myPipeline"},
    "taskrun.finished.0.3.0": {**RUN, "taskName": "myTask", "pipelineRun": {"id": "mySubject123"}},
    "service.deployed.0.2.0": SERVICE,
    "service.upgraded.0.2.0": SERVICE,
    "service.rolledback.0.3.0-draft": SERVICE,
    "service.removed.0.3.0-draft": {"environment": {"id": "test123"}},
    "service.published.0.3.0-draft": {"environment": {"id": "test123"}},
    "incident.detected.0.3.0": INCIDENT,
    "incident.reported.0.3.0": {**INCIDENT, "ticketURI": "https://my-issues.example/incidents/ticket-345"},
    "incident.resolved.0.3.0-draft": {**INCIDENT, "description": "Response time restored below 100ms"},
    "change.created.0.4.0-draft": {"description": "This PR address a bug from a recent PR", **REPOSITORY},
    "change.updated.0.2.0": REPOSITORY,
    "change.merged.0.3.0-draft": REPOSITORY,
    "change.abandoned.0.2.0": REPOSITORY,
    "change.reviewed.0.3.0": REPOSITORY,
}  # fmt: skip
"""The content of the specification's conformance examples, by type."""
SUBJECTS = {"testcaserun": "myTestCaseRun123", "testsuiterun": "myTestSuiteRun123", "incident": "incident-123"}
HERE = Defaults(project="acme/app", job="e2e")


def example(kind: str, **changed: Any) -> dict[str, Any]:
    """A CloudEvent, structured, with the specification's example of this type."""
    about = {"id": ID, "source": SOURCE, "type": f"dev.cdevents.{kind}"}
    noun = kind.partition(".")[0]
    at = DETECTED_AT if noun == "incident" else AT
    data = {
        "context": {
            "specversion": "0.5.0",
            **about,
            "timestamp": at,
            "chainId": "4c8cb7dd-3448-41de-8768-eec704e2829b",
        },
        "subject": {"id": SUBJECTS.get(noun, "mySubject123"), "source": SOURCE, "content": CONTENT[kind]},
        "customData": {"metric": "responseTime"},
    }
    return {"specversion": "1.0", **about, "time": at, "data": data | changed}


def content(kind: str, custom: Mapping[str, object] | None = None, **changed: Any) -> dict[str, Any]:
    """The example with some of its content, and of what is told besides, changed."""
    event = example(kind, customData={"argus": custom or {}})
    event["data"]["subject"] = {**event["data"]["subject"], "content": {**CONTENT[kind], **changed}}
    return event


def told(event: object, defaults: Defaults = HERE) -> list[Row | Refusal]:
    return list(read(json.dumps(event).encode(), {"content-type": STRUCTURED}, defaults))


def record(event: object, defaults: Defaults = HERE) -> Event:
    (found,) = told(event, defaults)
    assert isinstance(found, Row), found
    return found.record


def refused(event: object, defaults: Defaults = HERE) -> str:
    (found,) = told(event, defaults)
    assert isinstance(found, Refusal), found
    return found.field


def test_a_task_run_is_a_job_of_its_pipeline_run() -> None:
    assert record(example("taskrun.finished.0.3.0")) == JobExecution(
        project="acme/app", run="mySubject123", job="myTask", outcome="failure", finished_ms=AT_MS,
        message=RUN["errors"], url=RUN["url"],
    )  # fmt: skip


def test_a_task_run_without_a_pipeline_is_a_run_of_its_own_unless_the_request_names_one() -> None:
    alone = content("taskrun.finished.0.3.0", pipelineRun=None)
    alone["data"]["subject"]["id"] = "task-7"
    assert record(alone).run == "task-7"  # type: ignore[union-attr]
    assert record(alone, Defaults(project="acme/app", run="4711")).run == "4711"  # type: ignore[union-attr]


def test_a_pipeline_run_is_a_job_only_where_the_sender_tells_of_no_tasks() -> None:
    event = example("pipelinerun.finished.0.3.0")
    assert told(event) == []
    assert record(event, Defaults(project="acme/app", pipelines="jobs")) == JobExecution(
        project="acme/app", run="mySubject123", job="myPipeline", workflow="myPipeline", outcome="failure",
        finished_ms=AT_MS, message=RUN["errors"], url=RUN["url"],
    )  # fmt: skip


def test_a_pipeline_run_that_is_a_job_is_of_the_run_of_its_tasks_and_so_counts_once() -> None:
    alone = Defaults(project="acme/app", pipelines="jobs")
    found = [record(example(kind), alone) for kind in ("pipelinerun.finished.0.3.0", "taskrun.finished.0.3.0")]
    assert {(one.project, one.run) for one in found} == {("acme/app", "mySubject123")}  # type: ignore[union-attr]
    assert len({one.job for one in found}) == 2  # type: ignore[union-attr]


def test_a_lone_result_is_a_report_of_one_test() -> None:
    test = TestExecution(test="92834723894", outcome="pass", finished_ms=AT_MS, name="Login Test")
    assert record(example("testcaserun.finished.0.3.0")) == TestReportPart(
        project="acme/app", run="myTestCaseRun123", job="e2e", report="dev::92834723894::myTestCaseRun123", k=1, n=1,
        tests=[test], environment="dev",
    )  # fmt: skip


def test_a_skipped_test_belongs_to_its_suite_run() -> None:
    found = record(example("testcaserun.skipped.0.1.0"))
    assert isinstance(found, TestReportPart)
    assert (found.run, found.report) == ("test-suite-111", "test-suite-111::dev::92834723894::myTestCaseRun123")
    (test,) = found.tests
    assert (test.outcome, test.message) == ("skip", "Not running in this environment")


def test_each_execution_of_a_test_is_a_report_of_its_own() -> None:
    def identity(**changed: Any) -> tuple[object, ...]:
        event = content("testcaserun.finished.0.3.0", **changed)
        event["data"]["subject"]["id"] = changed.get("id", "1")
        found = record(event)
        assert isinstance(found, TestReportPart)
        return found.project, found.run, found.job, found.attempt, found.report

    suite = {"testSuiteRun": {"id": "s"}}
    others = [
        identity(testSuiteRun={"id": "t"}), identity(**suite, environment={"id": "prod"}), identity(**suite, id="2"),
        identity(**suite, testCase={"id": "other"}), identity(**suite, custom={"attempt": 2}),
    ]  # fmt: skip
    assert len({identity(**suite), *others}) == len(others) + 1
    assert identity(**suite) == identity(**suite)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("success", "pass"), ("failure", "fail"), ("error", "error"), ("cancel", "skip"), ("pass", "pass"),
     ("fail", "fail"), ("skip", "skip")],
)  # fmt: skip
def test_the_outcomes_of_a_test_are_known_in_the_words_of_every_version(word: str, outcome: str) -> None:
    found = record(content("testcaserun.finished.0.3.0", outcome=word))
    assert isinstance(found, TestReportPart)
    assert found.tests[0].outcome == outcome


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("success", "success"), ("failure", "failure"), ("error", "error"), ("cancel", "cancelled")],
)
def test_the_outcomes_of_a_task_are_mapped(word: str, outcome: str) -> None:
    assert record(content("taskrun.finished.0.3.0", outcome=word)).outcome == outcome  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["passed", "SUCCESS", "", None, 7, ["success"]])
@pytest.mark.parametrize("kind", ["taskrun.finished.0.3.0", "testcaserun.finished.0.3.0"])
def test_an_unknown_outcome_is_refused_by_name(kind: str, word: object) -> None:
    assert refused(content(kind, outcome=word)) == "outcome"


@pytest.mark.parametrize(
    ("kind", "state"),
    [("service.deployed.0.2.0", "succeeded"), ("service.upgraded.0.2.0", "succeeded"),
     ("service.rolledback.0.3.0-draft", "rolled_back")],
)  # fmt: skip
def test_a_service_that_is_deployed_or_rolled_back_is_a_step_of_a_deploy(kind: str, state: Any) -> None:
    assert record(example(kind)) == DeployStep(
        project="acme/app", deploy=f"{SOURCE}#{ID}", environment="test123", state=state, at_ms=AT_MS,
        service="mySubject123", artifact=PURL,
    )  # fmt: skip


def test_an_incident_is_an_error_in_production() -> None:
    wanted = ProductionError(
        project="acme/app", error="incident-123", service="myApp", message=str(INCIDENT["description"]),
        at_ms=DETECTED_MS, environment="prod1", artifact=PURL,
    )  # fmt: skip
    assert record(example("incident.detected.0.3.0")) == wanted
    reported = record(example("incident.reported.0.3.0"))
    assert isinstance(reported, ProductionError)
    assert (reported.error, reported.url) == ("incident-123", "https://my-issues.example/incidents/ticket-345")
    assert refused(content("incident.detected.0.3.0", service=None)) == "service"
    ours = Defaults(project="acme/app", service="shop")
    assert record(content("incident.detected.0.3.0", service=None), ours).service == "shop"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "state"),
    [("change.created.0.4.0-draft", "open"), ("change.updated.0.2.0", "open"), ("change.merged.0.3.0-draft", "merged"),
     ("change.abandoned.0.2.0", "closed")],
)  # fmt: skip
def test_a_change_is_told_at_the_commit_that_custom_data_names(kind: str, state: Any) -> None:
    event = content(kind, {"commit": "abc", "base": "main"})
    assert record(event, Defaults()) == Change(
        project="TestRepo/TestOrg", commit="abc", committed_ms=AT_MS, change="mySubject123", state=state, base="main"
    )
    assert refused(example(kind)) == "commit"


def test_a_change_that_is_called_by_its_commit_needs_no_other() -> None:
    event = example("change.merged.0.3.0-draft")
    event["data"]["subject"]["id"] = "1a429d2f06fa49d8ece5045ac6471dc8a2276895"
    found = record(event)
    assert isinstance(found, Change)
    assert (found.commit, found.change) == ("1a429d2f06fa49d8ece5045ac6471dc8a2276895", None)


@pytest.mark.parametrize(
    "kind",
    ["testsuiterun.finished.0.3.0-draft", "service.removed.0.3.0-draft", "service.published.0.3.0-draft",
     "incident.resolved.0.3.0-draft", "change.reviewed.0.3.0", "pipelinerun.finished.0.3.0"],
)  # fmt: skip
def test_what_tells_nothing_that_is_kept_is_nothing(kind: str) -> None:
    assert told(example(kind)) == []


@pytest.mark.parametrize(
    "kind",
    ["dev.cdevents.testcaserun.started.0.3.0", "dev.cdevents.artifact.published.0.2.0", "com.example.someevent",
     "dev.cdevents.taskrun.finished.is.not.this", "dev.cdeventsx.mytool-taskrun.finished.0.1.0"],
)  # fmt: skip
def test_an_unknown_type_is_no_error_whatever_its_data(kind: str) -> None:
    assert told({"specversion": "1.0", "id": "1", "source": "/s", "type": kind, "data": "?"}) == []


def test_custom_data_goes_before_the_event_and_the_event_before_the_request() -> None:
    said = Defaults(
        project="acme/app", run="r", job="j", attempt=2, environment="e", commit="c", branch="b", service="s"
    )  # fmt: skip
    plain = record(content("taskrun.finished.0.3.0"), said)
    assert isinstance(plain, JobExecution)
    assert (plain.run, plain.job, plain.attempt, plain.environment) == ("mySubject123", "myTask", 2, "e")
    assert (plain.commit, plain.branch) == ("c", "b")
    custom = {
        "project": "acme/lib", "run": 4711, "job": "J", "attempt": 3, "environment": "E", "commit": "C", "branch": "B",
        "duration_ms": 5000,
    }  # fmt: skip
    own = record(content("taskrun.finished.0.3.0", custom), said)
    assert isinstance(own, JobExecution)
    assert (own.project, own.run, own.job, own.attempt, own.environment) == ("acme/lib", "4711", "J", 3, "E")
    assert (own.commit, own.branch, own.started_ms) == ("C", "B", AT_MS - 5000)
    test = record(content("testcaserun.finished.0.3.0", {**custom, "test": "a::b"}), said)
    assert isinstance(test, TestReportPart)
    assert (test.environment, test.tests[0].test, test.tests[0].duration_ms) == ("E", "a::b", 5000)
    step = record(content("service.rolledback.0.3.0-draft", {"deploy": 7, "base": "old", "service": "S"}), said)
    assert isinstance(step, DeployStep)
    assert (step.deploy, step.base, step.head, step.service) == ("7", "old", "c", "S")


@pytest.mark.parametrize("where", ["subject", "context"])
def test_a_project_is_last_looked_for_in_the_sources(where: str) -> None:
    event = example("taskrun.finished.0.3.0")
    for one in [event["data"]["subject"]] if where == "subject" else [event, event["data"]["context"]]:
        one["source"] = "https://github.com/acme/lib"
    assert record(event, Defaults()).project == "acme/lib"
    assert record(event).project == "acme/app"
    assert refused(example("taskrun.finished.0.3.0"), Defaults()) == "project"


def test_cloudevents_time_stands_in_for_a_missing_timestamp() -> None:
    event = example("taskrun.finished.0.3.0")
    del event["data"]["context"]["timestamp"]
    assert record(event).finished_ms == AT_MS  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"context": None}, "context"), ({"context": {"type": "other"}}, "context.type"), ({"subject": [1]}, "subject"),
        ({"customData": {"argus": 7}}, "customData.argus"), ({"subject": {"id": 7, "content": {}}}, "subject.id"),
        ({"subject": {"content": {}}}, "subject.id"), ({"subject": {"id": "1", "content": "x"}}, "subject.content"),
        ({"customData": {"argus": {"duration_ms": -1}}}, "customData.argus.duration_ms"),
        ({"customData": {"argus": {"duration_ms": 10**400}}}, "customData.argus.duration_ms"),
        ({"customData": {"argus": {"duration_ms": True}}}, "customData.argus.duration_ms"),
        ({"customData": {"argus": {"attempt": 10**400}}}, "attempt"),
        ({"customData": {"argus": {"run": {"a": 1}}}}, "customData.argus.run"),
        ({"customData": {"argus": {"run": "a\nb"}}}, "run"),
        ({"customData": {"argus": {"project": "acme"}}}, "project"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(changed: dict[str, Any], field: str) -> None:
    assert refused(example("taskrun.finished.0.3.0", **changed)) == field
    assert refused(example("testcaserun.finished.0.3.0", **changed)) == field


@pytest.mark.parametrize(
    ("kind", "changed", "field"),
    [
        ("testcaserun.finished.0.3.0", {"testCase": None}, "test"),
        ("testcaserun.finished.0.3.0", {"testCase": {"id": 7}}, "testCase.id"),
        ("taskrun.finished.0.3.0", {"taskName": {}}, "taskName"), ("taskrun.finished.0.3.0", {"errors": 7}, "errors"),
        ("service.deployed.0.2.0", {"environment": None}, "environment"),
        ("service.deployed.0.2.0", {"artifactId": []}, "artifactId"),
    ],
)  # fmt: skip
def test_content_of_the_wrong_form_is_refused_by_name(kind: str, changed: dict[str, Any], field: str) -> None:
    assert refused(content(kind, **changed)) == field


@pytest.mark.parametrize("at", ["soon", 7, "", "1999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(at: object) -> None:
    event = example("taskrun.finished.0.3.0")
    event["data"]["context"]["timestamp"] = at
    assert refused(event) in ("context.timestamp", "finished_ms")


def test_long_texts_are_cut_and_long_identities_told_apart() -> None:
    job = record(content("taskrun.finished.0.3.0", errors="x" * 100_000))
    assert isinstance(job, JobExecution)
    assert len(job.message or "") == 16_384
    one, two = (record(content("testcaserun.finished.0.3.0", testCase={"id": "x" * 600 + end})) for end in "ab")
    assert isinstance(one, TestReportPart)
    assert isinstance(two, TestReportPart)
    assert one.tests[0].test != two.tests[0].test
    assert one.report != two.report


def test_a_bad_event_of_a_batch_costs_no_other() -> None:
    good = example("taskrun.finished.0.3.0")
    bad = content("taskrun.finished.0.3.0", outcome="perhaps")
    body = json.dumps([good, bad, example("change.reviewed.0.3.0"), {}, good]).encode()
    found = list(read(body, {"content-type": BATCH}, HERE))
    assert [one.place for one in found if isinstance(one, Row)] == ["element 1", "element 5"]
    refusals = [(one.place, one.field) for one in found if isinstance(one, Refusal)]
    assert refusals == [("element 2", "outcome"), ("element 4", "specversion")]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
paths = st.sampled_from(
    ["context.type", "context.timestamp", "subject", "subject.id", "subject.source", "subject.content", "customData"]
    + [f"customData.argus.{one}" for one in ("project", "run", "job", "attempt", "test", "deploy", "duration_ms")]
    + [f"subject.content.{one}" for one in sorted({field for some in CONTENT.values() for field in some})]
    + ["subject.content.environment.id", "subject.content.testCase.id", "subject.content.pipelineRun.id"]
)


@given(st.sampled_from(sorted(CONTENT)), paths, anything)
def test_no_event_breaks_the_reader(kind: str, path: str, value: object) -> None:
    event = json.loads(json.dumps(content(kind)))
    at = event["data"]
    *above, last = path.split(".")
    for one in above:
        at = at.setdefault(one, {})
    at[last] = value
    for one in told(event, Defaults(project="acme/app", job="e2e", pipelines="jobs")):
        assert isinstance(one, Refusal) or encode(one.record)
