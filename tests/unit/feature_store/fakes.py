# ruff: noqa: ARG002 - a fake takes what the real thing takes
"""A record of the log, a consumer and a Valkey pipeline's end, as arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from contracts.records import CurrentVelocity, MinuteCounts, ProjectHealth, encode
from contracts.topics import PROJECT_HEALTH
from feature_store.guard import Write

TOPIC = PROJECT_HEALTH.name
NOW_MS = 1_795_253_400_000


@dataclass
class Record:
    """What a consumer hands out."""

    data: bytes | None
    name: bytes | None = b"acme/app"
    at: tuple[str, int, int] = (TOPIC, 0, 0)
    arrived_ms: int = NOW_MS
    extra: list[tuple[str, bytes | None]] = field(default_factory=list)
    trouble: Any = None

    def topic(self) -> str:
        return self.at[0]

    def partition(self) -> int:
        return self.at[1]

    def offset(self) -> int:
        return self.at[2]

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self.extra

    def timestamp(self) -> tuple[int, int]:
        return (2, self.arrived_ms)

    def error(self) -> Any:
        return self.trouble


def end_of(partition: int) -> Record:
    """The event that says a partition is read to its end."""
    return Record(None, at=(TOPIC, partition, 0), trouble=KafkaError(KafkaError._PARTITION_EOF))


def health(rate: float | None = 0.5, as_of_ms: int = NOW_MS, project: str = "acme/app") -> ProjectHealth:
    """A value of the view."""
    return ProjectHealth(
        project=project,
        failure_rate_24h=rate,
        failure_rate_7d=rate,
        failure_velocity=CurrentVelocity(MinuteCounts(), MinuteCounts()),
        as_of_ms=as_of_ms,
        model_version=1,
    )


def record(value: ProjectHealth, offset: int = 0) -> Record:
    """A value on its topic."""
    return Record(encode(value), value.project.encode(), (TOPIC, 0, offset))


class Log:
    """A consumer of one partition."""

    def __init__(self, records: Sequence[Record], end: int) -> None:
        self.waiting, self.end = list(records), end

    def subscribe(self, topics: list[str], on_assign: Callable[..., None], on_revoke: Callable[..., None]) -> None:
        self.topics, self.revoke = topics, on_revoke
        on_assign(self, [TopicPartition(TOPIC, 0)])

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = partitions

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self.end

    def poll(self, timeout: float) -> Record | None:
        return self.waiting.pop(0) if self.waiting else None

    def consume(self, count: int, timeout: float) -> list[Record]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken


@dataclass
class Store:
    """A guard that keeps what it is given; `away` is raised while it is set."""

    writes: list[Write] = field(default_factory=list)
    away: Exception | None = None
    emptied: bool = True

    def write(self, writes: Sequence[Write]) -> list[int]:
        if self.away:
            raise self.away
        self.writes += writes
        return [len(write.keys) for write in writes]

    def lost(self) -> bool:
        if self.away:
            raise self.away
        emptied, self.emptied = self.emptied, False
        return emptied


class Post:
    """Dead letters, kept."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    def __len__(self) -> int:
        return 0

    def send(self, letter: Any) -> None:
        self.letters.append(letter)

    def turn(self) -> None:
        """Nothing waits."""
