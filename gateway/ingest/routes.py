"""POST /api/v1/ingest/…: what a CI system says, onto the log.

202: the broker has acknowledged every record that was accepted; the body says how many, how many had come before and
what was refused and why. 422 where all was refused. 503 with Retry-After where the broker or the gateway is too busy:
nothing is lost by sending the same again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from contracts.errors import BadRecord, Unavailable
from contracts.records import TestReportPart, checked
from gateway.callers import Caller, Callers, allowed
from gateway.ingest import events, uploads, webhooks
from gateway.ingest.body import Body, Caps, received
from gateway.ingest.intake import Intake
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.webhooks import LARGEST, SENDERS

AT_ONCE, PLACE_WAIT_S = 24, 5.0
"""Requests that are read at a time; another waits unread for so long, and is then asked to come again."""
LONGEST_KEY = 255
RETRY = {"Retry-After": "2"}

RESPONSES: dict[int | str, dict[str, str]] = {
    202: {"description": "on the log: accepted, duplicate and refused are counted"},
    401: {"description": "no token that opens anything"},
    403: {"description": "the token lacks the scope ingest"},
    408: {"description": "the body did not come in time"},
    413: {"description": "the body is too large"},
    415: {"description": "the body's encoding is not read"},
    422: {"description": "all was refused"},
    503: {"description": "too busy, or the broker is away: send it again"},
}


Secrets = Callable[[str, str], list[str]]
"""(tenant, sender) -> the secrets that are valid; raises Unavailable."""


def ingest(callers: Callers, secrets: Secrets, intake: Intake | None, caps: Caps) -> APIRouter:
    """The routes; without an `intake`, in a replay's namespace, all of them answer 409."""
    router = APIRouter(prefix="/api/v1/ingest", responses=RESPONSES)
    mine = Depends(allowed(callers, "ingest"))
    places = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def body_of(request: Request, caps: Caps = caps) -> AsyncIterator[Body]:
        if intake is None:
            raise HTTPException(409, "the clock of this namespace is a replay's: use `argus replay`")
        try:
            await asyncio.wait_for(places.acquire(), PLACE_WAIT_S)
        except TimeoutError as busy:
            raise HTTPException(503, f"{AT_ONCE} requests are being read already", headers=RETRY) from busy
        try:
            body = await received(request.stream(), request.headers.get("content-encoding", ""), caps)
            with body.file:
                yield body
        except ClientDisconnect as gone:
            raise HTTPException(400, "the body ended too soon") from gone
        finally:
            places.release()

    async def answered(
        request: Request,
        caller: Caller,
        body: Body,
        read: Iterator[Row | Refusal],
        *,
        called: str = "idempotency-key",
        about: str = "",
    ) -> Response:
        assert intake is not None
        route = request.url.path.rpartition("/")[2]
        delivery = _delivery(request, body, called, about)
        try:
            answer = await run_in_threadpool(intake.take, caller, route, delivery, read)
        except Unavailable as gone:
            raise HTTPException(503, str(gone), headers=RETRY) from gone
        return Response(msgspec.json.encode(answer), answer.status(), media_type="application/json")

    @router.post("/events", status_code=202)
    async def take_events(request: Request, caller: Annotated[Caller, mine]) -> Response:
        """Job executions and parts of test reports: one, an array of them, or JSON Lines; gzip or plain."""
        async with body_of(request) as body:
            return await answered(request, caller, body, events.read(body, request.headers.get("content-type", "")))

    @router.post("/junit", status_code=202)
    async def take_junit(
        request: Request,
        caller: Annotated[Caller, mine],
        project: Annotated[str, Query(description="<tenant>/<name>")],
        run: Annotated[str, Query(description="id of the pipeline execution")],
        job: Annotated[str, Query(description="the CI job that ran the tests")],
        attempt: Annotated[int, Query(description="attempt of that job")] = 1,
        environment: Annotated[str | None, Query(description="where the tests ran, such as linux-py3.11")] = None,
        commit: Annotated[str | None, Query(description="commit under test")] = None,
        branch: Annotated[str | None, Query(description="branch under test")] = None,
        report: Annotated[str, Query(description="tells the reports of one job apart")] = "junit",
    ) -> Response:
        """JUnit XML: one file as the body, or several as the files of a form, each a report of its own by its name."""
        fields = {
            "project": project, "run": run, "job": job, "attempt": attempt, "report": report, "k": 1, "n": 1,
            "tests": [], "environment": environment, "commit": commit, "branch": branch,
        }  # fmt: skip
        try:
            part = checked(TestReportPart, fields)
        except BadRecord as bad:
            raise HTTPException(422, str(bad)) from bad
        async with body_of(request) as body:
            assert intake is not None
            async with uploads.reports(body, request.headers, part, intake.now_ms()) as read:
                return await answered(request, caller, body, read, about=str(request.url.query))

    async def take_webhook(request: Request, name: str, tenant: str) -> Response:
        sender = SENDERS[name]
        async with body_of(request, replace(caps, received=LARGEST, inflated=LARGEST)) as body:
            try:
                valid = await run_in_threadpool(secrets, tenant, name)
            except Unavailable as gone:
                raise HTTPException(503, str(gone), headers=RETRY) from gone
            if not await run_in_threadpool(sender.genuine, body.file, request.headers, valid):
                raise HTTPException(401, f"no secret of tenant {tenant[:100]!r} for {name} fits this delivery")
            body.file.seek(0)
            read = webhooks.read(sender, body.file.read(), request.headers.get("content-type", ""))
            caller = Caller(name, tenant, frozenset({"ingest"}))
            return await answered(request, caller, body, read, called=sender.delivery)

    whose = Query(description="the tenant whose secret signs")

    @router.post("/github", status_code=202)
    async def take_github(request: Request, tenant: Annotated[str, whose]) -> Response:
        """A webhook of GitHub, signed; `workflow_job` tells of a job, anything else of nothing yet."""
        return await take_webhook(request, "github", tenant)

    @router.post("/gitlab", status_code=202)
    async def take_gitlab(request: Request, tenant: Annotated[str, whose]) -> Response:
        """A webhook of GitLab with its secret token; the job hook tells of a job, anything else of nothing yet."""
        return await take_webhook(request, "gitlab", tenant)

    return router


def _delivery(request: Request, body: Body, called: str, about: str) -> str:
    """What tells this delivery from others: what its sender calls it in the header `called`, else what it says."""
    key = request.headers.get(called, "")
    if len(key) > LONGEST_KEY:
        raise HTTPException(400, f"{called} has more than {LONGEST_KEY} characters")
    return f"key:{key}" if key else f"content:{body.digest}:{about}"
