"""Webhooks of GitHub: whether one is genuine, and what it tells of."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import BinaryIO

from contracts.records import JobExecution
from gateway.ingest.authors import Authors
from gateway.ingest.body import PIECE
from gateway.ingest.claims import Claim, Fields, text, time_ms, within
from gateway.ingest.csv import OUTCOMES

_WAITING = "action_required"


def genuine(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str]) -> bool:
    """Whether one of these secrets made the signature over the raw body; each is compared in constant time."""
    made = [hmac.new(one.encode(), digestmod=sha256) for one in secrets]
    while piece := body.read(PIECE):
        for one in made:
            one.update(piece)
    shown = headers.get("x-hub-signature-256", "").encode()
    return any(hmac.compare_digest(b"sha256=" + one.hexdigest().encode(), shown) for one in made)


def claims(fields: Fields, headers: Mapping[str, str], authors: Authors) -> Iterator[Claim]:  # noqa: ARG001
    """What a delivery tells of: `workflow_job` of a finished job."""
    if fields.get("action") == "completed" and isinstance(fields.get("workflow_job"), Mapping):
        yield Claim("workflow_job", JobExecution, partial(_job, fields))


def _job(fields: Fields) -> dict[str, object]:
    job = fields["workflow_job"]
    conclusion = str(job.get("conclusion"))
    return {
        "project": within(fields, "repository", "full_name"),
        "run": text(job.get("run_id")),
        "job": job.get("name"),
        "attempt": job.get("run_attempt"),
        "outcome": "skipped" if conclusion == _WAITING else OUTCOMES.get(conclusion, conclusion),
        "started_ms": time_ms("started_at", job.get("started_at")),
        "finished_ms": time_ms("completed_at", job.get("completed_at")),
        "workflow": job.get("workflow_name"),
        "commit": job.get("head_sha"),
        "branch": job.get("head_branch"),
        "trigger": "bot" if within(fields, "sender", "type") == "Bot" else "human",
        "url": job.get("html_url"),
    }
