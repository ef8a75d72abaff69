"""Webhooks of GitHub: whether one is genuine, and what it tells.

Its content says which event it is: the header that does so is not covered by the signature. GitHub's own words are
https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from contracts.records import LONGEST_DETAILS, Change, DeployStep, Event, JobExecution
from gateway.ingest import changes
from gateway.ingest.authors import Authors
from gateway.ingest.body import PIECE
from gateway.ingest.claims import Claim, Fields, called, text, time_ms, within
from gateway.ingest.csv import OUTCOMES

SIGNATURE = "x-hub-signature-256"
ACTIONS_APP = "github-actions"
"""The app whose check runs are the jobs of workflows."""
_STATES = {"in_progress": "started", "success": "succeeded", "failure": "failed", "error": "failed"}
_NOT_YET = ("pending", "queued", "waiting")
"""States of a deployment that has been requested and no more."""


def genuine(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str], now_s: float) -> bool:  # noqa: ARG001
    """Whether one of these secrets made the signature over the raw body; each is compared in constant time."""
    made = [hmac.new(one.encode(), digestmod=sha256) for one in secrets]
    while piece := body.read(PIECE):
        for one in made:
            one.update(piece)
    shown = headers.get(SIGNATURE, "").encode()
    return any(hmac.compare_digest(b"sha256=" + one.hexdigest().encode(), shown) for one in made)


def claims(fields: Fields, headers: Mapping[str, str], authors: Authors) -> Iterator[Claim]:  # noqa: ARG001
    """What a delivery tells: one record, or one of each commit that was pushed."""
    for name, told in _TOLD.items():
        if isinstance(fields.get(name), Mapping):
            if fields.get("action") in told.actions:
                yield Claim(name, told.kind, partial(told.fields, fields, authors))
            return
    yield from changes.pushed(fields, _project(fields), authors)


def _project(fields: Fields) -> object:
    return within(fields, "repository", "full_name")


def _outcome(conclusion: object) -> object:
    """What waits for a person has neither passed nor failed."""
    return "skipped" if conclusion == "action_required" else called(OUTCOMES, conclusion)


def _trigger(user: object) -> str | None:
    kind = within(user, "type")
    return None if kind is None else "bot" if kind == "Bot" else "human"


def _job(fields: Fields, authors: Authors) -> dict[str, object]:  # noqa: ARG001
    job = fields["workflow_job"]
    return {
        "project": _project(fields),
        "run": text(job.get("run_id")),
        "job": job.get("name"),
        "attempt": job.get("run_attempt"),
        "outcome": _outcome(job.get("conclusion")),
        "started_ms": time_ms("started_at", job.get("started_at")),
        "finished_ms": time_ms("completed_at", job.get("completed_at")),
        "workflow": job.get("workflow_name"),
        "commit": job.get("head_sha"),
        "branch": job.get("head_branch"),
        "trigger": _trigger(fields.get("sender")),
        "url": job.get("html_url"),
    }


def _run(fields: Fields, authors: Authors) -> dict[str, object] | None:  # noqa: ARG001
    """A run that failed to start has no jobs that would tell of it; of any other they tell all.

    It ended when it began: when it was last updated would be another time each time that it is told.
    """
    run = fields["workflow_run"]
    if run.get("conclusion") != "startup_failure":
        return None
    began_ms = time_ms("run_started_at", run.get("run_started_at") or run.get("created_at"))
    return {
        "project": _project(fields),
        "run": text(run.get("id")),
        "job": run.get("name") or run.get("path"),
        "attempt": run.get("run_attempt"),
        "outcome": _outcome(run.get("conclusion")),
        "started_ms": began_ms,
        "finished_ms": began_ms,
        "workflow": run.get("name"),
        "commit": run.get("head_sha"),
        "branch": run.get("head_branch"),
        "trigger": _trigger(run.get("triggering_actor") or fields.get("sender")),
        "message": run.get("conclusion"),
        "url": run.get("html_url"),
    }


def _check(fields: Fields, authors: Authors) -> dict[str, object] | None:  # noqa: ARG001
    """What another app checked is a run of its own.

    An app runs a check again as a new check run of the same name and commit, and says nowhere which attempt it is.
    """
    check = fields["check_run"]
    if within(check, "app", "slug") == ACTIONS_APP:
        return None
    told = (within(check, "output", "title"), within(check, "output", "summary"))
    return {
        "project": _project(fields),
        "run": f"check-{check['id']}" if type(check.get("id")) is int else None,
        "job": check.get("name"),
        "outcome": _outcome(check.get("conclusion")),
        "started_ms": time_ms("started_at", check.get("started_at")),
        "finished_ms": time_ms("completed_at", check.get("completed_at")),
        "workflow": within(check, "app", "name"),
        "commit": check.get("head_sha"),
        "branch": within(check, "check_suite", "head_branch"),
        "message": "\n".join(one for one in told if isinstance(one, str))[:LONGEST_DETAILS],
        "url": check.get("html_url"),
    }


def _pull_request(fields: Fields, authors: Authors) -> dict[str, object]:
    """As it stands at its head commit, told when it was merged or closed, else when it was last touched."""
    pull, project = fields["pull_request"], _project(fields)
    login, state = within(pull, "user", "login"), pull.get("state")
    merged_at = pull.get("merged_at")
    return {
        "project": project,
        "commit": within(pull, "head", "sha"),
        "committed_ms": time_ms("updated_at", merged_at or pull.get("closed_at") or pull.get("updated_at")),
        "branch": within(pull, "head", "ref"),
        "change": text(pull.get("number")),
        "state": "merged" if merged_at else state,
        "base": within(pull, "base", "ref"),
        "author": changes.author(authors, project, login),
        "trigger": changes.trigger(login),
        "is_fix": changes.is_fix(f"{pull.get('title') or ''}\n{pull.get('body') or ''}"),
        "files_changed": pull.get("changed_files"),
        "lines_added": pull.get("additions"),
        "lines_removed": pull.get("deletions"),
        "url": pull.get("html_url"),
    }


def _requested(fields: Fields, authors: Authors) -> dict[str, object]:  # noqa: ARG001
    """A deployment when it was made; whichever event tells it, it is told alike."""
    deployment, status = fields.get("deployment"), fields.get("deployment_status")
    environment = within(deployment, "original_environment") or within(deployment, "environment")
    return {
        **_deploy(fields),
        "environment": environment or within(status, "environment"),
        "state": "requested",
        "at_ms": time_ms("created_at", within(deployment, "created_at") or within(status, "created_at")),
    }


def _status(fields: Fields, authors: Authors) -> dict[str, object] | None:
    """A deployment becomes `inactive` when a later one takes its place: that it was taken back is not told."""
    status, state = fields["deployment_status"], fields["deployment_status"].get("state")
    if state == "inactive":
        return None
    if state in _NOT_YET:
        return _requested(fields, authors)
    return {
        **_deploy(fields),
        "environment": status.get("environment") or within(fields, "deployment", "environment"),
        "state": called(_STATES, state),
        "at_ms": time_ms("created_at", status.get("created_at")),
        "url": status.get("log_url") or status.get("target_url"),
    }


def _deploy(fields: Fields) -> dict[str, object]:
    """What all steps of one deployment share; what is deployed is called by a branch, a tag or the commit itself."""
    deployment = fields.get("deployment")
    sha, ref = within(deployment, "sha"), within(deployment, "ref")
    return {
        "project": _project(fields),
        "deploy": text(within(deployment, "id")),
        "head": sha,
        "branch": None if ref == sha else ref,
    }


class _Told(NamedTuple):
    actions: tuple[str, ...]
    kind: type[Event]
    fields: Callable[[Fields, Authors], dict[str, object] | None]


_TOLD = {
    "workflow_job": _Told(("completed",), JobExecution, _job),
    "deployment_status": _Told(("created",), DeployStep, _status),
    "deployment": _Told(("created",), DeployStep, _requested),
    "check_run": _Told(("completed",), JobExecution, _check),
    "workflow_run": _Told(("completed",), JobExecution, _run),
    "pull_request": _Told(("opened", "reopened", "synchronize", "closed"), Change, _pull_request),
}
"""By the object that a delivery has. The first counts: jobs carry their deployment, and deployments their run."""
