"""Webhooks of CI systems: whether one is genuine, and the job execution that it tells of.

GitHub signs the raw body (`X-Hub-Signature-256`), GitLab shows its secret (`X-Gitlab-Token`). Read are the deliveries
that tell of a finished job, GitHub's `workflow_job` and GitLab's `build`; any other is taken note of and nothing more.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO
from urllib.parse import parse_qs

import msgspec

from contracts.errors import BadRecord
from contracts.records import JobExecution, checked
from gateway.ingest.body import MIB, PIECE
from gateway.ingest.csv import OUTCOMES, epoch_ms
from gateway.ingest.refusal import Refusal, refused
from gateway.ingest.row import Row, in_size

LARGEST = 25 * MIB
"""Bytes of a delivery: GitHub's own limit, GitLab's is below it."""

FILE = "delivery"
_WAITING = "action_required"
_GITLAB_ERRORS = {
    "runner_system_failure", "runner_unsupported", "scheduler_failure", "data_integrity_failure", "archived_failure",
    "api_failure", "stale_schedule", "unmet_prerequisites", "ci_quota_exceeded", "missing_dependency_failure",
}  # fmt: skip
_GITLAB_TIMEOUTS = {"stuck_or_timeout_failure", "job_execution_timeout"}
_UTC = re.compile(r" UTC$")

Fields = Mapping[str, Any]


def github_signed(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str]) -> bool:
    """Whether one of these secrets made the signature; each is compared in constant time."""
    made = [hmac.new(one.encode(), digestmod=sha256) for one in secrets]
    while piece := body.read(PIECE):
        for one in made:
            one.update(piece)
    shown = headers.get("x-hub-signature-256", "").encode()
    return any(hmac.compare_digest(b"sha256=" + one.hexdigest().encode(), shown) for one in made)


def gitlab_shown(_: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str]) -> bool:
    """Whether one of these secrets was shown."""
    shown = headers.get("x-gitlab-token", "").encode()
    return any(hmac.compare_digest(one.encode(), shown) for one in secrets)


def github_job(fields: Fields) -> dict[str, object] | None:
    """The fields of a job execution; None where the delivery tells of no finished job."""
    job = fields.get("workflow_job")
    if not isinstance(job, Mapping) or fields.get("action") != "completed":
        return None
    conclusion = str(job.get("conclusion"))
    return _present(
        {
            "project": _within(fields, "repository", "full_name"),
            "run": _text(job.get("run_id")),
            "job": job.get("name"),
            "attempt": job.get("run_attempt"),
            "outcome": "skipped" if conclusion == _WAITING else OUTCOMES.get(conclusion, conclusion),
            "started_ms": _time("started_at", job.get("started_at")),
            "finished_ms": _time("completed_at", job.get("completed_at")),
            "workflow": job.get("workflow_name"),
            "commit": job.get("head_sha"),
            "branch": job.get("head_branch"),
            "trigger": "bot" if _within(fields, "sender", "type") == "Bot" else "human",
            "url": job.get("html_url"),
        }
    )


def gitlab_job(fields: Fields) -> dict[str, object] | None:
    """The fields of a job execution; None where the delivery tells of no finished job."""
    if fields.get("object_kind") != "build" or fields.get("build_finished_at") is None:
        return None
    status, reason = str(fields.get("build_status")), str(fields.get("build_failure_reason"))
    outcome = OUTCOMES.get(status, status)
    if outcome == "failure" and reason in _GITLAB_TIMEOUTS:
        outcome = "timeout"
    elif outcome == "failure" and reason in _GITLAB_ERRORS:
        outcome = "error"
    retries = fields.get("retries_count")
    return _present(
        {
            "project": _within(fields, "project", "path_with_namespace"),
            "run": _text(fields.get("pipeline_id")),
            "job": fields.get("build_name"),
            "attempt": retries + 1 if type(retries) is int else None,
            "outcome": outcome,
            "started_ms": _time("build_started_at", fields.get("build_started_at")),
            "finished_ms": _time("build_finished_at", fields.get("build_finished_at")),
            "workflow": fields.get("build_stage"),
            "commit": fields.get("sha"),
            "branch": fields.get("ref"),
        }
    )


@dataclass(frozen=True)
class Sender:
    """One CI system: whether it signs the body, how its deliveries are told genuine, and what job they tell of."""

    genuine: Callable[[BinaryIO, Mapping[str, str], Iterable[str]], bool]
    job: Callable[[Fields], dict[str, object] | None]
    signs: bool


SENDERS = {
    "github": Sender(github_signed, github_job, signs=True),
    "gitlab": Sender(gitlab_shown, gitlab_job, signs=False),
}


def read(sender: Sender, body: bytes, content_type: str) -> Iterator[Row | Refusal]:
    """The job execution of one delivery, if it tells of one."""
    try:
        job = sender.job(_fields(body, content_type))
        if job is not None:
            yield in_size(Row(file=FILE, place="body", record=checked(JobExecution, job)))
    except BadRecord as bad:
        yield refused(FILE, "body", bad)


def _fields(body: bytes, content_type: str) -> Fields:
    """The delivery's JSON, which GitHub also sends as the field of a form."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        try:
            body = parse_qs(body.decode(), max_num_fields=8).get("payload", [""])[0].encode()
        except (UnicodeDecodeError, ValueError) as bad:
            raise BadRecord("body", body[:200], "is no form with a payload") from bad
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as bad:
        raise BadRecord("body", body[:200], f"is not JSON: {bad}") from bad
    if not isinstance(fields, dict):
        raise BadRecord("body", body[:200], "is not a JSON object")
    return fields


def _within(fields: Fields, outer: str, inner: str) -> object:
    found = fields.get(outer)
    return found.get(inner) if isinstance(found, Mapping) else None


def _text(value: object) -> object:
    return str(value) if type(value) is int else value


def _time(field: str, value: object) -> int | None:
    """ISO 8601, or GitLab's `2026-11-21 08:19:43 UTC`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(field, value, "is no time")
    return epoch_ms(field, _UTC.sub("Z", value))


def _present(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
