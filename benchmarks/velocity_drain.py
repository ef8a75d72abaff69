"""Reading what a job writes to argus.metrics.failure-velocity until it equals the reference."""

import time
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition

from benchmarks.velocity_reference import Counts
from contracts.errors import Unavailable
from contracts.records import FailureVelocity, decode
from contracts.settings import Settings
from contracts.topics import FAILURE_VELOCITY, SEPARATOR
from feature_store.log import follower

QUIET_S = 3.0
"""A result that is right must stay right for so long."""


@dataclass(frozen=True)
class Drained:
    """`end_ms` is the broker's time stamp of the record that made the result what it is; `written` counts records."""

    end_ms: int
    wrong: int
    written: int


class Result:
    """What was written so far, compared with the reference as it grows."""

    def __init__(self, reference: Counts) -> None:
        self.wrong = len(reference)
        self.end_ms = 0
        self.written = 0
        self._reference = reference
        self._found: Counts = {}

    def take(self, key: bytes, value: bytes | None, at_ms: int) -> None:
        """One record; a minute that is withdrawn, or zero throughout, is no row."""
        project, _, minute_ms = key.decode().partition(SEPARATOR)
        row = (project, int(minute_ms))
        expected, before = self._reference.get(row), self._found.get(row)
        self._found.pop(row, None)
        counts = decode(FailureVelocity, value).counts() if value is not None else None
        if counts:
            self._found[row] = counts
        after = self._found.get(row)
        self.written += 1
        self.wrong += (after != expected) - (before != expected)
        if before != after:
            self.end_ms = max(self.end_ms, at_ms)


def ends(settings: Settings) -> list[TopicPartition]:
    """Where the topic of the results ends now. Raises Unavailable when the broker does not answer."""
    consumer = follower(settings.kafka, "bench-ends")
    topic = FAILURE_VELOCITY.named(settings.namespace)
    try:
        found = [consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)
                 for one in range(settings.partitions)]  # fmt: skip
    except KafkaException as gone:
        raise Unavailable(f"the end of {topic}: {gone.args[0].str()}") from gone
    finally:
        consumer.close()
    return [TopicPartition(topic, partition, end) for partition, (_, end) in enumerate(found)]


def drain(settings: Settings, since: list[TopicPartition], reference: Counts, *, deadline_s: float) -> Drained:
    """Read on from `since` until the result has equalled the reference for QUIET_S, or until the deadline.

    Reads seldom and much, to take no time from the job; the end is the broker's time stamp, not the reader's.
    """
    consumer = follower(settings.kafka, "bench-results", **{"fetch.wait.max.ms": 500, "fetch.min.bytes": 100_000})
    result = Result(reference)
    ends_s = time.monotonic() + deadline_s
    right_s: float | None = None
    try:
        consumer.assign(since)
        while (now_s := time.monotonic()) < ends_s and (right_s is None or now_s - right_s < QUIET_S):
            for one in consumer.consume(50_000, timeout=0.5):
                if one.error():
                    raise Unavailable(f"reading the results: {one.error().str()}")
                result.take(one.key(), one.value(), one.timestamp()[1])
            right_s = None if result.wrong else right_s or now_s
    finally:
        consumer.close()
    return Drained(result.end_ms, result.wrong, result.written)
