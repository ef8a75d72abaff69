"""The gateway's application: routes, who may call them, and how trouble is told.

Trouble is `application/problem+json`. A client never sees a trace: it gets the id under which the log has it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import get_args
from uuid import uuid4

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts import metrics
from contracts.records import Event
from feature_store.metrics import counter
from feature_store.probe import Check
from gateway.callers import Callers
from gateway.described import Problem, document
from gateway.features import KnownFeature, Read, features
from gateway.ingest.answer import Answer
from gateway.ingest.authors import Authors
from gateway.ingest.body import Caps
from gateway.ingest.desk import Desk
from gateway.ingest.hooks import Secrets, hooks
from gateway.ingest.intake import Intake
from gateway.ingest.meter import Meter
from gateway.ingest.routes import ingest
from gateway.insights.routes import KINDS, insights
from gateway.insights.seen import Insights

SUMMARY = "What CI systems say goes in, what is known of a project comes out."
DESCRIPTION = """Send the header `Authorization: Bearer <token>`; `argus token create` makes one, with the scope \
`ingest` or `read`, for the projects under its tenant's name. Webhooks are told genuine by their secret instead.

Trouble is `application/problem+json`. Times are epoch milliseconds, UTC. What is sent twice is taken once."""
VERSION = version("argus")

log = structlog.get_logger()


def application(
    *,
    read: Read,
    callers: Callers,
    secrets: Secrets,
    intake: Intake | None,
    authors: Authors,
    meter: Meter,
    seen: Insights,
    checks: Mapping[str, Check],
    registry: CollectorRegistry,
) -> FastAPI:
    """The application. `checks` say by name what is needed to be ready and what is wrong with it, None if nothing;
    without an `intake` nothing is taken in."""
    app = FastAPI(
        title="Argus", version=VERSION, summary=SUMMARY, description=DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.openapi = document(app, (Answer, KnownFeature, *KINDS, *get_args(Event)))  # type: ignore[method-assign]

    app.add_middleware(_Counted, requests=counter(metrics.REQUESTS, registry))

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:  # not in the threads that others may hold
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> PlainTextResponse:
        wrong = [f"{name}: {told}" for name, check in checks.items() if (told := check())]
        return PlainTextResponse("; ".join(wrong or ["ok"]) + "\n", 503 if wrong else 200)

    @app.get("/metrics", include_in_schema=False)
    def exported() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.include_router(features(read, callers))
    desk = Desk(intake, meter, Caps(), counter(metrics.INGESTED, registry))
    app.include_router(ingest(desk, callers))
    app.include_router(hooks(desk, secrets, authors))
    app.include_router(insights(seen, callers, desk))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)
    return app


class _Counted:
    """Counts requests by route and status."""

    def __init__(self, app: ASGIApp, requests: Counter) -> None:
        self._app, self._requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # unless an answer says otherwise: a fault of ours passes through here on its way to _broken

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._requests.labels(getattr(scope.get("route"), "path", "none"), str(status)).inc()


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Trouble as RFC 9457 has it."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(msgspec.structs.asdict(body), status, headers=headers, media_type="application/problem+json")


async def _refused(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    return problem(refused.status_code, str(refused.detail), refused.headers)


async def _invalid(_: Request, invalid: Exception) -> Response:
    assert isinstance(invalid, RequestValidationError)
    told = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
    return problem(422, told)


async def _broken(request: Request, broken: Exception) -> Response:
    trouble = uuid4().hex
    log.error("request failed", id=trouble, path=request.url.path, exc_info=broken)
    return problem(500, f"a fault of ours; the log has it under {trouble}")
