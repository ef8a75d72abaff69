"""What comes out at the other end: rows and values as their topics tell them, and when a key shows an event."""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from argus.demo.recording import Counts, Rows
from contracts.errors import Unavailable
from contracts.features import PROJECT_HEALTH_VIEW
from contracts.records import FailureVelocity, ProjectHealth, decode
from contracts.settings import Settings
from contracts.topics import ARRIVED_MS, DEAD_LETTERS, FAILURE_VELOCITY, PROJECT_HEALTH, SEPARATOR
from feature_store.connections import VALKEY_AWAY
from feature_store.log import follower

LOOK_EVERY_S = 0.02
RECENT = 200


class Stamped:
    """A producer that notes when it was handed each event, and how many events the broker has acknowledged."""

    def __init__(self, producer: Any, clock: Callable[[], float]) -> None:
        self.acknowledged = 0
        self.handed: dict[tuple[str, int], float] = {}
        self.poll, self.purge, self.flush = producer.poll, producer.purge, producer.flush
        self._producer, self._clock = producer, clock

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **others: Any) -> None:
        """Hand it on; a tick has no key and is not noted."""
        if key is None:
            self._producer.produce(topic, value, key, partition, **others)
            return
        told = others.pop("on_delivery")

        def counted(error: object, sent: object) -> None:
            self.acknowledged += error is None
            told(error, sent)

        arrived_ms = int(dict(others["headers"])[ARRIVED_MS])
        self.handed[(key.decode(), arrived_ms)] = self._clock()
        self._producer.produce(topic, value, key, partition, on_delivery=counted, **others)


class Watch:
    """Reads a namespace's topics and keys in a thread of its own; what it has seen is in its attributes.

    `newest_ms` is the newest minute of which a row has come. `lags_s` are the times from handing an event to the broker
    until its project's keys showed it, each an upper bound by LOOK_EVERY_S.
    """

    def __init__(self, settings: Settings, valkey: Any, projects: Sequence[str], stamped: Stamped) -> None:
        self.rows: Rows = {}
        self.newest_ms = 0
        self.rates: dict[str, float | None] = {}
        self.letters = 0
        self.changed_at = time.monotonic()
        self.lags_s: list[float] = []
        self.failure: Unavailable | None = None
        self._valkey, self._stamped, self._projects = valkey, stamped, projects
        self._guards = [PROJECT_HEALTH_VIEW.entity_key(project, settings.namespace) for project in projects]
        self._shown: dict[str, int] = {}
        self._stop = threading.Event()
        self._consumer = follower(settings.kafka, f"{settings.namespace}.argus.demo")
        self._topics = {
            topic.named(settings.namespace): topic for topic in (FAILURE_VELOCITY, PROJECT_HEALTH, DEAD_LETTERS)
        }
        self._consumer.assign(
            [
                TopicPartition(name, partition, OFFSET_BEGINNING)
                for name in self._topics
                for partition in range(settings.partitions)
            ]
        )
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._consumer.close()

    def lag_s(self, last: int = 0) -> tuple[float, float] | None:
        """Median and 99th percentile, of the last so many or of all; None before there is anything to tell."""
        lags = sorted(self.lags_s[-last:])
        return (statistics.median(lags), lags[int(len(lags) * 0.99)]) if lags else None

    def counts(self, project: str, from_ms: int, to_ms: int) -> Counts:
        """Sums over the minutes that begin in a span, its end excluded."""
        minutes = range(-(-from_ms // 60_000) * 60_000, to_ms, 60_000)
        found = [row for minute_ms in minutes if (row := self.rows.get((project, minute_ms)))]
        return sum(row[0] for row in found), sum(row[1] for row in found), sum(row[2] for row in found)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(500, LOOK_EVERY_S):
                    self._take(message)
                self._look()
        except VALKEY_AWAY as gone:
            self.failure = Unavailable(f"Valkey does not answer: {type(gone).__name__}")

    def _take(self, message: Any) -> None:
        if message.error():
            return  # it is asked again; a broker that stays away is the sender's to tell
        topic, value = self._topics[message.topic()], message.value()
        self.changed_at = time.monotonic()
        if topic is DEAD_LETTERS:
            self.letters += 1
        elif topic is PROJECT_HEALTH and value is not None:
            health = decode(ProjectHealth, value)
            self.rates[health.project] = health.failure_rate_24h
        elif topic is FAILURE_VELOCITY:
            project, minute_ms = message.key().decode().split(SEPARATOR)
            self._count(project, int(minute_ms), None if value is None else decode(FailureVelocity, value))

    def _count(self, project: str, minute_ms: int, row: FailureVelocity | None) -> None:
        """A minute without runs is as good as none: its executions belong to runs of earlier minutes."""
        self.newest_ms = max(self.newest_ms, minute_ms)
        counts = row.counts() if row else None
        if counts:
            self.rows[(project, minute_ms)] = counts
        else:
            self.rows.pop((project, minute_ms), None)

    def _look(self) -> None:
        """Which event each project's keys show by now."""
        pipe = self._valkey.pipeline(transaction=False)
        for guard in self._guards:
            pipe.hget(guard, f"_ts:{PROJECT_HEALTH_VIEW.name}")
        found = pipe.execute()
        now_s = time.monotonic()
        for project, told in zip(self._projects, found, strict=True):
            as_of_ms = int(told or 0)
            if as_of_ms != self._shown.get(project):
                self._shown[project] = as_of_ms
                handed_s = self._stamped.handed.get((project, as_of_ms))
                if handed_s is not None:
                    self.lags_s.append(now_s - handed_s)
