"""What lies on a topic, read to its end; and where Java's clients would have put it."""

import time
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from contracts.settings import Settings
from contracts.topics import TICK, Topic
from feature_store.log import admin_client, follower


def everything(settings: Settings, topic: Topic, deadline_s: float = 30) -> list[Any]:
    """All records of a topic, in order within each partition."""
    name = topic.named(settings.namespace)
    admin = admin_client(settings.kafka)
    partitions = set(admin.list_topics(name, timeout=10).topics[name].partitions)
    consumer = follower(settings.kafka, "test.everything", **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in partitions])
    found, ends = [], time.monotonic() + deadline_s
    while partitions:
        assert time.monotonic() < ends, f"{name} was not read to its end in {deadline_s} s"
        record = consumer.poll(0.2)
        if record is None:
            continue
        if record.error() is None:
            found.append(record)
        else:
            assert record.error().code() == KafkaError._PARTITION_EOF, record.error()
            partitions.discard(record.partition())
    consumer.close()
    return found


def headers(record: Any) -> dict[str, bytes]:
    """Its headers by name."""
    return dict(record.headers() or [])


def split(records: list[Any]) -> tuple[list[Any], list[Any]]:
    """Events and ticks."""
    is_tick = [headers(record).get("ce_type") == TICK.encode() for record in records]
    return (
        [record for record, tick in zip(records, is_tick, strict=True) if not tick],
        [record for record, tick in zip(records, is_tick, strict=True) if tick],
    )


def java_partition(key: bytes, partitions: int) -> int:
    """The partition that Java's default partitioner gives a key: murmur2, made positive."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2, written from its published algorithm; signed, as in Java."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h >= 1 << 31 else h
