"""The topics: names, records, keys, what is kept, and the headers a message carries.

A message is a CloudEvent in binary mode: attributes are `ce_*` headers, the value is the record's JSON. What hot
SQL needs travels as plain headers too (`Topic.headers`), so that no job parses a body it can do without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from contracts.insights import FailureExpectation, FeedbackLabel, Insight
from contracts.records import (
    Change,
    DeadLetter,
    DeployStep,
    Event,
    FailureVelocity,
    JobExecution,
    ProductionError,
    ProjectHealth,
    TestReportPart,
    encode,
)

SEPARATOR = "\x1f"
"""Joins the parts of a key."""

TICK = "argus.tick"
"""`ce_type` of a tick: an empty record that makes time pass in its partition."""

EVENT_MS, ARRIVED_MS = "event_ms", "arrived_ms"
"""Headers, epoch milliseconds in ASCII: when it happened; when it arrived, in a replay's namespace only."""

DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = 1_048_576
PRODUCER = {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 0}
"""librdkafka settings of every producer: Java's partitioner, so that one key lies in one partition whoever writes."""


@dataclass(frozen=True)
class Topic:
    """One topic; `headers` maps a header to the record's field that fills it."""

    name: str
    record: type[Struct]
    key: tuple[str, ...]
    cleanup: Literal["delete", "compact", "compact,delete"]
    kept_ms: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    ticks: bool = False
    max_bytes: int = MAX_MESSAGE_BYTES

    def named(self, namespace: str) -> str:
        """The topic's name under a namespace; "" is none."""
        return f"{namespace}.{self.name}" if namespace else self.name

    def config(self) -> dict[str, str]:
        """Broker settings of the topic: arrival is the broker's own clock, whatever a producer claims."""
        config = {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self.max_bytes),
        }
        if self.kept_ms is not None:
            config["retention.ms"] = str(self.kept_ms)
        return config


RUNS = Topic(
    "argus.cicd.runs",
    JobExecution,
    ("project",),
    "delete",
    7 * DAY_MS,
    headers={EVENT_MS: "finished_ms", "outcome": "outcome", "run": "run", "attempt": "attempt"},
    ticks=True,
)
TEST_RESULTS = Topic("argus.test.results", TestReportPart, ("project", "run"), "delete", 7 * DAY_MS, ticks=True)
CHANGES = Topic("argus.cicd.changes", Change, ("project",), "delete", 30 * DAY_MS, headers={EVENT_MS: "committed_ms"})
DEPLOYS = Topic("argus.cicd.deploys", DeployStep, ("project",), "delete", 30 * DAY_MS, headers={EVENT_MS: "at_ms"})
PRODUCTION_ERRORS = Topic(
    "argus.production.errors", ProductionError, ("project",), "delete", 7 * DAY_MS, headers={EVENT_MS: "at_ms"}
)
FAILURE_VELOCITY = Topic("argus.metrics.failure-velocity", FailureVelocity, ("project", "minute_ms"), "compact", None)
PROJECT_HEALTH = Topic("argus.metrics.project-health", ProjectHealth, ("project",), "compact", None)
FAILURE_EXPECTATION = Topic("argus.metrics.failure-expectation", FailureExpectation, ("project",), "compact", None)
INSIGHTS = Topic("argus.insights.generated", Insight, ("project",), "delete", 30 * DAY_MS)
FEEDBACK_LABELS = Topic("argus.feedback.labels", FeedbackLabel, ("project", "label"), "compact", None)
DEAD_LETTERS = Topic(
    "argus.dead-letters",
    DeadLetter,
    ("origin", "reader"),
    "compact,delete",
    30 * DAY_MS,
    max_bytes=3 * MAX_MESSAGE_BYTES,  # base64 of the largest message, its headers and its key
)

EVENTS = (RUNS, TEST_RESULTS, CHANGES, DEPLOYS, PRODUCTION_ERRORS)
"""The topics of what comes in from outside, one for each kind of event."""
_OF = {topic.record: topic for topic in EVENTS}

TOPICS = (
    *EVENTS, FEEDBACK_LABELS, FAILURE_VELOCITY, PROJECT_HEALTH, FAILURE_EXPECTATION, INSIGHTS, DEAD_LETTERS,
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """What a producer hands to the broker."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def topic_of(event: Event) -> Topic:
    """Where an event goes."""
    return _OF[type(event)]


def message_key(topic: Topic, record: Struct) -> bytes:
    """The key's bytes: one part as it is, several joined by U+001F."""
    return SEPARATOR.join(str(getattr(record, part)) for part in topic.key).encode()


def message(topic: Topic, record: Struct, *, namespace: str, source: str, arrived_ms: int | None = None) -> Message:
    """The message that carries `record`; the same record has the same `ce_id`, whoever sends it and when.

    `source` says who sends (a URI reference); `arrived_ms` is set by a replayer alone.
    """
    value = encode(record)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", blake2b(value, digest_size=16, person=topic.name.encode()[-16:]).hexdigest().encode()),
        ("ce_source", source.encode()),
        ("ce_type", topic.name.encode()),
    ]
    headers += [(header, str(getattr(record, part)).encode()) for header, part in topic.headers.items()]
    if arrived_ms is not None:
        headers.append((ARRIVED_MS, str(arrived_ms).encode()))
    return Message(topic.named(namespace), message_key(topic, record), value, headers)


def tick_headers(arrived_ms: int | None = None) -> list[tuple[str, bytes]]:
    """The headers of a tick; `arrived_ms` is set by a replayer alone."""
    headers = [("ce_type", TICK.encode())]
    if arrived_ms is not None:
        headers.append((ARRIVED_MS, str(arrived_ms).encode()))
    return headers
