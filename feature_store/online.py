"""The online writer: the newest value of every entity into Valkey, alive for as long as its job keeps up.

It reads the views' topics from the beginning whenever it starts and folds them in memory first, so that an old value
never shows on top of a newer one and an emptied Valkey is filled again. Nothing is kept between runs: offsets are
not committed, the compacted topic is the store.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from confluent_kafka import Consumer
from prometheus_client import CollectorRegistry

from contracts import metrics
from contracts.errors import BadRecord, Unavailable
from contracts.features import FEATURES, VIEWS, Feature
from feature_store.catchup import CatchUp
from feature_store.clock import Clock, ViewClock
from feature_store.connections import VALKEY_AWAY
from feature_store.guard import OUTDATED, Guard, Key, Presence, Write
from feature_store.letters import Letters, dead_letter
from feature_store.log import is_tick
from feature_store.metrics import counter, gauge, histogram
from feature_store.newest import Entry, Newest
from feature_store.values import read_value

READER = "online-writer"
BATCH = 500
"""Records taken, and entities written, at a time: a few milliseconds of Valkey's time."""

PRESENCE_EVERY_S = 1.0
IDLE_WAIT_S = 0.1
BACKOFF_S = (0.05, 5.0)

log = structlog.get_logger()


@dataclass(frozen=True)
class Tools:
    """What the writer works with: the edge's clients, clocks and chance."""

    consumer: Consumer
    letters: Letters
    guard: Guard
    presence: Presence
    clocks: Callable[[], dict[str, ViewClock]]
    now_ms: Callable[[], int]
    chance: Callable[[], float]
    now_s: Callable[[], float] = time.monotonic


