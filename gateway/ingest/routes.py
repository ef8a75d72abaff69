"""POST /api/v1/ingest/{events,junit,cdevents,otlp}: what a CI system says with a token of the scope ingest."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from contracts.errors import BadRecord
from contracts.records import TestReportPart, checked
from gateway.callers import Caller, Callers, allowed
from gateway.ingest import cdevents, cloudevents, described, events, otlp, spans, uploads
from gateway.ingest.desk import Desk, delivery_of, told
from gateway.ingest.intake import Intake, owned
from gateway.ingest.meter import metered
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row, in_time


def ingest(desk: Desk, callers: Callers) -> APIRouter:
    """The routes of those who show a token."""
    router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"], responses=described.RESPONSES)
    mine, living = Depends(metered(allowed(callers, "ingest"), desk.meter)), Depends(desk.living)

    @router.post("/events", summary="Records of our own", status_code=202, openapi_extra=described.EVENTS)
    async def take_events(
        request: Request, caller: Annotated[Caller, mine], into: Annotated[Intake, living]
    ) -> Response:
        """What has happened, record by record: one, an array of them, or JSON Lines; gzip or plain."""
        async with desk.body(request, caller) as body:
            kind = request.headers.get("content-type", "")
            document = min(body.size, events.LARGEST_DOCUMENT) if events.is_document(kind) else 0
            read = events.read(body, kind)
            delivery = delivery_of(request, body.digest)
            return told(await desk.answer(into, request, caller, delivery, read, document=document))

    @router.post("/junit", summary="Test reports", status_code=202, openapi_extra=described.JUNIT)
    async def take_junit(
        request: Request,
        caller: Annotated[Caller, mine],
        into: Annotated[Intake, living],
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
            desk.body(request, caller) as body,
            uploads.uploaded(body, request.headers, part, report, into.now_ms()) as upload,
        ):
            delivery = delivery_of(request, f"{upload.digest} {request.url.query}")
            return told(await desk.answer(into, request, caller, delivery, upload.rows))

    @router.post("/cdevents", summary="CDEvents", status_code=202, openapi_extra=described.CDEVENTS)
    async def take_cdevents(
        request: Request,
        caller: Annotated[Caller, mine],
        into: Annotated[Intake, living],
        defaults: Annotated[cdevents.Defaults, Depends()],
    ) -> Response:
        """CDEvents as CloudEvents in binary, structured or batch mode; the parameters say what the events do not."""
        capped = replace(desk.caps, received=cloudevents.LARGEST, inflated=cloudevents.LARGEST)
        async with desk.body(request, caller, capped) as body:
            async with desk.place(body.size):
                name = await run_in_threadpool(cloudevents.name, body.file.read(), request.headers)
            body.file.seek(0)

            def read() -> Iterator[Row | Refusal]:  # whole, but not before there is a place for it
                yield from cdevents.read(body.file.read(), request.headers, defaults)

            delivery = delivery_of(request, f"{body.digest} {request.url.query}", name)
            return told(await desk.answer(into, request, caller, delivery, read(), document=body.size))

    @router.post("/otlp/v1/traces", summary="Spans", responses=described.EXPORTED, openapi_extra=described.SPANS)
    @router.post("/otlp", summary="Spans", responses=described.EXPORTED, openapi_extra=described.SPANS)
    async def take_spans(
        request: Request,
        caller: Annotated[Caller, mine],
        into: Annotated[Intake, living],
        project: Annotated[str | None, Query(description="<tenant>/<name>, where the spans do not say")] = None,
    ) -> Response:
        """Spans of OpenTelemetry in protobuf or JSON: tasks, tests and deploys by its conventions for CI."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in otlp.LARGEST:
            raise HTTPException(415, f"Content-Type: {kind[:40]!r} is not read; send {' or '.join(otlp.LARGEST)}")
        now_ms = into.now_ms()

        def fits(row: Row) -> Row | Refusal:
            own = owned(row, caller)
            return in_time(own, now_ms) if isinstance(own, Row) else own

        def read(document: BinaryIO) -> Iterator[Row | Refusal]:
            try:
                yield from spans.read(otlp.read(document.read(), kind), project, fits)
            except BadRecord as bad:
                raise HTTPException(400, str(bad)) from bad

        capped = replace(desk.caps, received=otlp.LARGEST[kind], inflated=otlp.LARGEST[kind])
        async with desk.body(request, caller, capped) as body:
            delivery = delivery_of(request, f"{body.digest} {request.url.query}")
            answer = await desk.answer(into, request, caller, delivery, read(body.file), document=body.size)
            return Response(otlp.told(answer, kind), media_type=kind)

    return router
