"""A namespace of a test's own on the running stack: its topics, what a job would write there, and waiting."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import Producer, TopicPartition

from argus.topics import ensure
from contracts.jobs import PROJECT_JOB
from contracts.records import CurrentVelocity, MinuteCounts, ProjectHealth
from contracts.settings import Settings
from contracts.topics import PROJECT_HEALTH, RUNS, Topic, message, tick_headers
from feature_store.connections import valkey_client
from feature_store.log import follower, producer
from feature_store.reader import FeatureValue, Reader

T = TypeVar("T")


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def eventually(what: str, look: Callable[[], T], wanted: Callable[[T], bool] = bool, deadline_s: float = 15) -> T:
    """Look until it is as wanted; fails naming `what` and what was seen last."""
    ends = time.monotonic() + deadline_s
    while not wanted(seen := look()):
        assert time.monotonic() < ends, f"{what}: still {seen!r} after {deadline_s} s"
        time.sleep(0.02)
    return seen


def health(project: str, rate: float | None, as_of_ms: int, *, runs: int = 0) -> ProjectHealth:
    """A value as the project job would write it."""
    return ProjectHealth(
        project=project,
        failure_rate_24h=rate,
        failure_rate_7d=rate,
        failure_velocity=CurrentVelocity(MinuteCounts(), MinuteCounts(runs)),
        as_of_ms=as_of_ms,
        model_version=1,
    )


@dataclass
class Flow:
    """One namespace; `produce` is what a job or an ingest would do, `commit` what a checkpoint would."""

    settings: Settings
    producer: Producer
    valkey: Any
    offsets: dict[int, int] = field(default_factory=dict)

    def put(self, record: ProjectHealth, **changed: int) -> None:
        """A value on its topic, acknowledged."""
        sent = message(PROJECT_HEALTH, record, namespace=self.settings.namespace, source="/test")
        self.raw(PROJECT_HEALTH, sent.value, sent.key, sent.headers, **changed)

    def raw(
        self,
        topic: Topic,
        value: bytes | None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        **changed: int,
    ) -> None:
        """Any record, acknowledged; remembers how far each partition of the runs topic reaches."""

        def told(error: Any, sent: Any) -> None:
            assert error is None, error
            if topic is RUNS:
                self.offsets[sent.partition()] = sent.offset() + 1

        name = topic.named(self.settings.namespace)
        self.producer.produce(name, value, key, headers=headers or [], on_delivery=told, **changed)
        assert self.producer.flush(10) == 0

    def tick(self, arrived_ms: int | None = None) -> None:
        """One tick in every partition of the job's input."""
        for partition in range(self.settings.partitions):
            self.raw(RUNS, b"", None, tick_headers(arrived_ms), partition=partition)

    def commit(self) -> None:
        """Let the project job have come as far as its topic reaches."""
        topic = RUNS.named(self.settings.namespace)
        consumer = follower(self.settings.kafka, PROJECT_JOB.group(self.settings.namespace))
        at = [TopicPartition(topic, partition, offset) for partition, offset in self.offsets.items()]
        consumer.commit(offsets=at, asynchronous=False)
        consumer.close()

    def live(self) -> None:
        """The job has seen everything until now."""
        self.tick()
        self.commit()

    def read(self, key: str) -> FeatureValue:
        """What the reader says of a key."""
        (found,) = Reader(self.valkey, self.settings.namespace, now_ms).read([key])
        return found


@contextmanager
def flow(settings: Settings) -> Iterator[Flow]:
    """The namespace of `settings` with its topics."""
    ensure(settings, deadline_s=30)
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=2)
    try:
        yield Flow(settings, producer(settings.kafka), client)
    finally:
        client.close()


@contextmanager
def running(target: Callable[[threading.Event], None]) -> Iterator[None]:
    """`target` in a thread of its own, stopped at the end of the block; its failure fails the test."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(target, stop)
        try:
            yield
        finally:
            stop.set()
            ended.result(30)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
