"""How we read and write the log: clients of the broker, and the letter that says a record could not be used."""

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from contracts.errors import BadRecord, Unavailable
from contracts.records import DeadLetter
from contracts.topics import DEAD_LETTERS, PRODUCER, TICK, message

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


def dead_letter(record: Any, bad: BadRecord, reader: str) -> DeadLetter:
    """The letter about `record`, whole: `reader` and where it lay make its key, so that a repeat replaces itself."""
    return DeadLetter(
        reader=reader,
        reason=f"{bad.field}: {bad.reason}",
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        key=record.key(),
        headers=dict(record.headers()) if record.headers() else None,
        value=record.value(),
    )


def send_letter(to: Producer, letter: DeadLetter, namespace: str, on_delivery: Callable[[Any, Any], None]) -> None:
    """Hand a letter to the producer; `on_delivery` hears of its fate in a later poll or flush.

    Raises Unavailable when the producer's queue is full because no broker takes anything.
    """
    sent = message(DEAD_LETTERS, letter, namespace=namespace, source=f"/argus/{letter.reader}")
    try:
        to.produce(sent.topic, sent.value, sent.key, headers=sent.headers, on_delivery=on_delivery)
    except (BufferError, KafkaException) as full:
        raise Unavailable(f"a dead letter of {letter.reader} cannot be sent") from full
