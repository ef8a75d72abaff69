"""Ticks: one empty record a second in every partition of the input topics, so that time passes where nothing happens.

A tick that comes late is worth nothing: it is dropped after TICK_LIFE_S and the next one serves. Doubles are harmless.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from prometheus_client import Counter

from contracts.errors import Unavailable
from contracts.topics import TOPICS, tick_headers
from feature_store.log import admin_client, producer

TICK_LIFE_S = 5.0
EVERY_S = 1.0
_PARTITIONS_LIFE_S = 10.0
_TIMEOUT_S = 2.0

log = structlog.get_logger()


class Ticker:
    """Ticks for one namespace; remembers which partitions there are."""

    def __init__(self, kafka: str, namespace: str, sent: Counter, now_s: Callable[[], float] = time.monotonic) -> None:
        self._producer: Producer = producer(kafka, **{"message.timeout.ms": int(TICK_LIFE_S * 1000)})
        self._admin: AdminClient = admin_client(kafka)
        self._topics = {topic.named(namespace): topic.name for topic in TOPICS if topic.ticks}
        self._sent, self._now_s = sent, now_s
        self._partitions: list[tuple[str, int]] = []
        self._partitions_until_s = 0.0

    def tick(self) -> None:
        """One tick in every partition there is. Raises Unavailable when the broker does not answer."""
        try:
            for topic, partition in self._where():
                self._producer.produce(
                    topic, b"", partition=partition, headers=tick_headers(), on_delivery=self._delivered
                )
            self._producer.poll(0)
        except (KafkaException, BufferError) as gone:
            raise Unavailable(f"no tick: {gone}") from gone

    def close(self) -> None:
        """Bring out what is on the way."""
        self._producer.flush(_TIMEOUT_S)

    def _where(self) -> list[tuple[str, int]]:
        if self._now_s() >= self._partitions_until_s:
            # All topics are listed: asking for one by name could create it.
            found = self._admin.list_topics(timeout=_TIMEOUT_S).topics
            self._partitions = [(name, at) for name in self._topics if name in found for at in found[name].partitions]
            self._partitions_until_s = self._now_s() + (_PARTITIONS_LIFE_S if self._partitions else 0)
        return self._partitions

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self._sent.labels(self._topics[message.topic()]).inc()


def keep_ticking(ticker: Ticker, stop: threading.Event, now_s: Callable[[], float] = time.monotonic) -> None:
    """Tick once a second until `stop`; a broker that is away is tried again the next second."""
    away = False
    while not stop.is_set():
        due_s = now_s() + EVERY_S
        try:
            ticker.tick()
            away = False
        except Unavailable as gone:
            if not away:
                log.warning("ticks wait", reason=str(gone))
            away = True
        stop.wait(max(0.0, due_s - now_s()))
    ticker.close()
