"""The promise of whoever writes to the log: every message is acknowledged by the broker, or somebody hears of it."""

from collections.abc import Callable
from typing import Any, Protocol

from contracts.errors import DeadlineExceeded, Unavailable
from contracts.topics import Message

ANY_PARTITION = -1
"""The partition is the key's."""

_POLL_S = 0.1


class Producer(Protocol):
    """What of confluent_kafka.Producer is needed."""

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **others: Any) -> None:
        """Put a message on the queue; BufferError when it is full."""

    def poll(self, timeout: float) -> int:
        """Serve delivery reports for `timeout` seconds."""

    def purge(self) -> None:
        """Drop what has not been sent."""


class Delivery:
    """Hands messages to a producer and counts what the broker acknowledged.

    Waits when the queue is full. Raises Unavailable, telling how many messages were acknowledged, when the broker
    refuses one, and DeadlineExceeded when it acknowledges nothing for `stall_s` seconds though something is under way.
    """

    def __init__(self, producer: Producer, *, stall_s: float, clock: Callable[[], float]) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._producer, self._stall_s, self._clock = producer, stall_s, clock
        self._progress_at = clock()
        self._refused: str | None = None

    def send(self, message: Message, partition: int = ANY_PARTITION) -> None:
        """Hand over one message; its acknowledgement may come later."""
        self.send_raw(message.topic, message.value, message.key, message.headers, partition)

    def send_raw(
        self, topic: str, value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]], partition: int
    ) -> None:
        """As `send`, for what is not a record, such as a tick."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers, on_delivery=self._reported)
                break
            except BufferError:
                self._serve(_POLL_S)
        if self.sent == self.acknowledged:
            self._progress_at = self._clock()  # nothing was under way: the wait starts here
        self.sent += 1
        self._serve(0)

    def finish(self) -> int:
        """Wait until everything is acknowledged; returns how many messages that is."""
        while self.acknowledged < self.sent:
            self._serve(_POLL_S)
        return self.acknowledged

    def _reported(self, error: object, _message: object) -> None:
        if error is None:
            self.acknowledged += 1
            self._progress_at = self._clock()
        elif self._refused is None:
            self._refused = str(error)

    def _serve(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)
        told = f"{self.acknowledged} of {self.sent} messages handed over were acknowledged by the broker"
        if self._refused is not None:
            self._producer.purge()
            raise Unavailable(f"{told}, then one was not: {self._refused}")
        if self.sent > self.acknowledged and self._clock() - self._progress_at > self._stall_s:
            self._producer.purge()
            raise DeadlineExceeded(f"{told}, and none in the last {self._stall_s:g} s")
