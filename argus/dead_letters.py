"""The dead letters of a namespace: the compacted topic read to its end, the newest per key."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from argus.topic_state import partition_counts
from contracts.errors import BadRecord, DeadlineExceeded, Unavailable
from contracts.records import DeadLetter, decode
from contracts.settings import Settings
from contracts.topics import DEAD_LETTERS
from feature_store.log import follower

GROUP = "argus.dead-letters.list"
"""Nothing is ever committed for it: the client wants a name."""
_POLL_S = 0.2


@dataclass(frozen=True)
class Arrived:
    """A dead letter and when it arrived on its topic, epoch ms."""

    letter: DeadLetter
    at_ms: int


@dataclass(frozen=True)
class Letters:
    """The newest letter of each key, the last to arrive first; `unreadable`: where lies what is no dead letter."""

    letters: list[Arrived]
    unreadable: list[str]


def dead_letters(
    settings: Settings,
    *,
    deadline_s: float,
    wanted: Callable[[DeadLetter], bool] = lambda _: True,
    clock: Callable[[], float] = time.monotonic,
) -> Letters:
    """All dead letters of the namespace that are `wanted`.

    Raises Misconfigured when the topic is missing, Unavailable when no broker answers, DeadlineExceeded when the topic
    was not read to its end within `deadline_s` seconds.
    """
    ends = clock() + deadline_s
    topic = DEAD_LETTERS.named(settings.namespace)
    open_partitions = set(range(partition_counts(settings, deadline_s=deadline_s)[topic]))
    newest: dict[bytes | None, Arrived] = {}
    unreadable: dict[bytes | None, str] = {}
    consumer = follower(settings.kafka, GROUP, **{"enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in open_partitions])
        while open_partitions:
            if clock() > ends:
                raise DeadlineExceeded(f"{topic} was not read to its end in {deadline_s:g} s")
            record = consumer.poll(_POLL_S)
            if record is None:
                continue
            if error := record.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise Unavailable(f"{topic}: {error.str()}")
                open_partitions.discard(record.partition())
                continue
            key, value = record.key(), record.value()
            newest.pop(key, None)
            unreadable.pop(key, None)
            if value is None:
                continue
            try:
                letter = decode(DeadLetter, value)
            except BadRecord:
                unreadable[key] = f"{topic}:{record.partition()}:{record.offset()}"
                continue
            if wanted(letter):
                newest[key] = Arrived(letter, record.timestamp()[1])
    finally:
        consumer.close()
    return Letters(sorted(newest.values(), key=lambda one: one.at_ms, reverse=True), sorted(unreadable.values()))


def visible(data: bytes | None) -> str:
    r"""Bytes as text that a terminal only shows: what does not print is escaped, what is no text is base64.

    >>> print(visible(b"red \x1b[31m, new\nline"), visible(b"\xff\xfe"), visible(None))
    red \x1b[31m, new\nline base64://4= null
    """
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()
    return "".join(one if one.isprintable() and one != "\\" else repr(one)[1:-1] for one in text)
