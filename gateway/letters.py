"""Counts the dead letters on their topic, by reader and reason, for /metrics."""

import threading

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition
from prometheus_client import Counter

from contracts.errors import BadRecord
from contracts.records import DeadLetter, decode
from contracts.topics import DEAD_LETTERS
from feature_store.log import admin_client, follower

_TIMEOUT_S = 2.0


def count_letters(kafka: str, namespace: str, seen: Counter, stop: threading.Event) -> None:
    """Read the topic from its beginning until `stop`, one count per record."""
    name = DEAD_LETTERS.named(namespace)
    consumer = follower(kafka, "argus.gateway.letters")  # every gateway reads all of it: no group, nothing committed
    assigned = False
    while not stop.is_set():
        if not assigned:
            assigned = bool(partitions := _partitions(kafka, name))
            consumer.assign([TopicPartition(name, at, OFFSET_BEGINNING) for at in partitions])
            stop.wait(0 if assigned else 1)
            continue
        for found in consumer.consume(500, timeout=0.5):
            if not found.error() and found.value() is not None:
                seen.labels(*labels(found.value())).inc()
    consumer.close()


def labels(value: bytes) -> tuple[str, str]:
    """Reader and reason of a letter; the reason without its detail, so that there are few.

    >>> labels(b'{"reader":"online-writer","reason":"key: is missing","topic":"t","partition":0,"offset":1}')
    ('online-writer', 'key')
    """
    try:
        letter = decode(DeadLetter, value)
    except BadRecord:
        return "unknown", "unreadable"
    return letter.reader, letter.reason.partition(":")[0][:40]


def _partitions(kafka: str, name: str) -> list[int]:
    admin = admin_client(kafka)
    try:
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException:
        return []
    return list(found[name].partitions) if name in found else []
