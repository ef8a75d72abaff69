"""What every way in has in common: a body is let in, counted, read within bounds, and answered.

202: the broker has acknowledged every record that was accepted; the body says how many, how many had come before and
what was refused and why. 422 where all was refused. 503 with Retry-After where the broker or the gateway is too busy:
nothing is lost by sending the same again.
"""

import asyncio
import time
from collections import Counter as Counts
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

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
"""Bodies that are read into rows at a time; another waits for so long, and is then asked to come again."""
BODIES, BODIES_OF_ONE = 128, 16
"""Bodies that may be coming at a time, from those with a token and from webhooks each, and to one tenant's webhook of
one sender: who dawdles is in nobody else's way."""
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
        self._hooked: Counts[str] = Counts()

    async def living(self) -> Intake:
        """A dependency: the intake of a namespace that lives. It waits for nothing, so no thread is needed."""
        if self._intake is None:
            raise HTTPException(409, "the clock of this namespace is a replay's: use `argus replay`")
        return self._intake

    @asynccontextmanager
    async def body(self, request: Request, caller: Caller, caps: Caps | None = None) -> AsyncIterator[Body]:
        """The body of one who has shown a token, its bytes counted as his, be it refused."""
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            async for chunk in request.stream():
                sent += len(chunk)
                yield chunk

        async with _let_in(self._coming), AsyncExitStack() as leaving:
            try:
                body = await _received(request, chunks(), caps or self.caps)
                leaving.enter_context(body.file)
            finally:
                await run_in_threadpool(self.meter.received, caller, sent)
            yield body

    @asynccontextmanager
    async def delivered(self, request: Request, hook: str, caps: Caps) -> AsyncIterator[Body]:
        """The body of a webhook, from nobody knows whom until it was read; `hook` says which one it is sent to."""
        if self._hooked[hook] >= BODIES_OF_ONE:
            raise HTTPException(503, f"{BODIES_OF_ONE} deliveries are coming already", headers=RETRY)
        async with _let_in(self._hooks):
            self._hooked[hook] += 1
            try:
                body = await _received(request, request.stream(), caps)
            finally:
                self._hooked[hook] -= 1
            with body.file:
                yield body

    @asynccontextmanager
    async def place(self, document: int, wait_s: float = PLACE_WAIT_S) -> AsyncIterator[None]:
        """A place to read in, with room for a document of so many bytes that is read whole."""
        async with AsyncExitStack() as leaving:
            try:
                await leaving.enter_async_context(self._places.taken(document, wait_s))
            except TimeoutError as busy:
                raise HTTPException(503, "too many bodies are being read already", headers=RETRY) from busy
            yield

    async def answer(
        self,
        into: Intake,
        request: Request,
        caller: Caller,
        delivery: Delivery,
        read: Iterator[Row | Refusal],
        *,
        document: int = 0,
        within_s: float | None = None,
    ) -> Answer:
        """What became of the rows that are `read`; `document` is the size in bytes of what is read whole for them.

        With `within_s`, the answer comes within so many seconds, whatever it is.
        """
        route = request.url.path.rpartition("/")[2]
        ends_s = None if within_s is None else time.monotonic() + within_s
        try:
            async with self.place(document, PLACE_WAIT_S if within_s is None else min(PLACE_WAIT_S, within_s)):
                left_s = None if ends_s is None else max(0.0, ends_s - time.monotonic())
                answer = await run_in_threadpool(into.take, caller, route, delivery, read, deadline_s=left_s)
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
async def _let_in(gate: asyncio.Semaphore) -> AsyncIterator[None]:
    if gate.locked():
        raise HTTPException(503, f"{BODIES} bodies are coming already", headers=RETRY)
    async with gate:
        yield


async def _received(request: Request, chunks: AsyncIterator[bytes], caps: Caps) -> Body:
    try:
        return await received(chunks, request.headers.get("content-encoding", ""), caps)
    except ClientDisconnect as gone:
        raise HTTPException(400, "the body ended too soon") from gone
