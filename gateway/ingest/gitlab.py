"""Webhooks of GitLab: whether one is genuine, and what it tells of."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from contracts.records import JobExecution
from gateway.ingest.authors import Authors
from gateway.ingest.claims import Claim, Fields, text, time_ms, within
from gateway.ingest.csv import OUTCOMES

_ERRORS = {
    "runner_system_failure", "runner_unsupported", "scheduler_failure", "data_integrity_failure", "archived_failure",
    "api_failure", "stale_schedule", "unmet_prerequisites", "ci_quota_exceeded", "missing_dependency_failure",
}  # fmt: skip
_TIMEOUTS = {"stuck_or_timeout_failure", "job_execution_timeout"}


def genuine(_: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str]) -> bool:
    """Whether one of these secrets was shown; each is compared in constant time."""
    shown = headers.get("x-gitlab-token", "").encode()
    return any(hmac.compare_digest(one.encode(), shown) for one in secrets)


def claims(fields: Fields, headers: Mapping[str, str], authors: Authors) -> Iterator[Claim]:  # noqa: ARG001
    """What a delivery tells of: the job hook of a finished job."""
    if fields.get("object_kind") == "build" and fields.get("build_finished_at") is not None:
        yield Claim("build", JobExecution, partial(_job, fields))


def _job(fields: Fields) -> dict[str, object]:
    status, reason = str(fields.get("build_status")), str(fields.get("build_failure_reason"))
    outcome = OUTCOMES.get(status, status)
    if outcome == "failure" and reason in _TIMEOUTS:
        outcome = "timeout"
    elif outcome == "failure" and reason in _ERRORS:
        outcome = "error"
    retries = fields.get("retries_count")
    return {
        "project": within(fields, "project", "path_with_namespace"),
        "run": text(fields.get("pipeline_id")),
        "job": fields.get("build_name"),
        "attempt": retries + 1 if type(retries) is int else None,
        "outcome": outcome,
        "started_ms": time_ms("build_started_at", fields.get("build_started_at")),
        "finished_ms": time_ms("build_finished_at", fields.get("build_finished_at")),
        "workflow": fields.get("build_stage"),
        "commit": fields.get("sha"),
        "branch": fields.get("ref"),
    }
