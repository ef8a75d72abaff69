"""Asking a broker's administrator with a deadline, its refusals told in our errors."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, OffsetSpec

from contracts.errors import DeadlineExceeded, Misconfigured, Unavailable

_PAUSE_S = 0.05


@dataclass(frozen=True)
class Wait:
    """What is left of the time that was given."""

    address: str
    ends: float
    clock: Callable[[], float]

    def left(self, what: str) -> float:
        """Seconds left; raises DeadlineExceeded, naming what was waited for, when none are."""
        left = self.ends - self.clock()
        if left <= 0:
            raise DeadlineExceeded(f"the broker at {self.address} did not finish in time: {what}")
        return left


def metadata(admin: AdminClient, wait: Wait) -> ClusterMetadata:
    """Brokers and topics; raises Unavailable when no broker answers."""
    try:
        return admin.list_topics(timeout=wait.left("the list of its topics"))
    except KafkaException as gone:
        raise told(gone.args[0], f"no broker answers at {wait.address} (ARGUS_KAFKA)") from gone


def result(future: "Future[Any]", what: str, wait: Wait, but: int | None = None) -> Any:
    """What the broker answered, or None when it refused with the error code `but`.

    Raises Misconfigured, Unavailable or DeadlineExceeded, naming `what` was asked.
    """
    try:
        return future.result(wait.left(what))
    except FutureTimeout as late:
        raise DeadlineExceeded(f"the broker at {wait.address} did not finish in time: {what}") from late
    except KafkaException as refused:
        if refused.args[0].code() == but:
            return None
        raise told(refused.args[0], what) from refused


def end_offsets(admin: AdminClient, counts: Mapping[str, int], wait: Wait) -> dict[str, int]:
    """Sum of the end offsets of all partitions by topic, given how many each has.

    Waits until every partition answers: a new one is refused for a while, for one of many reasons, by a leader that
    does not know yet that it is.
    """
    ends = dict.fromkeys(counts, 0)
    asking = [TopicPartition(name, partition) for name, count in counts.items() for partition in range(count)]
    while asking:
        not_yet, why = [], ""
        for at, future in admin.list_offsets({one: OffsetSpec.latest() for one in asking}).items():
            try:
                ends[at.topic] += result(future, f"the end of {at.topic}", wait).offset
            except DeadlineExceeded:
                raise
            except Unavailable as reason:
                not_yet.append(at)
                why = str(reason)
        asking = not_yet
        if asking:
            time.sleep(min(_PAUSE_S, wait.left(why)))
            metadata(admin, wait)  # the client remembers the partitions it saw and looks anew only when told
    return ends


def told(error: KafkaError, what: str) -> Unavailable | Misconfigured:
    """A refusal that no retry changes is a person's to mend; the rest may pass."""
    remedies = {
        KafkaError.INVALID_REPLICATION_FACTOR: "set ARGUS_REPLICATION to the number of brokers or less",
        KafkaError.INVALID_PARTITIONS: "set ARGUS_PARTITIONS to a number the broker allows",
        KafkaError.INVALID_CONFIG: "the broker does not know a setting that Argus needs: use Kafka 3 or later",
        KafkaError.POLICY_VIOLATION: "a policy of the cluster forbids it: ask its operator",
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "grant Create, Describe and AlterConfigs on the argus topics",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: "grant Create and AlterConfigs on the cluster",
    }
    if remedy := remedies.get(error.code()):
        return Misconfigured(f"{what}: {error.str()}; {remedy}")
    return Unavailable(f"{what}: {error.str()}")
