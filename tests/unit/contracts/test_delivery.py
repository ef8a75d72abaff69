"""Every message is acknowledged, or somebody hears of it: with a broker that is full, refuses, or is silent."""

from collections.abc import Callable
from typing import Any

import pytest

from contracts.delivery import Delivery
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.topics import Message

ONE = Message("t", b"k", b"v", [("h", b"1")])


class Broker:
    """A producer in memory: takes `room` messages until it is polled, and answers each with `answer`."""

    def __init__(
        self, room: int = 10, answer: Callable[[int], str | None] = lambda _: None, *, silent: bool = False
    ) -> None:
        self.taken: list[tuple[Any, ...]] = []
        self.waiting: list[Callable[[str | None, object], None]] = []
        self.room, self.answer, self.silent, self.purged, self.now_s = room, answer, silent, False, 0.0

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **others: Any) -> None:
        if len(self.waiting) == self.room:
            raise BufferError
        self.taken.append((topic, value, key, partition, others["headers"]))
        self.waiting.append(others["on_delivery"])

    def poll(self, timeout: float) -> int:
        self.now_s += timeout
        if self.silent or not timeout:
            return 0
        answered, self.waiting = self.waiting, []
        for at, on_delivery in enumerate(answered):
            on_delivery(self.answer(at), None)
        return len(answered)

    def purge(self) -> None:
        self.purged = True


def through(broker: Broker) -> Delivery:
    """A delivery by the broker's own clock."""
    return Delivery(broker, stall_s=5, clock=lambda: broker.now_s)


def test_a_full_queue_is_waited_for_and_everything_is_acknowledged() -> None:
    broker = Broker(room=3)
    delivery = through(broker)
    for _ in range(10):
        delivery.send(ONE)
    assert delivery.finish() == 10
    assert broker.taken == [("t", b"v", b"k", -1, [("h", b"1")])] * 10


def test_a_refused_message_tells_how_many_were_acknowledged() -> None:
    broker = Broker(answer=lambda at: "no such topic" if at == 2 else None)
    delivery = through(broker)
    for _ in range(4):
        delivery.send(ONE)
    with pytest.raises(Unavailable, match=r"3 of 4 messages .* no such topic"):
        delivery.finish()
    assert broker.purged


def test_a_silent_broker_is_waited_for_only_so_long() -> None:
    broker = Broker(silent=True)
    delivery = through(broker)
    delivery.send(ONE)
    with pytest.raises(DeadlineExceeded, match="0 of 1 messages"):
        delivery.finish()
    assert 5 < broker.now_s < 6


def test_a_broker_that_stops_while_the_queue_is_full_is_noticed() -> None:
    delivery = through(Broker(room=1, silent=True))
    delivery.send(ONE)
    with pytest.raises(DeadlineExceeded):
        delivery.send(ONE)


def test_idle_time_between_messages_is_no_silence_of_the_broker() -> None:
    broker = Broker()
    delivery = through(broker)
    delivery.send(ONE)
    delivery.finish()
    broker.now_s += 60
    delivery.send(ONE)
    assert delivery.finish() == 2
