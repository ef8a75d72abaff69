"""What is there: on the topics of a namespace, in its keys and in its history. Read as anybody could read it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from benchmarks.reference import SERIES
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.features import FEATURES, PROJECT_HEALTH_VIEW
from contracts.insights import Insight
from contracts.jobs import Job
from contracts.records import CurrentVelocity, DeadLetter, FailureVelocity, ProjectHealth, checked, decode
from contracts.settings import Settings
from contracts.topics import DEAD_LETTERS, FAILURE_VELOCITY, INSIGHTS, PROJECT_HEALTH, RUNS, SEPARATOR, Topic
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection, valkey_client
from feature_store.log import follower
from feature_store.reader import Reader

POLL_S, TIMEOUT_S = 0.2, 10.0
BATCH = 10_000
HEALTH = [feature.name for feature in FEATURES if feature.view is PROJECT_HEALTH_VIEW]

Counts = dict[tuple[str, int], tuple[int, ...]]
"""Runs, failing and error runs by (project, start of the minute in epoch ms)."""

Values = tuple[Any, ...]
"""Both rates and the six counts of the two minutes, in the order of benchmarks.reference_health.VALUES."""


def log_of(settings: Settings, topic: Topic, *, deadline_s: float = 60) -> list[Any]:
    """All messages of a topic, in order within each partition.

    Raises Unavailable when the broker does not answer, DeadlineExceeded when the end is not reached.
    """
    name, ends_s = topic.named(settings.namespace), time.monotonic() + deadline_s
    consumer = follower(settings.kafka, "argus.observed", **{"enable.partition.eof": True})
    try:
        reading = set(range(settings.partitions))
        consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in reading])
        found = []
        while reading:
            if time.monotonic() > ends_s:
                raise DeadlineExceeded(f"{name} was not read to its end in {deadline_s:g} s")
            for message in consumer.consume(BATCH, timeout=POLL_S):
                if (error := message.error()) is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    reading.discard(message.partition())
                elif not error.retriable():
                    raise Unavailable(f"{name}: {error.str()}")
    finally:
        consumer.close()
    return found


def velocity_rows(settings: Settings) -> Counts:
    """The newest counts of each minute; one that is withdrawn, or zero throughout, is none."""
    rows: Counts = {}
    for message in log_of(settings, FAILURE_VELOCITY):
        project, _, minute_ms = message.key().decode().partition(SEPARATOR)
        at = (project, int(minute_ms))
        counts = decode(FailureVelocity, message.value()).counts() if message.value() is not None else None
        if counts:
            rows[at] = counts
        else:
            rows.pop(at, None)
    return rows


def told_health(settings: Settings) -> list[ProjectHealth]:
    """Every value on the topic of project health, in the order of its partitions."""
    return [decode(ProjectHealth, message.value()) for message in log_of(settings, PROJECT_HEALTH)]


def health_values(told: ProjectHealth) -> Values:
    """Its values as the reference has them."""
    return (told.failure_rate_24h, told.failure_rate_7d, *_counts(told.failure_velocity))


def key_values(settings: Settings, projects: Iterable[str]) -> dict[str, Values]:
    """What a reader of keys sees of these projects; a word in place of a value that is not there and should be.

    A rate without a run in its window has no key: None.
    """
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=2)
    try:
        reader = Reader(client, settings.namespace, lambda: 0)
        found = {}
        for project in projects:
            day, week, velocity = reader.read([f"project:{project}:{name}" for name in HEALTH])
            counts: Values = (velocity.status,)
            if velocity.status == "present":
                counts = _counts(checked(CurrentVelocity, velocity.value))
            found[project] = (*(one.status if one.status == "missing" else one.value for one in (day, week)), *counts)
        return found
    finally:
        client.close()


def history_rows(settings: Settings) -> dict[tuple[str, int], Values]:
    """Each row of feature_project_health by (project, as_of_ms). Raises Unavailable when Postgres does not answer."""
    connection = postgres_connection(settings.postgres.get_secret_value(), settings.namespace, timeout_s=5)
    try:
        with bounded(connection, TIMEOUT_S):
            rows = connection.execute(
                "SELECT entity, round(extract(epoch FROM event_timestamp) * 1000)::bigint, failure_rate_24h, "
                "failure_rate_7d, failure_velocity FROM feature_project_health"
            ).fetchall()
    except POSTGRES_AWAY as gone:
        raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
    finally:
        connection.close()
    return {
        (project, as_of_ms): (day, week, *_counts(checked(CurrentVelocity, velocity)))
        for project, as_of_ms, day, week, velocity in rows
    }


def insights(settings: Settings) -> dict[str, str]:
    """What each insight says, by its id; one that says two things has both."""
    found: dict[str, str] = {}
    for message in log_of(settings, INSIGHTS):
        said = message.value().decode()
        before = found.setdefault(decode(Insight, message.value()).insight, said)
        if said != before:
            found[decode(Insight, message.value()).insight] = f"{before}, and {said}"
    return found


def letters(settings: Settings) -> list[DeadLetter]:
    """Every message on the topic of dead letters, repeats included."""
    return [decode(DeadLetter, message.value()) for message in log_of(settings, DEAD_LETTERS)]


class Progress:
    """How far the log of runs reaches and how far a job has come; a consumer that stays connected."""

    def __init__(self, settings: Settings, job: Job) -> None:
        self._consumer = follower(settings.kafka, job.group(settings.namespace))
        name = RUNS.named(settings.namespace)
        self._partitions = [TopicPartition(name, partition) for partition in range(settings.partitions)]

    def ends(self) -> int:
        """Messages on the topic. Raises Unavailable."""
        try:
            return sum(self._consumer.get_watermark_offsets(at, timeout=TIMEOUT_S)[1] for at in self._partitions)
        except KafkaException as gone:
            raise Unavailable(f"the end of the log of runs: {gone.args[0].str()}") from gone

    def committed(self) -> int:
        """Messages that a completed checkpoint of the job has behind it. Raises Unavailable."""
        try:
            return sum(max(0, at.offset) for at in self._consumer.committed(self._partitions, timeout=TIMEOUT_S))
        except KafkaException as gone:
            raise Unavailable(f"a job's committed offsets: {gone.args[0].str()}") from gone

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def until(what: str, look: Callable[[], bool], *, deadline_s: float, every_s: float = 0.1) -> None:
    """Look until it is so; what does not answer is asked again. Raises DeadlineExceeded, naming `what`."""
    ends_s = time.monotonic() + deadline_s
    while not _is_so(look):
        if time.monotonic() > ends_s:
            raise DeadlineExceeded(f"{what}: not so after {deadline_s:g} s")
        time.sleep(every_s)


def _is_so(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except Unavailable:
        return False


def _counts(velocity: CurrentVelocity) -> Values:
    minutes = (velocity.last_minute, velocity.current_minute)
    return tuple(getattr(minute, name) for minute in minutes for name in SERIES)
