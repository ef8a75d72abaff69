"""Webhooks: which are genuine, and what they tell."""

import hmac
import io
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import JobExecution
from gateway.ingest.authors import hashed_by
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.webhooks import SENDERS, read

GITHUB = {
    "action": "completed",
    "workflow_job": {
        "id": 1, "run_id": 4711, "run_attempt": 2, "name": "unit (3.11)", "workflow_name": "ci", "head_sha": "abc",
        "head_branch": "main", "status": "completed", "conclusion": "timed_out",
        "started_at": "2026-11-21T08:00:00Z", "completed_at": "2026-11-21T08:10:00Z", "html_url": "https://x/y",
    },
    "repository": {"full_name": "acme/app"},
    "sender": {"type": "Bot"},
}  # fmt: skip
GITLAB = {
    "object_kind": "build", "build_name": "unit", "build_stage": "test", "build_status": "failed", "pipeline_id": 2366,
    "build_started_at": "2026-11-21 08:00:00 UTC", "build_finished_at": "2026-11-21 08:10:00 UTC", "retries_count": 1,
    "build_failure_reason": "script_failure", "sha": "abc", "ref": "main",
    "project": {"path_with_namespace": "acme/group/app"},
}  # fmt: skip
AUTHORS = hashed_by("key")
FINISHED_MS = 1_795_248_600_000
NOW_S = 1_795_248_700.0


def told(sender: str, fields: object, content_type: str = "application/json") -> Row | Refusal | None:
    body = json.dumps(fields).encode()
    if content_type != "application/json":
        body = urlencode({"payload": body}).encode()
    return next(read(SENDERS[sender], body, {"content-type": content_type}, AUTHORS), None)


def execution(sender: str, fields: object, content_type: str = "application/json") -> JobExecution:
    found = told(sender, fields, content_type)
    assert isinstance(found, Row)
    assert isinstance(found.record, JobExecution)
    return found.record


def test_a_finished_job_of_github_is_an_execution_in_json_and_in_a_form() -> None:
    wanted = JobExecution(
        project="acme/app", run="4711", job="unit (3.11)", attempt=2, outcome="timeout", workflow="ci", commit="abc",
        branch="main", started_ms=FINISHED_MS - 600_000, finished_ms=FINISHED_MS, trigger="bot", url="https://x/y",
    )  # fmt: skip
    assert execution("github", GITHUB) == wanted
    assert execution("github", GITHUB, "application/x-www-form-urlencoded") == wanted


def test_a_finished_job_of_gitlab_is_an_execution() -> None:
    assert execution("gitlab", GITLAB) == JobExecution(
        project="acme/group/app", run="2366", job="unit", attempt=2, outcome="failure", workflow="test", commit="abc",
        branch="main", started_ms=FINISHED_MS - 600_000, finished_ms=FINISHED_MS,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("runner_system_failure", "error"), ("job_execution_timeout", "timeout"), ("something new", "failure")],
)
def test_gitlab_s_reason_tells_a_failure_from_the_infrastructure_s(reason: str, outcome: str) -> None:
    assert execution("gitlab", {**GITLAB, "build_failure_reason": reason}).outcome == outcome


@pytest.mark.parametrize(
    ("sender", "fields"),
    [
        ("github", {"zen": "Keep it logically awesome."}),
        ("github", {**GITHUB, "action": "in_progress"}),
        ("github", {"action": "completed", "workflow_run": {}}),
        ("gitlab", {**GITLAB, "build_finished_at": None}),
        ("gitlab", {"object_kind": "push"}),
    ],
)
def test_what_tells_of_no_finished_job_is_nothing(sender: str, fields: object) -> None:
    assert told(sender, fields) is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"conclusion": "glorious"}, "outcome"), ({"completed_at": "soon"}, "completed_at"), ({"name": 7}, "job"),
     ({"run_attempt": 0}, "attempt"), ({"completed_at": None}, "finished_ms")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(changed: dict[str, object], field: str) -> None:
    found = told("github", {**GITHUB, "workflow_job": {**GITHUB["workflow_job"], **changed}})  # type: ignore[dict-item]
    assert isinstance(found, Refusal)
    assert found.field in (field, "JobExecution")


github_genuine, gitlab_genuine = SENDERS["github"].genuine, SENDERS["gitlab"].genuine

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["github", "gitlab"]), st.sampled_from(sorted({*GITHUB["workflow_job"], *GITLAB})), anything)
def test_no_delivery_breaks_the_reader(sender: str, field: str, value: object) -> None:
    job = {**GITHUB["workflow_job"], field: value}  # type: ignore[dict-item]
    fields = {**GITHUB, "workflow_job": job} if sender == "github" else {**GITLAB, field: value}
    assert isinstance(told(sender, fields), Row | Refusal | None)


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_no_bytes_break_the_reader(body: bytes, content_type: str) -> None:
    for sender in SENDERS.values():
        assert all(isinstance(one, Refusal) for one in read(sender, body, {"content-type": content_type}, AUTHORS))


def test_github_s_signature_is_over_the_raw_body_by_any_valid_secret() -> None:
    body = b'{"a": 1}'
    signed = {"x-hub-signature-256": "sha256=" + hmac.new(b"new", body, "sha256").hexdigest()}
    assert github_genuine(io.BytesIO(body), signed, ["old", "new"], NOW_S)
    assert not github_genuine(io.BytesIO(body + b" "), signed, ["old", "new"], NOW_S)
    assert not github_genuine(io.BytesIO(body), signed, ["old"], NOW_S)
    assert not github_genuine(io.BytesIO(body), signed, [], NOW_S)
    assert not github_genuine(io.BytesIO(body), {}, ["new"], NOW_S)


def test_gitlab_s_token_is_one_of_the_valid_secrets() -> None:
    assert gitlab_genuine(io.BytesIO(), {"x-gitlab-token": "new"}, ["old", "new"], NOW_S)
    assert not gitlab_genuine(io.BytesIO(), {"x-gitlab-token": "new"}, ["old"], NOW_S)
    assert not gitlab_genuine(io.BytesIO(), {}, ["new"], NOW_S)
