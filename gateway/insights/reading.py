"""Reads insights and feedback from the log, all that lies there and then what comes, into what the gateway keeps."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from prometheus_client import Counter, Gauge

from contracts.errors import BadRecord
from contracts.insights import FeedbackLabel, Insight
from contracts.records import decode
from contracts.topics import FEEDBACK_LABELS, INSIGHTS
from feature_store.log import admin_client, follower
from gateway.insights.kept import Arrived, Kept

AT_ONCE = 50
"""Records between two turns of those who look on: fewer than may wait for one."""
_TIMEOUT_S, _RETRY_S = 2.0, 1.0

log = structlog.get_logger()


class Reading:
    """Takes records into `kept`; `on_new` is told of the insights that had not come before.

    What cannot be read is counted by topic, told to the log the first time, and left out.
    """

    def __init__(
        self, kept: Kept, namespace: str, *, on_new: Callable[[list[Arrived]], None], count: Gauge, unreadable: Counter
    ) -> None:
        self._kept, self._on_new, self._count, self._unreadable = kept, on_new, count, unreadable
        self._insights, self._labels = INSIGHTS.named(namespace), FEEDBACK_LABELS.named(namespace)
        self._told: set[str] = set()
        self.topics = (self._insights, self._labels)

    def take(self, records: Iterable[Any]) -> None:
        """Records of both topics as the client of the broker has them, without errors."""
        new: list[Arrived] = []
        for record in records:
            try:
                if record.topic() == self._labels:
                    self._label(record)
                elif found := self._insight(record):
                    new.append(found)
            except BadRecord as bad:
                self._refuse(record, bad)
        self._count.set(len(self._kept))
        if new:
            self._on_new(new)

    def whole(self) -> None:
        """All that lay there when reading began was taken."""
        self._kept.is_whole = True
        log.info("insights read", insights=len(self._kept))

    def _insight(self, record: Any) -> Arrived | None:
        if record.value() is None:
            self._kept.forget((record.key() or b"").decode(errors="replace"))
            return None
        insight = decode(Insight, record.value())
        return self._kept.add(Arrived(insight, record.timestamp()[1], record.partition(), record.offset()))

    def _label(self, record: Any) -> None:
        if record.value() is None:
            self._kept.unlabel(record.key() or b"")
        else:
            self._kept.label(decode(FeedbackLabel, record.value()))

    def _refuse(self, record: Any, bad: Exception) -> None:
        self._unreadable.labels(record.topic()).inc()
        if record.topic() not in self._told:
            self._told.add(record.topic())
            origin = f"{record.topic()}:{record.partition()}:{record.offset()}"
            log.warning("a record cannot be read, and others perhaps", origin=origin, reason=str(bad))


def read_insights(kafka: str, reading: Reading, stop: threading.Event) -> None:
    """Read both topics from their beginning until `stop`, whoever else reads them; outlasts a broker that goes away."""
    # nothing is committed, and the group is only a name that the client wants
    consumer = follower(kafka, "argus.gateway.insights", **{"enable.partition.eof": True})
    partitions = _partitions(kafka, reading.topics)
    while not partitions and not stop.wait(_RETRY_S):
        partitions = _partitions(kafka, reading.topics)
    consumer.assign([TopicPartition(topic, at, OFFSET_BEGINNING) for topic, at in partitions])
    ahead = set(partitions)
    while not stop.is_set():
        found = consumer.consume(AT_ONCE, timeout=0.1)
        reading.take(one for one in found if not one.error())
        if ahead:
            ahead -= {(one.topic(), one.partition()) for one in found if _is_end(one)}
            if not ahead:
                reading.whole()
    consumer.close()


def _is_end(record: Any) -> bool:
    return record.error() is not None and record.error().code() == KafkaError._PARTITION_EOF


def _partitions(kafka: str, topics: Iterable[str]) -> list[tuple[str, int]]:
    """Of all the topics; none while one is not there."""
    admin = admin_client(kafka)
    try:
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException:
        return []
    there = {topic: list(found[topic].partitions) for topic in topics if topic in found}
    return [(topic, at) for topic in topics for at in there.get(topic, [])] if all(map(there.get, topics)) else []
