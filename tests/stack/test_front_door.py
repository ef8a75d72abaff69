"""What is sent to the gateway: on the log once, acknowledged, or refused with a reason."""

import gzip
import hmac
import io
import json
import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from contracts.errors import Misconfigured
from contracts.records import JobExecution, TestReportPart, decode
from contracts.topics import CHANGES, DEPLOYS, PRODUCTION_ERRORS, RUNS, TEST_RESULTS, Topic
from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from gateway.aliases import TestAliases
from gateway.ingest.otlp import JSON, PROTOBUF
from gateway.processes import gateway
from gateway.tenants import Tenants
from gateway.webhook_secrets import WebhookSecrets
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, now_ms, running
from tests.stack.topic_reading import everything, split
from tests.unit.gateway.ingest.otlp_requests import Told, in_json, protobuf

ROOT = Path(__file__).parents[2]
JUNIT = '<testsuite name="s"><testcase classname="c" name="{}"/></testsuite>'
WHERE = {"project": "acme/app", "run": "1", "job": "test"}


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    """A namespace with a gateway in it."""
    settings = stack.settings(f"door-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}")
    migrate(settings.postgres.get_secret_value(), settings.namespace)
    with flow(settings) as one, running(lambda stop: gateway(settings, stop, now_ms)):
        eventually("ready", lambda: ready(one))
        yield one


