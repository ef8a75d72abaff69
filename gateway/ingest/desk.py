"""What every way in has in common: a body is let in, counted, read within bounds, and answered.

202: the broker has acknowledged every record that was accepted; the body says how many, how many had come before and
what was refused and why. 422 where all was refused. 503 with Retry-After where the broker or the gateway is too busy:
nothing is lost by sending the same again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import HTTPException, Request, Response
from prometheus_client import Counter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from contracts.errors import BadRecord, Unavailable
from gateway.callers import Caller
from gateway.ingest.answer import Answer
from gateway.ingest.body import Body, Caps, received
from gateway.ingest.intake import Intake
from gateway.ingest.meter import Meter
from gateway.ingest.places import Places
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.seen import Delivery

AT_ONCE, PLACE_WAIT_S = 24, 5.0
"""Bodies that are read into rows at a time, fewer while large documents are; another waits for so long, and is then
asked to come again."""
BODIES = 128
"""Bodies that may be coming at a time, from those with a token and from webhooks each: who dawdles is in nobody else's
way."""
LONGEST_KEY = 255
RETRY = {"Retry-After": "2"}


class Desk:
    """Takes bodies in; without an `intake`, in a replay's namespace, every way in answers 409.

    `ingested` counts records by route and what was told of them.
    """

    def __init__(self, intake: Intake | None, meter: Meter, caps: Caps, ingested: Counter) -> None:
        self._intake, self.meter, self.caps, self._ingested = intake, meter, caps, ingested
        self._places = Places(AT_ONCE, PLACE_WAIT_S)
        self._coming, self._hooks = asyncio.Semaphore(BODIES), asyncio.Semaphore(BODIES)

    async def living(self) -> Intake:
        """A dependency: the intake of a namespace that lives. It waits for nothing, so no thread is needed."""
        if self._intake is None:
            raise HTTPException(409, "the clock of this namespace is a replay's: use `argus replay`")
        return self._intake

    @asynccontextmanager
    async def body(self, request: Request, caller: Caller, caps: Caps | None = None) -> AsyncIterator[Body]:
        """The body of one who has shown a token, its bytes counted as his."""
        async with _received(request, self._coming, caps or self.caps) as body:
            await run_in_threadpool(self.meter.received, caller, body.received)
            yield body

    @asynccontextmanager
    async def delivered(self, request: Request, caps: Caps) -> AsyncIterator[Body]:
        """The body of a webhook, from nobody knows whom until it was read."""
        async with _received(request, self._hooks, caps) as body:
            yield body

    async def answer(
        self,
        into: Intake,
        request: Request,
        caller: Caller,
        delivery: Delivery,
        read: Iterator[Row | Refusal],
        *,
        document: int = 0,
        deadline_s: float | None = None,
    ) -> Answer:
        """What became of the rows that are `read`; `document` is the size in bytes of what is read whole for them."""
        route = request.url.path.rpartition("/")[2]
        try:
            async with self._places.taken(document):
                answer = await run_in_threadpool(into.take, caller, route, delivery, read, deadline_s=deadline_s)
        except TimeoutError as busy:
            raise HTTPException(503, "too many bodies are being read already", headers=RETRY) from busy
        except BadRecord as bad:
            raise HTTPException(422, str(bad)) from bad
        except Unavailable as gone:
            raise HTTPException(503, str(gone), headers=RETRY) from gone
        for word in ("accepted", "duplicate", "refused"):
            self._ingested.labels(route, word).inc(getattr(answer, word))
        return answer


def delivery_of(request: Request, digest: str, name: str | None = None) -> Delivery:
    """As its sender calls it by the header, else by `name`, else by what it says."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY:
        raise HTTPException(400, f"Idempotency-Key has more than {LONGEST_KEY} characters")
    return Delivery(f"key {key}" if key else name or f"content {digest}", digest)


def told(answer: Answer, status: int | None = None) -> Response:
    """The answer as JSON."""
    return Response(msgspec.json.encode(answer), status or answer.status(), media_type="application/json")


@asynccontextmanager
async def _received(request: Request, gate: asyncio.Semaphore, caps: Caps) -> AsyncIterator[Body]:
    if gate.locked():
        raise HTTPException(503, f"{BODIES} bodies are coming already", headers=RETRY)
    async with gate:
        try:
            body = await received(request.stream(), request.headers.get("content-encoding", ""), caps)
        except ClientDisconnect as gone:
            raise HTTPException(400, "the body ended too soon") from gone
        with body.file:
            yield body
