"""POST /api/v1/ingest/…: what a CI system says, onto the log.

202: the broker has acknowledged every record that was accepted; the body says how many, how many had come before and
what was refused and why. 422 where all was refused. 503 with Retry-After where the broker or the gateway is too busy:
nothing is lost by sending the same again.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from contracts.errors import BadRecord, Misconfigured, Unavailable
from contracts.records import TestReportPart, checked
from gateway.callers import Caller, Callers, allowed
from gateway.ingest import described, events, uploads, webhooks
from gateway.ingest.answer import Answer
from gateway.ingest.authors import Authors
from gateway.ingest.body import Body, Caps, received
from gateway.ingest.intake import Intake
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.seen import Delivery
from gateway.ingest.webhooks import LARGEST, SENDERS
from gateway.tenants import TENANT_PATTERN

AT_ONCE, PLACE_WAIT_S = 24, 5.0
"""Bodies that are read into rows at a time; another waits for so long, and is then asked to come again."""
BODIES = 128
"""Bodies that may be coming at a time, from those with a token and from webhooks each: who dawdles is in nobody else's
way."""
LONGEST_KEY = 255
WEBHOOK_S = 8.0
"""A webhook is answered within this: GitHub waits 10 s."""
RETRY = {"Retry-After": "2"}

Secrets = Callable[[str, str], list[str] | None]
"""(tenant, sender) -> the secrets that are valid, None where there is none; raises Unavailable."""


def ingest(callers: Callers, secrets: Secrets, intake: Intake | None, authors: Authors, caps: Caps) -> APIRouter:
    """The routes; without an `intake`, in a replay's namespace, all of them answer 409."""
    router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"], responses=described.RESPONSES)
    mine = Depends(allowed(callers, "ingest"))
    places, coming, hooks = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(BODIES), asyncio.Semaphore(BODIES)

    def living() -> Intake:
        if intake is None:
            raise HTTPException(409, "the clock of this namespace is a replay's: use `argus replay`")
        return intake

    async def answer(
        into: Intake,
        request: Request,
        caller: Caller,
        delivery: Delivery,
        read: Iterator[Row | Refusal],
        deadline_s: float | None = None,
    ) -> Answer:
        route = request.url.path.rpartition("/")[2]
        try:
            await asyncio.wait_for(places.acquire(), PLACE_WAIT_S)
        except TimeoutError as busy:
            raise HTTPException(503, f"{AT_ONCE} bodies are being read already", headers=RETRY) from busy
        try:
            return await run_in_threadpool(into.take, caller, route, delivery, read, deadline_s=deadline_s)
        except BadRecord as bad:
            raise HTTPException(422, str(bad)) from bad
        except Unavailable as gone:
            raise HTTPException(503, str(gone), headers=RETRY) from gone
        finally:
            places.release()

    @router.post("/events", summary="Records of our own", status_code=202, openapi_extra=described.EVENTS)
    async def take_events(
        request: Request, caller: Annotated[Caller, mine], into: Annotated[Intake, Depends(living)]
    ) -> Response:
        """What has happened, record by record: one, an array of them, or JSON Lines; gzip or plain."""
        async with _body(request, coming, caps) as body:
            read = events.read(body, request.headers.get("content-type", ""))
            return _told(await answer(into, request, caller, _delivery(request, body.digest), read))

    @router.post("/junit", summary="Test reports", status_code=202, openapi_extra=described.JUNIT)
    async def take_junit(
        request: Request,
        caller: Annotated[Caller, mine],
        into: Annotated[Intake, Depends(living)],
        project: Annotated[str, Query(description="<tenant>/<name>")],
        run: Annotated[str, Query(description="id of the pipeline execution")],
        job: Annotated[str, Query(description="the CI job that ran the tests")],
        attempt: Annotated[int, Query(description="attempt of that job")] = 1,
        environment: Annotated[str | None, Query(description="where the tests ran, such as linux-py3.11")] = None,
        commit: Annotated[str | None, Query(description="commit under test")] = None,
        branch: Annotated[str | None, Query(description="branch under test")] = None,
        report: Annotated[str | None, Query(description="tells the reports of one job apart")] = None,
    ) -> Response:
        """JUnit XML: one file as the body, or several as the files of a form, each a report of its own."""
        fields = {
            "project": project, "run": run, "job": job, "attempt": attempt, "report": report or "junit", "k": 1, "n": 1,
            "tests": [], "environment": environment, "commit": commit, "branch": branch,
        }  # fmt: skip
        try:
            part = checked(TestReportPart, fields)
        except BadRecord as bad:
            raise HTTPException(422, str(bad)) from bad
        async with (
            _body(request, coming, caps) as body,
            uploads.uploaded(body, request.headers, part, report, into.now_ms()) as upload,
        ):
            delivery = _delivery(request, f"{upload.digest} {request.url.query}")
            return _told(await answer(into, request, caller, delivery, upload.rows))

    async def take_webhook(request: Request, into: Intake, name: str, tenant: str) -> Response:
        """Who cannot be told genuine is refused before his body is waited for, where that can be seen by then."""
        sender, stranger = SENDERS[name], HTTPException(401, f"no secret of tenant {tenant!r} for {name} fits this")
        try:
            valid = await run_in_threadpool(secrets, tenant, name)
        except (Unavailable, Misconfigured) as gone:
            raise HTTPException(503, str(gone), headers=RETRY) from gone
        if not valid or not (sender.signs or sender.genuine(io.BytesIO(), request.headers, valid)):
            raise stranger
        capped = replace(caps, received=LARGEST, inflated=LARGEST, wait_s=WEBHOOK_S)
        async with _body(request, hooks, capped) as body:
            if sender.signs and not await run_in_threadpool(sender.genuine, body.file, request.headers, valid):
                raise stranger
            body.file.seek(0)
            whole = await run_in_threadpool(body.file.read)
            read = webhooks.read(sender, whole, request.headers, authors)
            caller = Caller(name, tenant, frozenset({"ingest"}))
            delivery = Delivery(body.digest, body.digest)
            told = await answer(into, request, caller, delivery, read, deadline_s=WEBHOOK_S)
            # a webhook that is answered 422 now and then is switched off by its sender, and the good ones with it
            return _told(told, 202 if told.status() == 202 else 200)

    whose = Query(description="the tenant whose secret it has", pattern=TENANT_PATTERN)

    @router.post(
        "/github",
        summary="A webhook of GitHub",
        status_code=202,
        openapi_extra=described.webhook("X-Hub-Signature-256"),
    )
    async def take_github(
        request: Request, into: Annotated[Intake, Depends(living)], tenant: Annotated[str, whose]
    ) -> Response:  # fmt: skip
        """A webhook of GitHub, signed; `workflow_job` tells of a job, anything else of nothing yet."""
        return await take_webhook(request, into, "github", tenant)

    @router.post(
        "/gitlab", summary="A webhook of GitLab", status_code=202, openapi_extra=described.webhook("X-Gitlab-Token")
    )
    async def take_gitlab(
        request: Request, into: Annotated[Intake, Depends(living)], tenant: Annotated[str, whose]
    ) -> Response:  # fmt: skip
        """A webhook of GitLab with its secret token; the job hook tells of a job, anything else of nothing yet."""
        return await take_webhook(request, into, "gitlab", tenant)

    return router


@asynccontextmanager
async def _body(request: Request, gate: asyncio.Semaphore, caps: Caps) -> AsyncIterator[Body]:
    if gate.locked():
        raise HTTPException(503, f"{BODIES} bodies are coming already", headers=RETRY)
    async with gate:
        try:
            body = await received(request.stream(), request.headers.get("content-encoding", ""), caps)
        except ClientDisconnect as gone:
            raise HTTPException(400, "the body ended too soon") from gone
        with body.file:
            yield body


def _delivery(request: Request, digest: str) -> Delivery:
    """As its sender calls it, else by what it says."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY:
        raise HTTPException(400, f"Idempotency-Key has more than {LONGEST_KEY} characters")
    return Delivery(f"key {key}" if key else f"content {digest}", digest)


def _told(answer: Answer, status: int | None = None) -> Response:
    return Response(msgspec.json.encode(answer), status or answer.status(), media_type="application/json")