def ready(day: Flow) -> bool:
    try:
        return httpx.get(f"http://{day.settings.gateway}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def tenants_of(day: Flow) -> Tenants:
    return Tenants.of(day.settings, partial(datetime.now, UTC))


def secrets_of(day: Flow) -> WebhookSecrets:
    return WebhookSecrets.of(day.settings, partial(datetime.now, UTC))


def token(day: Flow, *scopes: str, tenant: str = "acme") -> str:
    tenants = tenants_of(day)
    tenants.create(tenant, "test")
    return tenants.create_token(tenant, label="ci", scopes=scopes, life=None, actor="test")


@contextmanager
def calling(day: Flow, shown: str | None) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {shown}"} if shown else {}
    with httpx.Client(base_url=f"http://{day.settings.gateway}/api/v1", headers=headers, timeout=40) as client:
        yield client


def on_log(day: Flow, topic: Topic) -> list[Any]:
    events, _ = split(everything(day.settings, topic))
    return [decode(topic.record, one.value()) for one in events]


def execution(run: str, project: str = "acme/app", **changed: object) -> dict[str, object]:
    return {"project": project, "run": run, "job": "build", "outcome": "failure", "finished_ms": now_ms(), **changed}


def test_a_batch_is_on_the_log_when_it_is_answered_and_its_bad_rows_are_named(day: Flow) -> None:
    good = [execution(str(number)) for number in range(300)]
    bad = [execution("x", outcome="perhaps"), execution("y", project="globex/app"), execution("z", finished_ms=1)]
    ahead = execution("w", finished_ms=now_ms() + 3_600_000)
    with calling(day, token(day, "ingest")) as client:
        packed = gzip.compress(json.dumps([*good, *bad, ahead]).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = client.post("/ingest/events", content=packed, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["duplicate"], told["refused"]) == (202, 300, 0, 4)
    assert [(one["place"], one["field"]) for one in told["refusals"]] == [
        ("element 301", "outcome"), ("element 302", "project"), ("element 303", "finished_ms"),
        ("element 304", "finished_ms"),
    ]  # fmt: skip
    counted = httpx.get(f"http://{day.settings.gateway}/metrics", timeout=5).text
    assert 'argus_ingest_records_total{route="events",told="accepted"} 300.0' in counted
    assert 'argus_ingest_records_total{route="events",told="refused"} 4.0' in counted
    found = on_log(day, RUNS)
    assert {one.run for one in found} == {str(number) for number in range(300)}
    assert all(isinstance(one, JobExecution) for one in found)


def test_a_delivery_that_comes_again_is_told_to_be_a_duplicate_and_is_not_sent_again(day: Flow) -> None:
    lines = "\n".join(json.dumps(execution(str(number))) for number in range(3))
    with calling(day, token(day, "ingest")) as client:
        first = client.post("/ingest/events", content=lines).json()
        again = client.post("/ingest/events", content=lines)
        assert (first["accepted"], again.status_code) == (3, 202)
        assert (again.json()["accepted"], again.json()["duplicate"]) == (0, 3)
        key, body = {"Idempotency-Key": "delivery-7"}, json.dumps(execution("8"))
        assert client.post("/ingest/events", content=body, headers=key).json()["accepted"] == 1
        assert client.post("/ingest/events", content=body, headers=key).json()["duplicate"] == 1
        other = client.post("/ingest/events", content=json.dumps(execution("9")), headers=key)
        assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)
    assert sorted(one.run for one in on_log(day, RUNS)) == ["0", "1", "2", "8"]


def test_one_tenant_s_deliveries_are_nothing_to_another(day: Flow) -> None:
    key = {"Idempotency-Key": "same"}
    for tenant in ("acme", "globex"):
        with calling(day, token(day, "ingest", tenant=tenant)) as client:
            body = json.dumps(execution("1", project=f"{tenant}/app"))
            assert client.post("/ingest/events", content=body, headers=key).json()["accepted"] == 1


def test_junit_files_come_as_a_body_or_as_a_form_and_each_is_a_report(day: Flow) -> None:
    with calling(day, token(day, "ingest")) as client:
        raw = client.post("/ingest/junit", params=WHERE, content=JUNIT.format("one"))
        files = [("file", (name, JUNIT.format(test))) for name, test in (("a.xml", "two"), ("a.xml", "three"))]
        named = {**WHERE, "report": "modA"}
        form = client.post("/ingest/junit", params=named, files=[*files, ("file", ("b.xml", "<html/>"))])
        again = client.post("/ingest/junit", params=named, files=[*files, ("file", ("b.xml", "<html/>"))])
        loose = [client.post("/ingest/junit", params=WHERE, files=files[at : at + 1]) for at in range(2)]
        no_form = client.post("/ingest/junit", params=WHERE, data={"file": "no"})
        nameless = client.post("/ingest/junit", params={**WHERE, "project": "acme"}, content=JUNIT.format("one"))
    assert (raw.status_code, form.status_code, nameless.status_code) == (202, 202, 422)
    assert no_form.status_code == 422, "a form that is no file is no JUnit either"
    assert (raw.json()["accepted"], form.json()["accepted"], form.json()["refused"]) == (1, 2, 1)
    assert form.json()["refusals"][0]["file"] == "b.xml"
    assert again.json()["duplicate"] == 2, "the form's boundary is another one each time"
    assert [one.json()["accepted"] for one in loose] == [1, 1]
    parts = on_log(day, TEST_RESULTS)
    assert all(isinstance(one, TestReportPart) for one in parts)
    tests = {one.report: one.tests[0].test for one in parts}
    assert len(tests) == len(parts) == 5, "files of one name are reports of their own"
    assert (tests["modA/a.xml"], tests["modA/a.xml#2"]) == ("s::c::two", "s::c::three")
    assert sorted(tests.values()) == ["s::c::one", *["s::c::three"] * 2, *["s::c::two"] * 2]


def test_the_reports_of_an_archive_come_without_secrets_and_a_renamed_test_has_its_new_name(day: Flow) -> None:
    failing = '<testsuite name="s"><testcase classname="c" name="{}"><failure message="{}"/></testcase></testsuite>'
    secret = "ghp_" + "a1B2" * 9
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/x.xml", failing.format("old[1]", f"remote: {secret}"))
        archive.writestr("../b.xml", failing.format("other", "PGPASSWORD=hunter2 psql failed"))
        archive.writestr("inner.zip", b"PK")
    shown, aliases = token(day, "ingest"), TestAliases.of(day.settings, partial(datetime.now, UTC))
    aliases.add("acme/app", "s::c::old[1]", "s::c::newer[1]", "test")
    aliases.add("acme/app", "s::c::newer[1]", "s::c::newest[1]", "test")
    with pytest.raises(Misconfigured, match="leads back"):
        aliases.add("acme/app", "s::c::newest[1]", "s::c::old[1]", "test")
    with pytest.raises(Misconfigured, match="no tenant"):
        aliases.add("globex/app", "a", "b", "test")
    with calling(day, shown) as client:
        told = client.post("/ingest/junit", params={**WHERE, "report": "modA"}, content=packed.getvalue()).json()
    assert (told["accepted"], told["refused"], told["refusals"][0]["place"]) == (2, 1, "inner.zip")
    tests = {one.report: one.tests[0] for one in on_log(day, TEST_RESULTS)}
    assert {name: test.message for name, test in tests.items()} == {
        "modA/a/x.xml": "remote: [redacted:github-token]",
        "modA/../b.xml": "PGPASSWORD=[redacted:password] psql failed",
    }
    renamed = tests["modA/a/x.xml"]
    assert (renamed.test, renamed.name, renamed.params) == ("s::c::newest[1]", "old", "1")
    aliases.remove("acme/app", "s::c::old[1]", "test")
    assert [(one.old, one.new) for one in aliases.listed("acme/app")] == [("s::c::newer[1]", "s::c::newest[1]")]
    with pytest.raises(Misconfigured, match="no alias"):
        aliases.remove("acme/app", "s::c::old[1]", "test")
    with postgres_connection(day.settings.postgres.get_secret_value(), day.settings.namespace, timeout_s=5) as audited:
        actions = [action for (action,) in audited.execute("SELECT action FROM audit ORDER BY id")]
    assert actions[-3:] == ["test alias added", "test alias added", "test alias removed"]


def test_who_shows_no_token_or_the_wrong_one_gets_nowhere(day: Flow) -> None:
    shown = token(day, "read")
    with calling(day, None) as client:
        assert client.post("/ingest/events", content="{}").status_code == 401
    with calling(day, shown) as client:
        assert client.post("/ingest/events", content="{}").status_code == 403
        assert client.get("/features/project:globex/app:failure_rate_24h").status_code == 403
        assert client.get("/features/project:acme/app:failure_rate_24h").status_code == 404
        tenants_of(day).revoke(shown.split("_")[1], "test")
        eventually(
            "revoked", lambda: client.get("/features/project:acme/app:failure_rate_24h").status_code,
            lambda status: status == 401,
        )  # fmt: skip
    assert on_log(day, RUNS) == []
    (known,) = tenants_of(day).tokens("acme")
    assert known.used_at is not None
    assert shown.split("_", 2)[2] not in repr(known)


def test_a_signed_webhook_is_a_job_execution_and_a_forged_one_is_nothing(day: Flow) -> None:
    tenants = tenants_of(day)
    tenants.create("acme", "test")
    old, new, newest = (secrets_of(day).create("acme", "github", "test") for _ in range(3))
    finished = datetime.fromtimestamp(now_ms() // 1000, UTC).isoformat()
    job = {
        "run_id": 4711, "run_attempt": 2, "name": "unit", "conclusion": "failure", "workflow_name": "ci",
        "head_sha": "abc", "head_branch": "main", "started_at": finished, "completed_at": finished,
    }  # fmt: skip
    told = {"action": "completed", "workflow_job": job, "repository": {"full_name": "acme/app"}}
    body = json.dumps(told).encode()
    with calling(day, None) as client:

        def post(secret: str, delivery: str, tenant: str = "acme") -> httpx.Response:
            signed = hmac.new(secret.encode(), body, "sha256").hexdigest()
            headers = {"X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={signed}"}
            return client.post("/ingest/github", params={"tenant": tenant}, content=body, headers=headers)

        assert post(new, "1").json()["accepted"] == 1
        assert post(newest, "1").json()["duplicate"] == 1
        assert [post(old, "2").status_code, post(newest, "3", "globex").status_code] == [401, 401]
        assert client.post("/ingest/gitlab", params={"tenant": "acme"}, content=body).status_code == 401
        assert client.post("/ingest/github", params={"tenant": "\0"}, content=body).status_code == 422
    (found,) = on_log(day, RUNS)
    assert (found.project, found.run, found.job, found.attempt, found.outcome) == (
        "acme/app", "4711", "unit", 2, "failure"
    )  # fmt: skip


def cdevent(kind: str, number: int, content: dict[str, object], **custom: object) -> dict[str, Any]:
    at = datetime.fromtimestamp(now_ms() / 1000, UTC).isoformat()
    about = {"id": str(number), "source": "https://github.com/acme/app", "type": f"dev.cdevents.{kind}.0.3.0"}
    data = {
        "context": {"specversion": "0.5.0", **about, "timestamp": at},
        "subject": {"id": f"subject-{number}", "content": content},
        "customData": {"argus": custom},
    }
    return {"specversion": "1.0", **about, "data": data}


def test_cdevents_come_in_binary_structured_and_batch_mode_and_are_known_by_their_id(day: Flow) -> None:
    task = cdevent("taskrun.finished", 1, {"taskName": "unit", "pipelineRun": {"id": "4711"}, "outcome": "cancel"})
    where = {"environment": {"id": "prod"}, "artifactId": "pkg:oci/app@sha256%3A0b31"}
    test = {"environment": {"id": "dev"}, "testCase": {"id": "login"}, "outcome": "failure"}
    batch = [
        cdevent("testcaserun.finished", 2, test, run="4711"), cdevent("service.rolledback", 3, where),
        cdevent("incident.detected", 4, {**where, "service": {"id": "shop"}}),
        cdevent("change.merged", 5, {}, commit="abc"), cdevent("change.reviewed", 6, {}),
        cdevent("taskrun.finished", 7, {"taskName": "unit", "outcome": "perhaps"}),
        cdevent("taskrun.finished", 8, {"taskName": "unit", "outcome": "success"}, project="globex/app"),
    ]  # fmt: skip
    with calling(day, token(day, "ingest")) as client:

        def post(content: object, kind: str, **headers: str) -> httpx.Response:
            told = {"Content-Type": kind, **headers}
            return client.post("/ingest/cdevents?job=e2e", content=json.dumps(content), headers=told)

        binary = {f"ce-{name}": str(task[name]) for name in ("specversion", "id", "source", "type")}
        assert post(task["data"], "application/cdevents+json", **binary).json()["accepted"] == 1
        assert post(task["data"], "application/cdevents+json", **binary).json()["duplicate"] == 1
        deploy = cdevent("service.deployed", 9, where)
        one = "application/cloudevents+json"
        assert post(deploy, one).json()["accepted"] == 1
        assert post(deploy, one).json()["duplicate"] == 1
        assert post({**deploy, "data": {**deploy["data"], "customData": {}}}, one).status_code == 422
        several = post(batch, "application/cloudevents-batch+json").json()
        nothing = post(batch[4], one)
        assert post("x" * 2_100_000, one).status_code == 413
    assert (several["accepted"], several["refused"], nothing.status_code) == (4, 2, 200)
    assert [(one["place"], one["field"]) for one in several["refusals"]] == [
        ("element 6", "outcome"), ("element 7", "project")
    ]  # fmt: skip
    (job,) = on_log(day, RUNS)
    assert (job.project, job.run, job.job, job.outcome) == ("acme/app", "4711", "unit", "cancelled")
    (part,) = on_log(day, TEST_RESULTS)
    assert (part.run, part.job, part.k, part.n, part.tests[0].test) == ("4711", "e2e", 1, 1, "login")
    steps = {one.state: one.artifact for one in on_log(day, DEPLOYS)}
    assert steps == dict.fromkeys(("succeeded", "rolled_back"), where["artifactId"])
    (incident,) = on_log(day, PRODUCTION_ERRORS)
    assert (incident.error, incident.service, incident.artifact) == ("subject-4", "shop", where["artifactId"])
    (change,) = on_log(day, CHANGES)
    assert (change.commit, change.change, change.state) == ("abc", "subject-5", "merged")


def test_a_webhook_of_gitlab_is_genuine_by_its_signature_or_by_its_token(day: Flow) -> None:
    tenants = tenants_of(day)
    tenants.create("acme", "test")
    secret = secrets_of(day).create("acme", "gitlab", "test")
    commit = {"id": "abc", "timestamp": "2026-01-01T00:00:00Z", "message": "fix: door", "added": ["door.py"]}
    with calling(day, None) as client:

        def post(number: int, at_s: int | None, **headers: str) -> int:
            project = {"path_with_namespace": "acme/app"}
            push = {"object_kind": "push", "ref": "refs/heads/main", "project": project, "commits": [commit]}
            body = json.dumps({**push, "number": number})
            if at_s is not None:
                signature = Webhook(secret).sign("one", datetime.fromtimestamp(at_s, UTC), body)
                headers |= {"webhook-id": "one", "webhook-timestamp": str(at_s), "webhook-signature": signature}
            return client.post("/ingest/gitlab", params={"tenant": "acme"}, content=body, headers=headers).status_code

        now_s = now_ms() // 1000
        assert [post(1, now_s), post(2, None, **{"X-Gitlab-Token": secret})] == [202, 202]
        assert [post(3, now_s - 400), post(4, None, **{"X-Gitlab-Token": "no"}), post(5, None)] == [401, 401, 401]
    assert {(one.commit, one.is_fix, one.files_changed) for one in on_log(day, CHANGES)} == {("abc", True, 1)}


def test_an_error_of_sentry_signed_with_its_own_secret_is_on_the_log(day: Flow) -> None:
    tenants = tenants_of(day)
    tenants.create("acme", "test")
    with pytest.raises(Misconfigured, match="--secret-file"):
        secrets_of(day).create("acme", "sentry", "test")
    with pytest.raises(Misconfigured, match="5 characters"):
        secrets_of(day).keep("acme", "sentry", "short", "test")
    for _ in range(2):
        secrets_of(day).keep("acme", "sentry", "client-secret-of-sentry", "test")
    seen = datetime.fromtimestamp(now_ms() // 1000, UTC).isoformat()
    issue = {"id": "7", "title": "TypeError", "lastSeen": seen, "project": {"slug": "front-end"}, "count": "3"}
    body = json.dumps({"action": "created", "data": {"issue": issue}}).encode()
    signed = hmac.new(b"client-secret-of-sentry", body, "sha256").hexdigest()
    with calling(day, None) as client:

        def post(signature: str, *projects: str) -> httpx.Response:
            headers = {"Sentry-Hook-Resource": "issue", "Sentry-Hook-Signature": signature}
            params = {"tenant": "acme", "project": projects}
            return client.post("/ingest/sentry", params=params, content=body, headers=headers)

        assert [post(signed).status_code, post(signed, "acme").status_code] == [422, 422], "whose it is is not told"
        assert post("0" * 64, "acme/app").status_code == 401
        foreign = post(signed, "globex/app")
        assert (foreign.status_code, foreign.json()["refused"]) == (200, 1)
        assert post(signed, "front-end:acme/web", "acme/app").json()["accepted"] == 1
        assert post(signed, "front-end:acme/web", "acme/app").json()["duplicate"] == 1
    (found,) = on_log(day, PRODUCTION_ERRORS)
    assert (found.project, found.error, found.service, found.count) == ("acme/web", "7", "front-end", 3)


def test_spans_of_ci_are_on_the_log_and_the_exporter_hears_which_are_not(day: Flow) -> None:
    whose = {"vcs.repository.url.full": "https://github.com/acme/app", "cicd.pipeline.run.id": "7"}
    task = {"cicd.pipeline.task.name": "unit", "cicd.pipeline.task.run.result": "failure"}
    test = {"cicd.pipeline.task.name": "unit", "test.case.name": "adds", "test.case.result.status": "fail"}
    deploy = {"deployment.id": "1", "deployment.status": "failed", "deployment.environment.name": "production"}
    now = now_ms()
    spans = [
        Told(at, one, ended_ms=now) for at, one in enumerate((task, test, {**test, "test.case.name": "b"}, deploy))
    ]
    foreign = Told(7, {**task, "argus.project": "globex/app"}, ended_ms=now)
    late = Told(8, test, ended_ms=1_600_000_000_000)
    with calling(day, token(day, "ingest")) as client:

        def post(path: str, kind: str, body: bytes) -> httpx.Response:
            headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
            return client.post(f"/ingest/otlp{path}", content=gzip.compress(body), headers=headers)

        whole = post("/v1/traces", PROTOBUF, protobuf(spans, whose))
        assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, PROTOBUF, b"")
        again = post("", JSON, in_json([*spans, foreign, late], whose))
        partial = again.json()["partialSuccess"]
        assert (again.status_code, partial["rejectedSpans"]) == (200, "2")
        assert "globex/app" in partial["errorMessage"]
        assert "older than 24 h" in partial["errorMessage"]
        assert post("/v1/traces", PROTOBUF, b"{}").status_code == 400
        assert post("/v1/traces", "text/plain", b"").status_code == 415
        assert post("", JSON, b" " * 3_000_000).status_code == 413
    with calling(day, None) as client:
        assert client.post("/ingest/otlp/v1/traces", content=b"").status_code == 401
    jobs, parts, steps = on_log(day, RUNS), on_log(day, TEST_RESULTS), on_log(day, DEPLOYS)
    assert [len(jobs), len(parts), len(steps)] == [2, 2, 2]
    assert [one[0] == one[1] for one in (jobs, parts, steps)] == [True] * 3, "both encodings say the same"
    assert (jobs[0].project, jobs[0].run, jobs[0].job, steps[0].state) == ("acme/app", "7", "unit", "failed")
    assert [one.test for one in parts[0].tests] == ["::::adds", "::::b"]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on this machine")
def test_the_script_for_ci_uploads_every_file_and_says_so(day: Flow, tmp_path: Path) -> None:
    for name in ("TEST-a.xml", "deep/er/TEST-a.xml", 'deep/odd; "name".xml'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(JUNIT.format(len(name)))
    about = {"PROJECT": "acme/app", "RUN": "7", "JOB": "unit & more", "BRANCH": "fix/ä", "FILES": "**/*.xml"}
    where = {"ARGUS_URL": f"http://{day.settings.gateway}", "ARGUS_TOKEN": token(day, "ingest")}
    told = subprocess.run(
        ["bash", str(ROOT / "docs" / "ci" / "upload-junit.sh")],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], **where, **about}, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert '"accepted":3' in told.stdout, told
    parts = on_log(day, TEST_RESULTS)
    assert {(one.job, one.attempt, one.branch) for one in parts} == {("unit & more", 1, "fix/ä")}
    assert {one.tests[0].name for one in parts} == {"10", "18", "20"}


def test_while_the_broker_is_silent_the_sender_is_asked_to_come_again_and_then_nothing_is_missing(
    stack: Stack, day: Flow
) -> None:
    body = json.dumps(execution("1"))
    with calling(day, token(day, "ingest")) as client:
        stack.kill("kafka", signal.SIGSTOP)
        try:
            answer = client.post("/ingest/events", content=body)
        finally:
            stack.kill("kafka", signal.SIGCONT)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        again = eventually(
            "taken", lambda: client.post("/ingest/events", content=body), lambda one: one.status_code == 202, 40
        )
    assert again.json()["accepted"] == 1
    assert {one.run for one in on_log(day, RUNS)} == {"1"}
