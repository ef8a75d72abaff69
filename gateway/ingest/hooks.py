"""POST /api/v1/ingest/{github,gitlab,sentry}: what they send by themselves, proven by a secret of the tenant."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from contracts.errors import BadRecord, Misconfigured, Unavailable
from gateway.callers import Caller
from gateway.ingest import described, sentry, webhooks
from gateway.ingest.authors import Authors
from gateway.ingest.desk import RETRY, Desk, told
from gateway.ingest.intake import Intake
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.seen import Delivery
from gateway.ingest.webhooks import LARGEST, SENDERS, Sender, sentry_to
from gateway.tenants import TENANT_PATTERN

WEBHOOK_S, BODY_S, LEAST_S = 8.0, 6.0, 1.0
"""A webhook is answered within this, its body coming within that, as GitHub waits 10 s; the broker has the last second
in any case."""

Secrets = Callable[[str, str], list[str] | None]
"""(tenant, sender) -> the secrets that are valid, None where there is none; raises Unavailable."""

Whose = Annotated[str, Query(description="the tenant whose secret it has", pattern=TENANT_PATTERN)]


def hooks(desk: Desk, secrets: Secrets, authors: Authors) -> APIRouter:
    """The routes of those who show no token."""
    router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"], responses=described.RESPONSES)
    living = Depends(desk.living)

    async def take(request: Request, into: Intake, name: str, tenant: str, sender: Sender) -> Response:
        """Who cannot be told genuine is refused before his body is waited for, where that can be seen by then."""
        stranger = HTTPException(401, f"no secret of tenant {tenant!r} for {name} fits this")
        ends_s = time.monotonic() + WEBHOOK_S
        try:
            valid = await run_in_threadpool(secrets, tenant, name)
        except (Unavailable, Misconfigured) as gone:
            raise HTTPException(503, str(gone), headers=RETRY) from gone
        now_s, signed = into.now_ms() / 1000, sender.signature in request.headers
        if not valid or not (signed or sender.genuine(io.BytesIO(), request.headers, valid, now_s)):
            raise stranger
        caller = Caller(name, tenant, frozenset({"ingest"}))
        desk.meter.refuse_spent(caller)
        capped = replace(desk.caps, received=LARGEST, inflated=LARGEST, wait_s=BODY_S)
        async with desk.delivered(request, f"{tenant} {name}", capped) as body:

            def prove() -> None:
                if signed and not sender.genuine(body.file, request.headers, valid, now_s):
                    raise stranger
                desk.meter.webhook(caller, body.received)  # no stranger spends what is a tenant's
                body.file.seek(0)

            await run_in_threadpool(prove)

            def read() -> Iterator[Row | Refusal]:  # whole, but not before there is a place for it
                yield from webhooks.read(sender, body.file.read(), request.headers, authors)

            digest = f"{body.digest} {request.url.query}"
            delivery = Delivery(digest, digest)
            left_s = max(LEAST_S, ends_s - time.monotonic())
            answer = await desk.answer(into, request, caller, delivery, read(), document=body.size, within_s=left_s)
            # a webhook that is answered 422 now and then is switched off by its sender, and the good ones with it
            return told(answer, 202 if answer.status() == 202 else 200)

    @router.post(
        "/github",
        summary="A webhook of GitHub",
        status_code=202,
        openapi_extra=described.webhook("X-Hub-Signature-256"),
    )
    async def take_github(request: Request, into: Annotated[Intake, living], tenant: Whose) -> Response:
        """A webhook of GitHub, signed: jobs, runs that failed to start, checks, commits, pull requests and deployments;
        other events tell nothing."""
        return await take(request, into, "github", tenant, SENDERS["github"])

    @router.post(
        "/gitlab", summary="A webhook of GitLab", status_code=202, openapi_extra=described.webhook("X-Gitlab-Token")
    )
    async def take_gitlab(request: Request, into: Annotated[Intake, living], tenant: Whose) -> Response:
        """A webhook of GitLab, signed or with its secret token: jobs, pipelines that failed without one, commits, merge
        requests and deployments; other events tell nothing."""
        return await take(request, into, "gitlab", tenant, SENDERS["gitlab"])

    @router.post(
        "/sentry",
        summary="A webhook of Sentry",
        status_code=202,
        openapi_extra=described.webhook("Sentry-Hook-Signature"),
    )
    async def take_sentry(
        request: Request,
        into: Annotated[Intake, living],
        tenant: Whose,
        project: Annotated[
            list[str],
            Query(description="<tenant>/<name> of all its projects, or <Sentry project>:<tenant>/<name> of one"),
        ],
    ) -> Response:
        """A webhook of Sentry, signed; issues, alerts on issues and errors tell of an error in production."""
        try:
            sender = sentry_to(sentry.projects(project))
        except BadRecord as bad:
            raise HTTPException(422, str(bad)) from bad
        return await take(request, into, "sentry", tenant, sender)

    return router
