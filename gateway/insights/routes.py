"""/api/v1/insights: incidents listed, told whole, streamed, and answered by people."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from msgspec import Struct
from starlette.concurrency import run_in_threadpool

from contracts.errors import BadRecord, Misconfigured, Unavailable
from contracts.insights import FeedbackLabel, Insight
from contracts.records import LONGEST_ID
from gateway.callers import Caller, Callers, Shown, allowed
from gateway.described import Described, problem, reference, request_body, told
from gateway.ingest.body import Caps
from gateway.ingest.desk import RETRY, Desk
from gateway.ingest.meter import metered
from gateway.ingest.refusal import ascii_safe
from gateway.insights.feedback import Spoken, spoken
from gateway.insights.feeds import Feed, Incident
from gateway.insights.seen import Insights, Story
from gateway.insights.streams import EventStream, Viewer

T = TypeVar("T")

MOST_LISTED = 1_000
SPOKEN = Caps(received=65_536, inflated=65_536, wait_s=10.0)
COME_AGAIN = {"Retry-After": "5"}
"""For who finds too many streams open."""


class Listed(Struct, frozen=True, kw_only=True):
    """Incidents, the newest first."""

    incidents: list[Incident]


KINDS = (Listed, Story, Insight, Spoken, FeedbackLabel)
"""What /openapi.json describes beside what others do."""
_TROUBLE: Described = {
    401: problem("no token that opens anything"),
    403: problem("the token lacks the scope read, or the project is another tenant's"),
    422: problem("a parameter, or a field of the body, is wrong"),
    503: problem("too many streams, insights not read from the log yet, or the broker is away: ask again"),
}
_UNKNOWN: Described = {404: problem("there is no such incident, or none that is the caller's")}
_NO_NAME: Described = {404: problem("nothing is called like this")}
_LISTED: Described = {200: told("incidents, the newest first", Listed), **_TROUBLE}
_TOLD: Described = {200: told("all that was told of it, the oldest first", Story), **_TROUBLE, **_UNKNOWN}
_STREAM: Described = {
    200: {
        "description": "events as they come: `id` names the insight, `event` is its state, `data` the insight as JSON",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    **_TROUBLE,
}
_SAID: Described = {
    202: told("the label, on the log", FeedbackLabel),
    400: problem("the body ended too soon, or is not what its headers say"),
    408: problem("the body did not come in time"),
    413: problem("the body is too large"),
    415: problem("the body's encoding is not read"),
    429: problem("more requests or bytes than the token may send"),
    **_TROUBLE,
}
_BODY = {"requestBody": request_body("What to say.", {"application/json": reference(Spoken)})}

ProjectQuery = Annotated[str | None, Query(description="<tenant>/<name>; all that are the caller's if not given")]
FeedQuery = Annotated[Feed, Query(description="the project's own, what pages somebody, or all that was noticed")]
Subject = Annotated[str, Path(description="the incident, as `subject` names it", max_length=LONGEST_ID)]


def insights(seen: Insights, callers: Callers, desk: Desk) -> APIRouter:
    """The routes, for callers with the scope read."""
    router = APIRouter(prefix="/api/v1", tags=["insights"])
    reader = allowed(callers, "read")

    def reading(caller: Annotated[Caller, Depends(reader)]) -> Caller:
        _answered(seen.check)
        return caller

    Reading = Annotated[Caller, Depends(reading)]  # noqa: N806 - a type
    Speaking = Annotated[Caller, Depends(metered(reader, desk.meter))]  # noqa: N806

    @router.get("/insights", summary="Incidents", responses=_LISTED)
    def listed(
        caller: Reading,
        project: ProjectQuery = None,
        state: Annotated[Literal["open", "resolved", "all"], Query(description="how they stand now")] = "all",
        feed: FeedQuery = "project",
        since_ms: Annotated[int, Query(ge=0, description="only what was told since, epoch milliseconds")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="the newest so many")] = 100,
    ) -> Response:
        """The newest state of each incident, with what people say to it."""
        _refuse_foreign(caller, project)
        found = [
            one
            for one in seen.incidents(caller, project, feed)
            if one.at_ms >= since_ms and (state == "all" or (one.state == "resolved") == (state == "resolved"))
        ]
        return _json(Listed(incidents=found[:limit]))

    @router.get("/ai/insights/stream", summary="Insights as they come", responses=_STREAM)
    async def stream(
        caller: Reading,
        shown: Shown,
        project: ProjectQuery = None,
        feed: FeedQuery = "project",
        last_event_id: Annotated[str | None, Header(description="the last that was seen: go on after it")] = None,
        last: Annotated[str | None, Query(alias="last_event_id", description="the same, as a parameter")] = None,
    ) -> Response:
        """Server-Sent Events, each insight as it comes; after an interruption, first what was missed meanwhile.

        With an insight that is no longer known, all of the last 24 hours; drop what you have seen by its `id`.
        """
        _refuse_foreign(caller, project)
        assert shown is not None
        token = shown.credentials

        viewer = Viewer(caller.tenant, project, feed)
        try:
            seen.streams.enter(viewer)
        except Unavailable as full:
            raise HTTPException(503, str(full), headers=COME_AGAIN) from full
        return EventStream(
            seen.streams,
            viewer,
            lambda: run_in_threadpool(seen.missed, caller, project, feed, last_event_id or last),
            lambda: run_in_threadpool(may_still_see, callers, token, caller),
        )

    @router.get("/insights/{subject:path}", summary="One incident", responses=_TOLD)
    def one(caller: Reading, subject: Subject) -> Response:
        """All that was told of one incident, whatever feed has it."""
        return _json(_known(seen, caller, subject))

    @router.post(
        "/insights/{subject:path}/feedback",
        summary="A word about an incident", status_code=202, responses={**_SAID, **_UNKNOWN}, openapi_extra=_BODY,
    )  # fmt: skip
    async def say(request: Request, caller: Speaking, subject: Subject) -> Response:
        """Acknowledge it, mute it or say whether it was useful. Of one caller the newest word of a kind counts."""
        await run_in_threadpool(_answered, seen.check)
        story = await run_in_threadpool(_known, seen, caller, subject)
        return await _said(request, caller, story.insights[0].project, subject)

    @router.post(
        "/projects/{project:path}/feedback",
        summary="A word about a project", status_code=202, responses={**_SAID, **_NO_NAME}, openapi_extra=_BODY,
    )  # fmt: skip
    async def say_of_project(
        request: Request, caller: Speaking, project: Annotated[str, Path(description="<tenant>/<name>")]
    ) -> Response:
        """Mute all incidents of a project, or say of all together whether they are useful."""
        _refuse_foreign(caller, project)
        return await _said(request, caller, project, project)

    async def _said(request: Request, caller: Caller, project: str, subject: str) -> Response:
        async with desk.body(request, caller, SPOKEN) as body, desk.place(body.size):

            def take() -> FeedbackLabel:
                word = spoken(body.file.read(), seen.now_ms())
                return seen.say(caller, word, project=project, subject=subject)

            return _json(await run_in_threadpool(_answered, take), 202)

    return router


def may_still_see(callers: Callers, shown: str, caller: Caller) -> bool:
    """Whether what was shown still lets the same caller read; not where nobody can tell: he comes again and is told."""
    try:
        now = callers.caller(shown)
    except (Unavailable, Misconfigured):
        return False
    return now is not None and now.tenant == caller.tenant and now.may("read")


def _answered(ask: Callable[[], T]) -> T:
    """What is asked for; 422 where it makes no sense, 503 where it cannot be had now."""
    try:
        return ask()
    except BadRecord as bad:
        raise HTTPException(422, str(bad)) from bad
    except Unavailable as gone:
        raise HTTPException(503, str(gone), headers=RETRY) from gone


def _known(seen: Insights, caller: Caller, subject: str) -> Story:
    story = seen.story(caller, subject)
    if story is None:
        raise HTTPException(404, f"there is no incident {ascii_safe(subject)}")
    return story


def _refuse_foreign(caller: Caller, project: str | None) -> None:
    if project is not None and not caller.owns(project):
        raise HTTPException(403, f"{ascii_safe(project)} is not under {caller.tenant}/, whose token this is")


def _json(answer: Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type="application/json")
