"""Server-Sent Events: each insight to every viewer whose feed has it, as it comes.

An event is made once and its bytes are shared. A viewer that does not keep up is let go: nobody waits for him, and he
goes on from the last event he has. Format: HTML Living Standard, 9.2 Server-sent events.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress

from fastapi.responses import StreamingResponse
from msgspec import Struct
from prometheus_client import Counter, Gauge
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from contracts.errors import Unavailable
from contracts.insights import Insight
from contracts.records import encode
from gateway.insights.feeds import Feed

WAITING = 100
"""Events that may wait for one viewer."""
MOST_VIEWERS, MOST_OPERATORS = 2_000, 1_000
HEARTBEAT_S, ASK_S = 15.0, 60.0
TURN_S, LONGEST_TURN_S = 0.01, 10.0
RETRY, HEARTBEAT = b"retry: 2000\n\n", b":\n\n"


class Event(Struct, frozen=True):
    """An insight, its `number` at this gateway, the feeds that have it, and its bytes."""

    tenant: str
    project: str
    number: int
    feeds: frozenset[Feed]
    data: bytes


class Viewer:
    """One who looks on: at all that is his, or at one `project`; `tenant` is None for the operator."""

    def __init__(self, tenant: str | None, project: str | None, feed: Feed) -> None:
        self.tenant, self._project, self._feed = tenant, project, feed
        self.waiting: deque[Event] = deque()
        self.changed = asyncio.Event()
        self.has_ended = False

    def sees(self, event: Event) -> bool:
        """Whether an event of his tenant is for him."""
        return self._feed in event.feeds and self._project in (None, event.project)

    def end(self) -> None:
        """He is sent nothing more."""
        self.has_ended = True
        self.changed.set()


class Streams:
    """Who looks on now. All but `watched` and `publish` belong to the event loop."""

    def __init__(self, *, of_one_tenant: int, viewers: Gauge, dropped: Counter) -> None:
        self._of_one_tenant, self._gauge, self._dropped = of_one_tenant, viewers, dropped
        self._viewers: defaultdict[str | None, set[Viewer]] = defaultdict(set)
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_ended = False

    def enter(self, viewer: Viewer) -> None:
        """Let him look on. Raises Unavailable where there are too many, or the gateway stops."""
        most = MOST_OPERATORS if viewer.tenant is None else self._of_one_tenant
        own = self._viewers[viewer.tenant]
        if self._has_ended or self._count >= MOST_VIEWERS or len(own) >= most:
            raise Unavailable(f"{len(own)} streams are open already, or the gateway stops: come again later")
        self._loop = asyncio.get_running_loop()
        own.add(viewer)
        self._count += 1
        self._gauge.set(self._count)

    def leave(self, viewer: Viewer) -> None:
        """He has gone."""
        self._viewers[viewer.tenant].remove(viewer)
        self._count -= 1
        self._gauge.set(self._count)

    def lost(self) -> None:
        """One did not take what was sent to him."""
        self._dropped.inc()

    def watched(self, tenant: str) -> bool:
        """Whether anybody looks on to whom an insight of this tenant could go."""
        return bool(self._viewers.get(tenant) or self._viewers.get(None))

    def publish(self, events: list[Event]) -> None:
        """From a thread: hand them out, and wait until everybody had a turn to send them.

        Who is behind then does not read; that the gateway has much to send is no fault of his.
        """
        loop, turned = self._loop, threading.Event()
        if loop is None:
            return

        def turn() -> None:
            self.hand_out(events)
            loop.call_later(TURN_S, turned.set)  # behind all who were woken

        with suppress(RuntimeError):  # the loop has ended: nobody looks on any more
            loop.call_soon_threadsafe(turn)
            turned.wait(LONGEST_TURN_S)

    def hand_out(self, events: Iterable[Event]) -> None:
        """To everybody what is for him."""
        for event in events:
            for viewer in (*self._viewers[event.tenant], *self._viewers[None]):
                if viewer.has_ended or not viewer.sees(event):
                    continue
                if len(viewer.waiting) >= WAITING:
                    self._dropped.inc()
                    viewer.end()
                    continue
                viewer.waiting.append(event)
                viewer.changed.set()

    def end(self) -> None:
        """The gateway stops: every stream ends."""
        self._has_ended = True
        for viewer in (one for those in self._viewers.values() for one in those):
            viewer.end()


class EventStream(StreamingResponse):
    """The answer to a viewer who has entered; he has left when it ends, however that comes about.

    First `missed` tells what he has not seen, and up to which number; `may_see` whether his token is still good.
    """

    def __init__(
        self,
        streams: Streams,
        viewer: Viewer,
        missed: Callable[[], Awaitable[tuple[list[Insight], int]]],
        may_see: Callable[[], Awaitable[bool]],
        *,
        heartbeat_s: float = HEARTBEAT_S,
        ask_s: float = ASK_S,
    ) -> None:
        self._streams, self._viewer, self._missed, self._may_see = streams, viewer, missed, may_see
        self._heartbeat_s, self._ask_s = heartbeat_s, ask_s
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._events(), headers=headers, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until either side ends."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._ask_s):  # a reader who takes nothing for so long is gone
                await send(message)

        try:
            await super().__call__(scope, receive, in_time)
        except* (TimeoutError, ClientDisconnect):
            self._streams.lost()
        finally:
            self._streams.leave(self._viewer)

    async def _events(self) -> AsyncIterator[bytes]:
        yield RETRY
        missed, newest = await self._missed()
        for insight in missed:
            if self._viewer.has_ended:
                return
            yield framed(insight)
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        while not self._viewer.has_ended:
            if loop.time() - asked_s >= self._ask_s:
                asked_s = loop.time()
                if not await self._may_see():
                    return
            try:
                async with asyncio.timeout(min(self._heartbeat_s, asked_s + self._ask_s - loop.time())):
                    await self._viewer.changed.wait()
            except TimeoutError:
                yield HEARTBEAT
                continue
            self._viewer.changed.clear()
            while self._viewer.waiting and not self._viewer.has_ended:
                event = self._viewer.waiting.popleft()
                if event.number > newest:
                    yield event.data


def framed(insight: Insight) -> bytes:
    """An insight as an event; neither its name nor JSON holds the end of a line."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (insight.insight.encode(), insight.state.encode(), encode(insight))
