"""Handing in, with a broker that is a list."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from contracts.errors import DeadlineExceeded, Unavailable
from contracts.topics import Message
from gateway.ingest.door import Door

MESSAGES = [Message("t", b"k", str(number).encode(), []) for number in range(20)]


class Broker:
    """Holds so many messages; `verdict` says what becomes of each: None acknowledged, a text refused, False nothing."""

    def __init__(self, verdict: Callable[[bytes], Any], room: int = 1_000) -> None:
        self.verdict, self.room = verdict, room
        self.waiting: list[tuple[bytes, Any]] = []
        self.taken: list[bytes] = []
        self.lock = threading.Lock()

    def produce(self, _topic: str, value: bytes | None, _key: bytes | None, _partition: int, **others: Any) -> None:
        with self.lock:
            if len(self.waiting) >= self.room:
                raise BufferError
            assert value is not None
            self.waiting.append((value, others["on_delivery"]))

    def poll(self, _timeout: float) -> int:
        with self.lock:
            told = [one for one in self.waiting if self.verdict(one[0]) is not False]
            self.waiting = [one for one in self.waiting if self.verdict(one[0]) is False]
        for value, report in told:
            refused = self.verdict(value)
            if refused is None:
                self.taken.append(value)
            report(refused, None)
        return len(told)

    def purge(self) -> None:
        self.verdict = lambda _: "purged"


def test_all_is_acknowledged_though_little_fits_at_a_time() -> None:
    broker = Broker(lambda _: None, room=3)
    with Door(lambda: broker, deadline_s=5) as door:
        assert door.hand_in(MESSAGES) == len(MESSAGES)
        assert door.hand_in([]) == 0
    assert broker.taken == [one.value for one in MESSAGES]


def test_each_request_hears_of_its_own_messages() -> None:
    with Door(lambda: Broker(lambda value: "too odd" if value == b"7" else None), deadline_s=5) as door:
        with pytest.raises(Unavailable, match="too odd"):
            door.hand_in(MESSAGES[7:8])
        assert door.hand_in(MESSAGES[:5]) == 5


def test_a_silent_or_full_broker_is_not_waited_for_longer_than_promised() -> None:
    with (
        Door(lambda: Broker(lambda _: False), deadline_s=0.2) as door,
        pytest.raises(DeadlineExceeded, match="acknowledge"),
    ):
        door.hand_in(MESSAGES)
    with (
        Door(lambda: Broker(lambda _: False, room=3), deadline_s=0.2) as door,
        pytest.raises(DeadlineExceeded, match="waits"),
    ):
        door.hand_in(MESSAGES)


def test_what_the_client_itself_refuses_is_told_and_nothing_follows_a_refusal() -> None:
    class Refusing(Broker):
        def produce(self, *_: Any, **__: Any) -> None:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))

    with Door(lambda: Refusing(lambda _: None), deadline_s=5) as door, pytest.raises(Unavailable, match="refused"):
        door.hand_in(MESSAGES)
    broker = Broker(lambda value: "no" if value == b"0" else None)

    def slowly() -> Iterator[Message]:
        for one in MESSAGES:
            yield one
            time.sleep(0.02)

    with Door(lambda: broker, deadline_s=5) as door, pytest.raises(Unavailable, match="no"):
        door.hand_in(slowly())
    assert len(broker.taken) < len(MESSAGES) - 5


class Broken(Broker):
    def poll(self, timeout: float) -> int:
        if self.waiting and self.verdict(b"") is False:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        return super().poll(timeout)


@pytest.mark.parametrize("kind", [Broker, Broken])
def test_a_client_that_hangs_or_breaks_is_replaced_and_who_waited_for_it_hears(kind: type[Broker]) -> None:
    silent, other = kind(lambda _: False), Broker(lambda _: None)
    made: list[Broker] = []

    def connect() -> Broker:
        made.append(other if made else silent)
        return made[-1]

    with Door(connect, deadline_s=0.2) as door:
        with pytest.raises(Unavailable):
            door.hand_in(MESSAGES)
        ends = time.monotonic() + 5
        while len(made) < 2 and time.monotonic() < ends:
            time.sleep(0.01)
        assert door.hand_in(MESSAGES) == len(MESSAGES)
    assert silent.taken == []
    assert other.taken[-len(MESSAGES) :] == [one.value for one in MESSAGES]