class Measures:
    """The writer's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.event_to_key = histogram(metrics.EVENT_TO_KEY, registry)
        self.view_lag = gauge(metrics.VIEW_LAG, registry)
        self.clock_age = gauge(metrics.CLOCK_AGE, registry)
        self.written = counter(metrics.KEYS_WRITTEN, registry)
        self.outdated = counter(metrics.KEYS_STALE, registry)
        self.retries = counter(metrics.WRITER_RETRIES, registry)


class OnlineWriter:
    """Turn it; each turn takes what has come and writes what can be written."""

    def __init__(self, tools: Tools, measures: Measures, *, namespace: str, clock: Clock) -> None:
        self._tools, self._measures = tools, measures
        self._namespace, self._clock = namespace, clock
        self._views = {view.topic.named(namespace): view for view in VIEWS}
        self._features = {
            view.name: tuple(feature for feature in FEATURES if feature.view is view) for view in VIEWS
        }  # fmt: skip
        self._newest = Newest(
            {name: tuple(feature.ttl_s for feature in features) for name, features in self._features.items()}
        )
        self._catch_up = CatchUp()
        self._failures = 0
        self._more = False
        self._retry_s = self._look_s = 0.0
        tools.consumer.subscribe(
            list(self._views), on_assign=self._catch_up.on_assign, on_revoke=self._catch_up.on_revoke
        )

    def unready(self) -> str | None:
        """Why nothing is written now, or None."""
        if not self._catch_up.assigned:
            return "no partition is assigned"
        if not self._catch_up.done:
            return "catching up"
        return "Valkey is away" if self._failures else None

    def turn(self) -> None:
        """Wait for a record unless there is work, take what has come, write what can be written."""
        received = self._received()
        while self._catch_up.left:
            self._newest.leave(self._catch_up.left.pop())
        for message in received:
            self._take(message)
        self._tools.letters.turn()
        self._catch_up.ask(self._tools.consumer)
        now_s = self._tools.now_s()
        if self._catch_up.done and now_s >= self._retry_s:
            clocks = self._tools.clocks()
            try:
                self._look(clocks, now_s)
                self._store(clocks, now_s)
            except VALKEY_AWAY as gone:
                self._back_off(gone, now_s)
            else:
                if self._failures:
                    log.info("Valkey is back", tries=self._failures)
                self._failures = 0

    def _received(self) -> Sequence[Any]:
        consumer = self._tools.consumer
        first = consumer.poll(0 if self._more else IDLE_WAIT_S)
        # No waiting to fill a batch: what is queued already comes along.
        return [] if first is None else [first, *consumer.consume(BATCH - 1, timeout=0)]

    def _take(self, message: Any) -> None:
        if message.error():
            if message.error().fatal():
                raise Unavailable(f"the broker has shut this reader out: {message.error().str()}")
            self._catch_up.ended(message)
            return
        live = self._catch_up.passed(message)
        if live is None or is_tick(message):
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
        place = (message.topic(), message.partition())
        if not self._newest.fold(view, value.entity, place, value.record, value.as_of_ms, live=live):
            self._measures.outdated.labels(view.name).inc()

    def _look(self, clocks: dict[str, ViewClock], now_s: float) -> None:
        """Once a second: is Valkey still the one we filled, and has a view's clock moved?"""
        if now_s < self._look_s:
            return
        if self._tools.presence.lost():
            log.info("writing all keys", entities=len(self._newest))
            self._newest.again()
        self._look_s = now_s + PRESENCE_EVERY_S
        self._newest.lighten(clocks, now_s)
        for name, clock in clocks.items():
            if clock.newest_ms is not None and clock.clock_ms is not None:
                self._measures.view_lag.labels(name).set((clock.newest_ms - clock.clock_ms) / 1000)
                if self._clock == "life":
                    self._measures.clock_age.labels(name).set((self._tools.now_ms() - clock.newest_ms) / 1000)

    def _store(self, clocks: dict[str, ViewClock], now_s: float) -> None:
        self._newest.renew(BATCH, clocks, now_s)
        entries = self._newest.take(BATCH, clocks)
        self._more = len(entries) == BATCH
        if not entries:
            return
        answers = self._tools.guard.write([self._write(entry, clocks, now_s) for entry in entries])
        done_ms = self._tools.now_ms()
        for entry, written in zip(entries, answers, strict=True):
            if written == OUTDATED:
                self._measures.outdated.labels(entry.view.name).inc()
                continue
            self._measures.written.labels(entry.view.name).inc(written)
            if entry.caused_ms is not None and self._clock == "life":
                self._measures.event_to_key.labels(entry.view.name).observe(max(0, done_ms - entry.caused_ms) / 1000)
        self._newest.wrote(entries, clocks, now_s)

    def _write(self, entry: Entry, clocks: dict[str, ViewClock], now_s: float) -> Write:
        clock = clocks[entry.view.name]
        lag_ms = clock.lag_ms(now_s, entry.as_of_ms)
        return Write(
            guard=entry.view.entity_key(entry.entity, self._namespace),
            view=entry.view.name,
            keys=[self._key(feature, entry, lag_ms) for feature in self._features[entry.view.name]],
            as_of_ms=entry.as_of_ms if entry.record is not None else None,
            version=getattr(entry.record, "model_version", 0),
            clock_ms=clock.clock_ms or 0,
        )

    def _key(self, feature: Feature, entry: Entry, lag_ms: int) -> Key:
        value = getattr(entry.record, feature.name, None)
        life_ms = feature.ttl_s * 1000 - lag_ms if value is not None else 0
        return Key(feature.key(entry.entity, self._namespace), msgspec.json.encode(value), life_ms)

    def _back_off(self, gone: Exception, now_s: float) -> None:
        """Try again later; what comes meanwhile is folded in memory."""
        self._failures += 1
        self._more = False
        least_s, most_s = BACKOFF_S
        wait_s = min(most_s, least_s * 2 ** min(self._failures - 1, 10)) * (0.5 + self._tools.chance() / 2)
        self._retry_s = now_s + wait_s
        self._look_s = 0.0
        self._measures.retries.labels("valkey").inc()
        if self._failures == 1:
            log.warning("Valkey is away", error=type(gone).__name__)
