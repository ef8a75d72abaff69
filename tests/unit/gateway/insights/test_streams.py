"""Who looks on, what is handed to him, and how his stream ends; what is sent to him lands in a list."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from contracts.errors import Unavailable
from contracts.insights import Insight
from gateway.insights.feeds import FEEDS, Feed
from gateway.insights.streams import WAITING, Event, EventStream, Streams, Viewer, framed
from tests.unit.gateway.insights.noticed import insight, streams


def event(number: int, project: str = "acme/app", feeds: tuple[Feed, ...] = FEEDS) -> Event:
    told = framed(insight(f"i{number}", project=project))
    return Event(project.partition("/")[0], project, number, frozenset(feeds), told)


class Wire:
    """What one viewer was sent; `reads` says whether he takes it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = asyncio.Event()

    async def send(self, message) -> None:
        await self.reads.wait()
        self.sent.append(message.get("body", b""))

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def names(self) -> list[str]:
        return [line[4:] for line in b"".join(self.sent).decode().splitlines() if line.startswith("id: ")]


async def nothing() -> tuple[list[Insight], int]:
    return [], 0


async def good() -> bool:
    return True


def opened(
    those: Streams,
    wire: Wire,
    viewer: Viewer,
    missed: Callable[[], Awaitable[tuple[list[Insight], int]]] = nothing,
    may_see: Callable[[], Awaitable[bool]] = good,
    **waits: float,
) -> asyncio.Task[None]:
    those.enter(viewer)
    stream = EventStream(those, viewer, missed, may_see, **waits)
    return asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_an_event_has_a_name_a_state_and_one_line_of_json() -> None:
    lines = framed(insight("i1", title="two\nlines")).decode().split("\n")
    assert (lines[0], lines[1], lines[2][:8], lines[3:]) == ("id: i1", "event: opened", 'data: {"', ["", ""])


def test_each_sees_what_is_his_in_his_feed_and_bytes_are_shared() -> None:
    async def play() -> None:
        those = streams()
        viewers = {
            "acme": Viewer("acme", None, "project"), "globex": Viewer("globex", None, "all"),
            "operator": Viewer(None, None, "all"), "app": Viewer(None, "acme/app", "project"),
        }  # fmt: skip
        for viewer in viewers.values():
            those.enter(viewer)
        events = [event(1), event(2, "acme/other"), event(3, "globex/app"), event(4, feeds=("all",))]
        those.hand_out(events)
        found = {name: [one.number for one in viewer.waiting] for name, viewer in viewers.items()}
        assert found == {"acme": [1, 2], "globex": [3], "operator": [1, 2, 3, 4], "app": [1]}
        assert viewers["acme"].waiting[0].data is viewers["operator"].waiting[0].data
        assert (those.watched("acme"), those.watched("nobody")) == (True, True)
        for viewer in viewers.values():
            those.leave(viewer)
        assert not those.watched("acme")

    asyncio.run(play())


def test_first_comes_what_was_missed_then_what_comes_and_nothing_twice() -> None:
    async def play() -> None:
        those, wire, viewer = streams(), Wire(), Viewer("acme", None, "all")

        async def missed() -> tuple[list[Insight], int]:
            those.hand_out([event(2), event(3)])  # they come while what was missed is looked up
            return [insight("i1"), insight("i2")], 2

        task = opened(those, wire, viewer, missed)
        await settled()
        those.hand_out([event(4)])
        await settled()
        assert wire.sent[1] == b"retry: 2000\n\n"
        assert wire.names() == ["i1", "i2", "i3", "i4"]
        those.end()
        await asyncio.wait_for(task, 1)
        assert wire.sent[-1] == b"", "the answer is whole"
        with pytest.raises(Unavailable):
            those.enter(viewer)

    asyncio.run(play())


def test_the_gateway_s_end_waits_for_nobody_who_is_still_told_what_he_missed() -> None:
    async def play() -> None:
        those, wire = streams(), Wire()

        async def missed() -> tuple[list[Insight], int]:
            those.end()
            return [insight("i1")], 1

        await asyncio.wait_for(opened(those, wire, Viewer("acme", None, "all"), missed), 1)
        assert (wire.names(), wire.sent[-1]) == ([], b"")

    asyncio.run(play())


def test_who_does_not_keep_up_is_let_go_and_others_get_everything() -> None:
    async def play() -> None:
        registry = CollectorRegistry()
        those, slow, fast = streams(registry=registry), Wire(), Wire()
        tasks = [opened(those, wire, Viewer("acme", None, "all")) for wire in (slow, fast)]
        await settled()
        slow.reads.clear()
        for number in range(2 * WAITING):
            those.hand_out([event(number + 1)])
            await settled()
        assert len(fast.names()) == 2 * WAITING
        assert registry.get_sample_value("argus_insight_viewers_dropped_total") == 1
        assert registry.get_sample_value("argus_insight_viewers") == 2, "he has his place until he is gone"
        slow.reads.set()
        await asyncio.wait_for(tasks[0], 1)
        assert slow.names() == ["i1"], "he goes on from there"
        fast.gone.set()
        await asyncio.wait_for(tasks[1], 1)
        assert (those.watched("acme"), registry.get_sample_value("argus_insight_viewers")) == (False, 0)

    asyncio.run(play())


def test_a_quiet_stream_beats_and_ends_when_the_token_opens_nothing_any_more() -> None:
    async def play() -> None:
        those, wire = streams(), Wire()
        answers = [True, False]

        async def may_see() -> bool:
            return answers.pop(0)

        task = opened(those, wire, Viewer("acme", None, "all"), may_see=may_see, heartbeat_s=0.01, ask_s=0.04)
        await asyncio.wait_for(task, 5)
        assert answers == []
        assert wire.sent.count(b":\n\n") >= 4
        assert not those.watched("acme")

    asyncio.run(play())


def test_a_busy_stream_asks_for_its_token_too() -> None:
    async def play() -> None:
        those, wire = streams(), Wire()

        async def may_see() -> bool:
            return False

        task = opened(those, wire, Viewer("acme", None, "all"), may_see=may_see, ask_s=0.05)
        number = 0
        while not task.done():
            number += 1
            those.hand_out([event(number)])
            await asyncio.sleep(0.001)
            assert number < 5_000
        assert len(wire.names()) > 0

    asyncio.run(play())


def test_one_tenant_may_have_so_many_streams_and_others_are_not_kept_out() -> None:
    async def play() -> None:
        those = streams(of_one_tenant=2)
        mine = [Viewer("acme", None, "all") for _ in range(3)]
        those.enter(mine[0])
        those.enter(mine[1])
        with pytest.raises(Unavailable, match="2 streams are open already"):
            those.enter(mine[2])
        those.enter(Viewer("globex", None, "all"))
        those.leave(mine[0])
        those.enter(mine[2])

    asyncio.run(play())


def test_much_at_once_costs_nobody_his_stream_who_reads() -> None:
    async def play() -> None:
        those, wires = streams(of_one_tenant=50), [Wire() for _ in range(50)]
        tasks = [opened(those, wire, Viewer("acme", None, "all")) for wire in wires]
        await settled()

        def reader() -> None:
            for at in range(0, 5 * WAITING, WAITING // 2):
                those.publish([event(at + number) for number in range(1, WAITING // 2 + 1)])

        await asyncio.to_thread(reader)
        await settled()
        assert {len(wire.names()) for wire in wires} == {5 * WAITING}
        those.end()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)

    asyncio.run(play())
