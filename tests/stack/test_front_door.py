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

from contracts.errors import Misconfigured
from contracts.records import JobExecution, TestReportPart, decode
from contracts.topics import RUNS, TEST_RESULTS, Topic
from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from gateway.aliases import alias_registry
from gateway.processes import gateway
from gateway.tenants import Tenants, registry
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, now_ms, running
from tests.stack.topic_reading import everything, split

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
    return registry(day.settings, partial(datetime.now, UTC))


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
    shown, aliases = token(day, "ingest"), alias_registry(day.settings, partial(datetime.now, UTC))
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
    old, new, newest = (tenants.create_webhook_secret("acme", "github", "test") for _ in range(3))
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
