"""Webhooks of GitLab: whether one is genuine, and what it tells.

GitLab's own words are https://docs.gitlab.com/user/project/integrations/webhook_events/.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, NamedTuple

from standardwebhooks.webhooks import Webhook

from contracts.records import Change, DeployStep, Event, JobExecution
from gateway.ingest import changes
from gateway.ingest.authors import Authors
from gateway.ingest.claims import Claim, Fields, called, text, time_ms, within
from gateway.ingest.csv import OUTCOMES

SIGNATURE = "webhook-signature"
SIGNING = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
"""A secret that can sign: its 32 bytes in base64."""
STALE_S = 300.0
"""A signature is good for so long after its time stamp, and before it."""
_ERRORS = (
    "runner_system_failure", "runner_unsupported", "scheduler_failure", "data_integrity_failure", "archived_failure",
    "api_failure", "stale_schedule", "unmet_prerequisites", "ci_quota_exceeded", "missing_dependency_failure",
)  # fmt: skip
_TIMEOUTS = ("stuck_or_timeout_failure", "job_execution_timeout")
_CHANGES = {"opened": "open", "locked": "open"}
_DEPLOYS = {"running": "started", "success": "succeeded", "failed": "failed"}


def genuine(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str], now_s: float) -> bool:
    """Whether one of these secrets was shown, or signed the raw body not long before `now_s` (epoch seconds).

    Signatures are those of https://www.standardwebhooks.com; each secret is compared in constant time.
    """
    secrets, shown = list(secrets), headers.get("x-gitlab-token", "").encode()
    return any(hmac.compare_digest(one.encode(), shown) for one in secrets) or _signed(body, headers, secrets, now_s)


def _signed(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str], now_s: float) -> bool:
    name, told_s = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not re.fullmatch(r"[0-9]{1,12}", told_s) or abs(now_s - int(told_s)) > STALE_S:
        return False
    shown = headers.get(SIGNATURE, "").encode().split(b" ")
    try:
        said = body.read().decode()
    except UnicodeDecodeError:
        return False
    at = datetime.fromtimestamp(int(told_s), UTC)
    signing = [Webhook(one) for one in secrets if SIGNING.fullmatch(one)]
    made = [one.sign(msg_id=name, timestamp=at, data=said).encode() for one in signing]
    return any(hmac.compare_digest(one, other) for one in made for other in shown)


def claims(fields: Fields, headers: Mapping[str, str], authors: Authors) -> Iterator[Claim]:  # noqa: ARG001
    """What a delivery tells: one record, or one of each commit that was pushed."""
    event = fields.get("object_kind")
    if event == "push":
        yield from changes.pushed(fields, _project(fields), authors)
    elif isinstance(event, str) and (told := _TOLD.get(event)):
        yield Claim(event, told.kind, partial(told.fields, fields, authors))


def _project(fields: Fields) -> object:
    return within(fields, "project", "path_with_namespace")


def _job(fields: Fields, authors: Authors) -> dict[str, object] | None:  # noqa: ARG001
    if fields.get("build_finished_at") is None:
        return None
    ended, reason = called(OUTCOMES, fields.get("build_status")), fields.get("build_failure_reason")
    if ended == "failure":
        ended = "timeout" if reason in _TIMEOUTS else "error" if reason in _ERRORS else "failure"
    retries = fields.get("retries_count")
    return {
        "project": _project(fields),
        "run": text(fields.get("pipeline_id")),
        "job": fields.get("build_name"),
        "attempt": retries + 1 if type(retries) is int else None,
        "outcome": ended,
        "started_ms": time_ms("build_started_at", fields.get("build_started_at")),
        "finished_ms": time_ms("build_finished_at", fields.get("build_finished_at")),
        "workflow": fields.get("build_stage"),
        "commit": fields.get("sha"),
        "branch": fields.get("ref"),
    }


def _pipeline(fields: Fields, authors: Authors) -> dict[str, object] | None:  # noqa: ARG001
    """A pipeline that failed without a job, as one whose configuration is broken, has nothing else that tells of it.

    Its jobs are not taken from here: they come without their retry count, so that a retry would be the first attempt
    once more, and job events tell of each.
    """
    pipeline = fields.get("object_attributes")
    if within(pipeline, "status") != "failed" or fields.get("builds") != []:
        return None
    return {
        "project": _project(fields),
        "run": text(within(pipeline, "id")),
        "job": "pipeline",
        "outcome": "error",
        "finished_ms": time_ms("finished_at", within(pipeline, "finished_at") or within(pipeline, "created_at")),
        "workflow": within(pipeline, "name"),
        "commit": within(pipeline, "sha"),
        "branch": within(pipeline, "ref"),
        "message": "the pipeline failed without a job",
        "url": within(pipeline, "url"),
    }


def _merge_request(fields: Fields, authors: Authors) -> dict[str, object] | None:
    """As it stands at its last commit; an update that brought no commit tells nothing of it."""
    request, project = fields.get("object_attributes"), _project(fields)
    action = within(request, "action")
    if action not in ("open", "reopen", "close", "merge") and not (action == "update" and within(request, "oldrev")):
        return None
    address, state = within(request, "last_commit", "author", "email"), within(request, "state")
    return {
        "project": project,
        "commit": within(request, "last_commit", "id"),
        "committed_ms": time_ms("updated_at", within(request, "updated_at")),
        "branch": within(request, "source_branch"),
        "change": text(within(request, "iid")),
        "state": called(_CHANGES, state),
        "base": within(request, "target_branch"),
        "author": changes.author(authors, project, address),
        "trigger": changes.trigger(address),
        "is_fix": changes.is_fix(f"{within(request, 'title') or ''}\n{within(request, 'description') or ''}"),
        "url": within(request, "url"),
    }


def _deployment(fields: Fields, authors: Authors) -> dict[str, object] | None:  # noqa: ARG001
    """One that is canceled, or waits for an approval, was neither started nor has it failed."""
    status = fields.get("status")
    if status not in tuple(_DEPLOYS):
        return None
    return {
        "project": _project(fields),
        "deploy": text(fields.get("deployment_id")),
        "environment": fields.get("environment"),
        "state": _DEPLOYS[status],
        "at_ms": time_ms("status_changed_at", fields.get("status_changed_at")),
        "head": _commit(fields.get("commit_url"), fields.get("short_sha")),
        "branch": fields.get("ref"),
        "url": fields.get("deployable_url"),
    }


def _commit(url: object, short: object) -> object:
    """The whole of a commit of which only the address has more than the first characters."""
    whole = url.rpartition("/")[2] if isinstance(url, str) else ""
    return whole if isinstance(short, str) and whole.startswith(short) else short


class _Told(NamedTuple):
    kind: type[Event]
    fields: Callable[[Fields, Authors], dict[str, object] | None]


_TOLD = {
    "build": _Told(JobExecution, _job),
    "pipeline": _Told(JobExecution, _pipeline),
    "merge_request": _Told(Change, _merge_request),
    "deployment": _Told(DeployStep, _deployment),
}
