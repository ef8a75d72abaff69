"""How we read and write the log: clients of the broker with the settings that every reader and writer here has."""

import logging
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from contracts.topics import PRODUCER, TICK

_QUIET = logging.getLogger("argus.librdkafka")
_QUIET.propagate = False
_QUIET.addHandler(logging.NullHandler())
"""What librdkafka logs is dropped: each call reports its own failure."""


def admin_client(kafka: str) -> AdminClient:
    """An administrator of the broker at `kafka`. Keep it in a variable: a temporary one hangs."""
    return AdminClient({"bootstrap.servers": kafka}, logger=_QUIET)


def follower(kafka: str, group: str, **changed: object) -> Consumer:
    """A consumer that commits only when told and starts at the beginning of what it is given."""
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 100,
            "reconnect.backoff.max.ms": 2000,
            "topic.metadata.refresh.interval.ms": 5000,  # a topic that is created later is soon found
            # A reader that was killed holds its partitions for this long; 6 s is the least a broker allows by default.
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
            **changed,
        },
        logger=_QUIET,
    )


def producer(kafka: str, **changed: object) -> Producer:
    """A producer with the settings every producer has."""
    return Producer({"bootstrap.servers": kafka, **PRODUCER, **changed}, logger=_QUIET)


def is_tick(record: Any) -> bool:
    """Whether a record only makes time pass."""
    return any(name == "ce_type" and value == TICK.encode() for name, value in record.headers() or ())
