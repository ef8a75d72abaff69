"""The way from a request to the log: one producer for all requests, and each hears what became of its own messages."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType

import structlog
from confluent_kafka import KafkaException

from contracts.delivery import ANY_PARTITION, Producer
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.topics import Message

POLL_S = 0.05
FULL_WAIT_S = 0.01
PATIENCE = 1.5
"""A client that had nothing acknowledged for so many deadlines is replaced: it may hang where the broker does not."""
QUEUE = {"queue.buffering.max.messages": 20_000, "queue.buffering.max.kbytes": 65_536}
"""What may wait for the broker: the rest of a request waits outside, and in the end is told so."""

log = structlog.get_logger()


class _Handed:
    """Messages of one request: `told` counts what was heard of them. Only the door's thread reports."""

    def __init__(self, acknowledged: Callable[[], None]) -> None:
        self.sent, self.told, self.refused = 0, 0, ""
        self.changed = threading.Condition()
        self._acknowledged = acknowledged

    def reported(self, error: object, _: object) -> None:
        if error is None:
            self._acknowledged()
        with self.changed:
            self.told += 1
            if error is not None:
                self.refused = str(error)
            self.changed.notify()


class Door:
    """Use it as a context: its `thread` listens to the broker; leaving waits `deadline_s` for what is under way.

    `connect` makes the client, and another one when that is broken.
    """

    def __init__(
        self, connect: Callable[[], Producer], *, deadline_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect, self._producer = connect, connect()
        self._deadline_s, self._clock = deadline_s, clock
        self._waiting_since_s = float("inf")
        self._lock = threading.Lock()
        self._under_way = 0
        self._closing = threading.Event()
        self.thread = threading.Thread(target=self._listen, name="door", daemon=True)

    def __enter__(self) -> "Door":
        self.thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        ends_s = self._clock() + self._deadline_s
        while self._under_way and self._clock() < ends_s:
            time.sleep(POLL_S)
        if self._under_way:
            log.warning("left with requests under way", requests=self._under_way)
        self._closing.set()
        self.thread.join(5)

    def hand_in(self, messages: Iterable[Message], *, deadline_s: float | None = None) -> int:
        """How many messages there were: the broker has acknowledged each.

        Raises Unavailable when it refuses one and DeadlineExceeded when it does not answer within `deadline_s`, or, if
        none is given, within the door's of the last message; or when nothing more fits into the queue. What was sent by
        then may come to lie on the log all the same: sending all of it again is harmless.
        """
        with self._lock:
            self._under_way += 1
        try:
            return self._handed_in(messages, deadline_s)
        finally:
            with self._lock:
                self._under_way -= 1

    def _handed_in(self, messages: Iterable[Message], given_s: float | None) -> int:
        handed = _Handed(self._acknowledged)
        deadline_s = self._deadline_s if given_s is None else given_s
        ends_s = self._clock() + deadline_s
        for one in messages:
            self._produce(one, handed, ends_s)
            if given_s is None:
                ends_s = self._clock() + deadline_s
        with handed.changed:
            while handed.told < handed.sent and not handed.refused:
                if not handed.changed.wait(ends_s - self._clock()):
                    raise DeadlineExceeded(f"the broker did not acknowledge within {deadline_s:g} s")
            if handed.refused:
                raise Unavailable(f"the broker did not take a message: {handed.refused}")
        return handed.sent

    def _produce(self, one: Message, handed: _Handed, ends_s: float) -> None:
        while True:
            if handed.refused:
                raise Unavailable(f"the broker did not take a message: {handed.refused}")
            try:
                self._producer.produce(
                    one.topic, one.value, one.key, ANY_PARTITION, headers=one.headers, on_delivery=handed.reported
                )
            except BufferError as full:
                if self._clock() > ends_s:
                    raise DeadlineExceeded("too much waits for the broker already") from full
                time.sleep(FULL_WAIT_S)
            except KafkaException as refused:
                raise Unavailable(f"the broker's client refused a message: {refused}") from refused
            else:
                handed.sent += 1
                self._waiting_since_s = min(self._waiting_since_s, self._clock())
                return

    def _acknowledged(self) -> None:
        self._waiting_since_s = float("inf")

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(POLL_S)
            except KafkaException as broken:
                self._replace(str(broken))
            if self._clock() - self._waiting_since_s > PATIENCE * self._deadline_s:
                self._replace(f"nothing was acknowledged for {PATIENCE * self._deadline_s:g} s")

    def _replace(self, why: str) -> None:
        """Another client; who waits for the broken one hears that his messages were dropped, and sends them again."""
        log.warning("another client of the broker", reason=why)
        broken, self._producer = self._producer, self._connect()
        self._waiting_since_s = float("inf")
        with suppress(KafkaException):
            broken.purge()
            broken.poll(0)
