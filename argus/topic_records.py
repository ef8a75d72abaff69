"""What lies on a topic now, read from its beginning to its end."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from argus.topic_state import partition_counts
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.settings import Settings
from contracts.topics import Topic
from feature_store.log import follower

GROUP = "argus.topic-records"
"""Nothing is ever committed for it: the client wants a name."""
_POLL_S = 0.2


def records(
    settings: Settings, topic: Topic, *, deadline_s: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Any]:
    """All records of a topic, in order within each partition, tombstones included.

    Raises Misconfigured when the topic is missing, Unavailable when no broker answers, DeadlineExceeded when the topic
    was not read to its end within `deadline_s` seconds.
    """
    ends = clock() + deadline_s
    name = topic.named(settings.namespace)
    open_partitions = set(range(partition_counts(settings, deadline_s=deadline_s)[name]))
    consumer = follower(settings.kafka, GROUP, **{"enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in open_partitions])
        while open_partitions:
            if clock() > ends:
                raise DeadlineExceeded(f"{name} was not read to its end in {deadline_s:g} s")
            record = consumer.poll(_POLL_S)
            if record is None:
                continue
            if error := record.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise Unavailable(f"{name}: {error.str()}")
                open_partitions.discard(record.partition())
                continue
            yield record
    finally:
        consumer.close()
