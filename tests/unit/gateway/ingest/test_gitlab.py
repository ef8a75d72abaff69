"""What each hook of GitLab tells, and that a signed one is genuine."""

import base64
import hashlib
import hmac
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import Change, ChangedFile, DeployStep, Event, JobExecution
from gateway.ingest.authors import hashed_by
from gateway.ingest.claims import rows
from gateway.ingest.gitlab import claims, genuine
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from tests.unit.gateway.ingest.payloads import GITLAB, SHA

AUTHORS = hashed_by("key")
AT_8_MS, NOW_S = 1_795_248_000_000, 1_795_248_700.5
WEB = "https://gitlab.example.org/acme/group/app/-"
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def read(hook: str, **changed: object) -> list[Row | Refusal]:
    """The rows of a hook; what is changed is a field of it, or of its object where that has it."""
    fields: dict[str, Any] = {**GITLAB[hook]}
    for name, value in changed.items():
        if name in fields.get("object_attributes", {}) or name == "oldrev":
            fields["object_attributes"] = {**fields["object_attributes"], name: value}
        else:
            fields[name] = value
    return list(rows(claims(fields, {}, AUTHORS), "delivery"))


def told(hook: str, **changed: object) -> list[Event]:
    found = read(hook, **changed)
    assert all(isinstance(one, Row) for one in found), found
    return [one.record for one in found if isinstance(one, Row)]


def test_a_pipeline_tells_only_what_no_job_tells() -> None:
    (run,) = told("pipeline")
    assert run == JobExecution(
        project="acme/group/app", run="31", job="pipeline", outcome="error", finished_ms=AT_8_MS, workflow="nightly",
        commit=SHA, branch="main", message="the pipeline failed without a job", url=f"{WEB}/pipelines/31",
    )  # fmt: skip
    assert told("pipeline", builds=[{"id": 377, "name": "unit", "status": "failed"}]) == []
    assert told("pipeline", status="success") == []
    assert told("pipeline", status="running") == []


def test_every_commit_of_a_push_is_a_change_with_its_files() -> None:
    (change,) = told("push")
    assert change == Change(
        project="acme/group/app", commit=SHA, committed_ms=AT_8_MS, branch="main",
        author=AUTHORS("acme/group/app", "ann@example.org"), trigger="human", files_changed=2,
        files=[
            ChangedFile(path="CHANGELOG", status="added"), ChangedFile(path="app/controller.rb", status="modified"),
        ],
        url=f"{WEB}/commit/{SHA}",
    )  # fmt: skip
    assert told("push", object_kind="tag_push", ref="refs/tags/v1") == []
    assert told("push", after="0" * 40, commits=[]) == []


def test_an_address_that_is_not_told_is_nobody_s() -> None:
    (commit,) = GITLAB["push"]["commits"]
    (change,) = told("push", commits=[{**commit, "author": {"name": "x", "email": "[REDACTED]"}}])
    assert isinstance(change, Change)
    assert (change.author, change.trigger) == (None, None)


def test_a_merge_request_is_a_change_at_its_last_commit_when_that_or_its_state_is_new() -> None:
    wanted = Change(
        project="acme/group/app", commit=SHA, committed_ms=AT_8_MS, branch="fix-11", change="12", state="open",
        base="main", author=AUTHORS("acme/group/app", "ann@example.org"), trigger="human", is_fix=True,
        url=f"{WEB}/merge_requests/12",
    )  # fmt: skip
    assert told("merge_request") == told("merge_request", action="update", oldrev="abc") == [wanted]
    states = [
        told("merge_request", action=action, state=state)
        for action, state in (("merge", "merged"), ("close", "closed"))
    ]
    assert [one.state for (one,) in states if isinstance(one, Change)] == ["merged", "closed"]
    assert told("merge_request", action="update") == told("merge_request", action="approved") == []


@pytest.mark.parametrize(("status", "state"), [("running", "started"), ("success", "succeeded"), ("failed", "failed")])
def test_a_deployment_is_a_step_at_its_whole_commit(status: str, state: str) -> None:
    (step,) = told("deployment", status=status)
    assert step == DeployStep(
        project="acme/group/app", deploy="15", environment="staging", state=state,  # type: ignore[arg-type]
        at_ms=AT_8_MS + 5 * 60_000, head=SHA, branch="main", url=f"{WEB}/jobs/796",
    )  # fmt: skip


def test_what_a_deployment_does_not_tell() -> None:
    assert told("deployment", status="canceled") == told("deployment", status="blocked") == []
    (step,) = told("deployment", commit_url="https://gitlab.example.org/elsewhere")
    assert isinstance(step, DeployStep)
    assert step.head == SHA[:8]


def signed(body: bytes, at: str = str(int(NOW_S)), key: bytes = KEY, name: str = "f5e5f430") -> dict[str, str]:
    """The headers of https://www.standardwebhooks.com, made without the library that reads them."""
    made = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name, "webhook-timestamp": at, "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }  # fmt: skip


def holds(body: bytes, headers: dict[str, str], *secrets: str) -> bool:
    return genuine(io.BytesIO(body), headers, secrets or (SECRET,), NOW_S)


def test_a_signature_by_a_valid_secret_is_genuine() -> None:
    body = '{"object_kind": "push", "a": "ä"}'.encode()
    headers = signed(body)
    assert holds(body, headers)
    assert holds(body, headers, "plain", SECRET)
    rotated = {**headers, "webhook-signature": f"v1a,eA== v1,eA== {headers['webhook-signature']}"}
    assert holds(body, rotated), "one of several"


def test_a_secret_token_is_genuine_whatever_form_the_secret_has() -> None:
    assert holds(b"", {"x-gitlab-token": SECRET})
    assert holds(b"", {"x-gitlab-token": "plain"}, "plain")
    assert not holds(b"", {"x-gitlab-token": "plain"})


@pytest.mark.parametrize("late_s", [301, -301, 10**9])
def test_a_stale_signature_proves_nothing(late_s: int) -> None:
    assert not holds(b"{}", signed(b"{}", str(int(NOW_S) - late_s)))
    assert holds(b"{}", signed(b"{}", str(int(NOW_S) - 299)))


@pytest.mark.parametrize(
    "changed",
    [{"webhook-id": "other"}, {"webhook-id": ""}, {"webhook-timestamp": "soon"}, {"webhook-timestamp": ""},
     {"webhook-timestamp": str(int(NOW_S) - 1)}, {"webhook-signature": ""}, {"webhook-signature": "v1,é"}],
)  # fmt: skip
def test_what_was_not_signed_proves_nothing(changed: dict[str, str]) -> None:
    assert not holds(b"{}", {**signed(b"{}"), **changed})
    assert not holds(b"{ }", signed(b"{}"))
    assert not holds(b"{}", signed(b"{}", key=b"another"))
    assert not holds(b"{}", signed(b"{}"), "plain", "whsec_!", "whsec_", "whsec_abcde")


@given(st.binary(max_size=50), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_header_breaks_the_proof(body: bytes, name: str, at: str, shown: str, secret: str) -> None:
    for when in (at, str(int(NOW_S))):
        headers = {"webhook-id": name, "webhook-timestamp": when, "webhook-signature": shown}
        assert not holds(body, headers, SECRET, f"whsec_{secret}")
