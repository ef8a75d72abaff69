"""The two writers as processes: clients made once from the settings, then turned until told to stop."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from contracts.errors import Unavailable
from contracts.features import VIEWS
from contracts.settings import Settings
from feature_store import history, online
from feature_store.clock import JobClock, ViewClock
from feature_store.connections import postgres_connection, valkey_client
from feature_store.guard import Guard, Presence
from feature_store.letters import Letters
from feature_store.log import follower, producer
from feature_store.probe import Heartbeat, probe

VALKEY_TIMEOUT_S = 2.0
POSTGRES_TIMEOUT_S = 5.0
CLOCK_EVERY_S = 1.0
CLOCK_TIMEOUT_S = 5.0
SILENCE_S = 30.0

log = structlog.get_logger()


def group(name: str, namespace: str) -> str:
    """The consumer group of a writer.

    >>> group("online", "day-1")
    'day-1.argus.online'
    """
    return f"{namespace}.argus.{name}" if namespace else f"argus.{name}"


def online_writer(settings: Settings, stop: threading.Event, now_ms: Callable[[], int]) -> None:
    """Run the online writer until `stop`. Raises Unavailable only when the broker shuts it out for good."""
    registry = CollectorRegistry()
    with ExitStack() as leaving:
        client = valkey_client(settings.valkey.get_secret_value(), timeout_s=VALKEY_TIMEOUT_S)
        leaving.callback(client.close)
        consumer = follower(
            settings.kafka, group("online", settings.namespace), **{"enable.partition.eof": True}
        )  # fmt: skip
        leaving.callback(consumer.close)
        clocks = {view.name: JobClock(view.job, settings) for view in VIEWS}
        watch = threading.Thread(target=watch_clocks, args=(clocks, stop), name="clocks", daemon=True)
        watch.start()
        leaving.callback(watch.join, CLOCK_TIMEOUT_S + 1)
        mark = ":".join(part for part in (settings.namespace, "argus", "online-writer", "filled") if part)
        letters = Letters(producer(settings.kafka), settings.namespace)
        writer = online.OnlineWriter(
            online.Tools(
                consumer=consumer,
                letters=letters,
                guard=Guard(client),
                presence=Presence(client, mark, lambda: uuid.uuid4().hex),
                clocks=partial(_seen, clocks),
                now_ms=now_ms,
                chance=random.random,
            ),
            online.Measures(registry),
            namespace=settings.namespace,
            clock=settings.clock,
        )
        _turn(writer.turn, writer.unready, settings, registry, stop, "online-writer")
        _last_letters(letters)


def history_writer(settings: Settings, stop: threading.Event) -> None:
    """Run the history writer until `stop`. Raises Misconfigured when its table is missing."""
    registry = CollectorRegistry()
    dsn = settings.postgres.get_secret_value()
    with ExitStack() as leaving:
        # It gathers rows for that long anyway; asked for each record by itself, the broker works as much again.
        consumer = follower(
            settings.kafka,
            group("history", settings.namespace),
            **{"fetch.min.bytes": 65_536, "fetch.wait.max.ms": round(history.BATCH_WAIT_S * 1000)},
        )
        leaving.callback(consumer.close)
        writer = history.HistoryWriter(
            history.Tools(
                consumer=consumer,
                letters=Letters(producer(settings.kafka), settings.namespace),
                connect=partial(postgres_connection, dsn, settings.namespace, timeout_s=POSTGRES_TIMEOUT_S),
                chance=random.random,
            ),
            history.Measures(registry),
            namespace=settings.namespace,
        )
        leaving.callback(writer.close)
        _turn(writer.turn, writer.unready, settings, registry, stop, "history-writer")


def watch_clocks(clocks: dict[str, JobClock], stop: threading.Event) -> None:
    """Look at every clock once a second until `stop`, then close them; a broker that is gone is asked again."""
    away: set[str] = set()
    while not stop.is_set():
        for name, clock in clocks.items():
            try:
                clock.look(CLOCK_TIMEOUT_S)
                away.discard(name)
            except Unavailable as gone:
                if name not in away:
                    log.warning("view clock not read", view=name, reason=str(gone))
                away.add(name)
        stop.wait(CLOCK_EVERY_S)
    for clock in clocks.values():
        clock.close()


def _seen(clocks: dict[str, JobClock]) -> dict[str, ViewClock]:
    return {name: clock.seen for name, clock in clocks.items()}


def _turn(
    turn: Callable[[], None],
    unready: Callable[[], str | None],
    settings: Settings,
    registry: CollectorRegistry,
    stop: threading.Event,
    name: str,
) -> None:
    heart = Heartbeat(SILENCE_S, time.monotonic)
    with probe(settings.metrics_port, registry, host=settings.metrics_host, healthy=heart.check, ready=unready) as port:
        log.info("started", process=name, namespace=settings.namespace, probe_port=port)
        while not stop.is_set():
            turn()
            heart.beat()
        log.info("stopped", process=name)


def _last_letters(letters: Letters) -> None:
    """The records they are about stay on the log and are read again at the next start: a few seconds are enough."""
    try:
        letters.flush(5)
    except Unavailable as gone:
        log.warning("dead letters not sent", reason=str(gone))
