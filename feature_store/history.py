"""The history writer: what was known when, into Postgres, a row when a value changes and one a day.

Offsets are committed after the rows are; a record that is read twice finds its own row and changes nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import CollectorRegistry, Counter

from contracts import metrics
from contracts.errors import BadRecord, Misconfigured, Unavailable
from contracts.features import VIEWS
from feature_store.connections import POSTGRES_AWAY, bounded
from feature_store.letters import Letters, dead_letter
from feature_store.log import is_tick
from feature_store.metrics import counter
from feature_store.rows import Row, Table
from feature_store.values import read_value

READER = "history-writer"
BATCH = 2000
BATCH_WAIT_S = 0.2
STORE_TIMEOUT_S = 15.0
LETTERS_TIMEOUT_S = 5.0
BACKOFF_S = (0.1, 5.0)

log = structlog.get_logger()


@dataclass(frozen=True)
class Tools:
    """What the writer works with: the edge's clients, clocks and chance. `connect` raises Unavailable."""

    consumer: Consumer
    letters: Letters
    connect: Callable[[], psycopg.Connection]
    chance: Callable[[], float]
    now_s: Callable[[], float] = time.monotonic


class Measures:
    """The writer's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows: Counter = counter(metrics.HISTORY_ROWS, registry)
        self.retries: Counter = counter(metrics.WRITER_RETRIES, registry)


@dataclass
class Batch:
    """Rows by view, and up to where the log was read for them."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)


class HistoryWriter:
    """Turn it; a turn takes a batch, or tries again to write the one it has."""

    def __init__(self, tools: Tools, measures: Measures, *, namespace: str) -> None:
        self._tools, self._measures = tools, measures
        self._views = {view.topic.named(namespace): view for view in VIEWS}
        self._tables = {view.name: Table(view) for view in VIEWS}
        self._batch = Batch()
        self._connection: psycopg.Connection | None = None
        self._failures = 0
        self._retry_s = 0.0
        tools.consumer.subscribe(list(self._views), on_revoke=self._on_revoke)

    def unready(self) -> str | None:
        """Why nothing is written now, or None."""
        return "Postgres or the broker is away" if self._failures else None

    def turn(self) -> None:
        """Take what has come and write it; after a failure wait, without taking more, and try again."""
        if self._failures:
            self._wait()
        else:
            for message in self._tools.consumer.consume(BATCH, timeout=BATCH_WAIT_S):
                self._take(message)
        self._tools.letters.turn()
        if self._batch.offsets and self._tools.now_s() >= self._retry_s:
            try:
                self._store()
            except (Unavailable, *POSTGRES_AWAY) as gone:
                self._back_off(gone)

    def close(self) -> None:
        """Let go of Postgres."""
        if self._connection is not None:
            self._connection.close()

    def _wait(self) -> None:
        """Stay a member of the group while nothing is taken; a record of a partition that is new here is kept."""
        self._tools.consumer.pause(self._tools.consumer.assignment())
        message = self._tools.consumer.poll(max(0.01, self._retry_s - self._tools.now_s()))
        if message is not None:
            self._take(message)

    def _take(self, message: Any) -> None:
        if message.error():
            if message.error().fatal():
                raise Unavailable(f"the broker has shut this reader out: {message.error().str()}")
            return
        self._batch.offsets[(message.topic(), message.partition())] = message.offset() + 1
        if is_tick(message):
            return
        view = self._views[message.topic()]
        try:
            value = read_value(view, message)
        except BadRecord as bad:
            self._tools.letters.send(dead_letter(message, bad, READER))
            log.warning(
                "dead letter", topic=message.topic(), offset=message.offset(), field=bad.field, reason=bad.reason
            )
            return
        if value.record is not None:  # a withdrawal is no value, and the past stays as it was known
            self._batch.rows.setdefault(view.name, []).append(self._tables[view.name].row(value))

    def _store(self) -> None:
        """Rows and dead letters first, then the offsets: what is read twice is written once."""
        for name, rows in self._batch.rows.items():
            written = self._written(self._tables[name], rows)
            self._measures.rows.labels(name).inc(written)
        self._tools.letters.flush(LETTERS_TIMEOUT_S)
        self._commit()
        self._batch = Batch()
        if self._failures:
            log.info("history goes on", tries=self._failures)
            self._tools.consumer.resume(self._tools.consumer.assignment())
        self._failures = 0

    def _written(self, table: Table, rows: Sequence[Row]) -> int:
        if self._connection is None or self._connection.closed:
            self._connection = self._tools.connect()
        with bounded(self._connection, STORE_TIMEOUT_S):
            try:
                return table.store(self._connection, rows)
            except psycopg.errors.UndefinedTable as missing:
                raise Misconfigured(f"{missing.diag.message_primary}: run `argus migrate` first") from missing

    def _commit(self) -> None:
        """Without waiting: a commit that fails is made good by the next one, or its records are read again."""
        offsets = [TopicPartition(*place, offset) for place, offset in self._batch.offsets.items()]
        try:
            self._tools.consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as refused:
            log.warning("offsets not committed", error=refused.args[0].str())

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for at in partitions:
            self._batch.offsets.pop((at.topic, at.partition), None)

    def _back_off(self, gone: Exception) -> None:
        self._failures += 1
        if self._connection is not None:
            self._connection.close()
        least_s, most_s = BACKOFF_S
        wait_s = min(most_s, least_s * 2 ** min(self._failures - 1, 10)) * (0.5 + self._tools.chance() / 2)
        self._retry_s = self._tools.now_s() + wait_s
        self._measures.retries.labels("broker" if len(self._tools.letters) else "postgres").inc()
        if self._failures == 1:
            log.warning("history waits", error=str(gone) if isinstance(gone, Unavailable) else type(gone).__name__)
