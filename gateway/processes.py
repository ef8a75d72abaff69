"""The gateway and the ticker as processes: clients made once from the settings, until told to stop."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog
import uvicorn
from prometheus_client import CollectorRegistry

from contracts import metrics
from contracts.errors import Misconfigured
from contracts.settings import Settings
from feature_store.connections import postgres_connection, valkey_client
from feature_store.log import admin_client, producer
from feature_store.metrics import counter, gauge
from feature_store.probe import probe
from feature_store.reader import Reader
from gateway.aliases import TestAliases
from gateway.app import application
from gateway.callers import Callers
from gateway.ingest.authors import hashed_by
from gateway.ingest.door import QUEUE, Door
from gateway.ingest.intake import Intake
from gateway.ingest.meter import Meter
from gateway.ingest.seen import Seen
from gateway.ingest.webhooks import SENDERS
from gateway.insights.kept import Kept
from gateway.insights.reading import Reading, read_insights
from gateway.insights.seen import Insights
from gateway.insights.streams import Streams
from gateway.letters import count_letters
from gateway.reachable import TIMEOUT_S, broker_answers, postgres_answers, thread_lives, valkey_answers
from gateway.remembered import Remembered
from gateway.tenants import Tenants
from gateway.ticks import Ticker, keep_ticking
from gateway.webhook_secrets import WebhookSecrets

ACKNOWLEDGED_S = 15.0
"""The broker acknowledges within this, or a sender is asked to come again."""
COUNTED_S = 0.25
"""Valkey counts requests within this, or the gateway counts alone."""
STALLED_MS = 30_000
"""A peer may leave what was sent to him unread for so long."""

log = structlog.get_logger()


def gateway(settings: Settings, stop: threading.Event, now_ms: Callable[[], int]) -> None:
    """Answer on settings.gateway until stopped; ticks in its namespace when that lives by life's clock.

    Raises Misconfigured when the address cannot be listened on.
    """
    registry = CollectorRegistry()
    listener = _listener(settings.gateway)
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=TIMEOUT_S)
    dsn = settings.postgres.get_secret_value()
    seen = counter(metrics.DEAD_LETTERS_SEEN, registry)
    threads = {
        "dead letters": threading.Thread(
            target=count_letters, args=(settings.kafka, settings.namespace, seen, stop), daemon=True
        )
    }
    if settings.clock == "life":
        ticker = Ticker(settings.kafka, settings.namespace, counter(metrics.TICKS, registry))
        threads["ticks"] = threading.Thread(target=keep_ticking, args=(ticker, stop), daemon=True)
    connect = partial(postgres_connection, dsn, settings.namespace, timeout_s=TIMEOUT_S)

    def now() -> datetime:
        return datetime.fromtimestamp(now_ms() / 1000, UTC)

    tenants, kept = Tenants.of(settings, now), WebhookSecrets.of(settings, now)
    webhook_secrets = {sender: Remembered(partial(kept.valid, sender=sender), time.monotonic) for sender in SENDERS}
    callers = Callers(
        tenants.token,
        tenants.note_use,
        admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
        clock=time.monotonic,
        now=now,
    )
    counters = valkey_client(settings.valkey.get_secret_value(), timeout_s=COUNTED_S)
    waits = {"linger.ms": 2, "delivery.timeout.ms": round(ACKNOWLEDGED_S * 1000)}
    door = Door(partial(producer, settings.kafka, **QUEUE, **waits), deadline_s=ACKNOWLEDGED_S)
    aliases = Remembered(TestAliases.of(settings, now).known, time.monotonic)
    intake = Intake(
        door, Seen(client, settings.namespace), aliases=aliases, namespace=settings.namespace, now_ms=now_ms
    )
    insights, reading = _insights(settings, door, registry, now_ms)
    threads["insights"] = threading.Thread(target=read_insights, args=(settings.kafka, reading, stop), daemon=True)
    for thread in threads.values():
        thread.start()
    app = application(
        read=Reader(client, settings.namespace, now_ms).read,
        callers=callers,
        secrets=lambda tenant, sender: webhook_secrets[sender](tenant),
        intake=intake if settings.clock == "life" else None,
        authors=hashed_by(settings.author_key.get_secret_value() if settings.author_key else None),
        meter=Meter(
            counters,
            settings.namespace,
            requests_per_minute=settings.ingest_requests_per_minute,
            bytes_per_day=settings.ingest_bytes_per_day,
            now_ms=now_ms,
            refused=counter(metrics.LIMITED, registry),
        ),
        seen=insights,
        checks={
            "broker": broker_answers(admin_client(settings.kafka)),
            "valkey": valkey_answers(client),
            "postgres": postgres_answers(connect),
            **{name: thread_lives(thread) for name, thread in {**threads, "door": door.thread}.items()},
        },
        registry=registry,
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)
    server = _Server(config, insights.streams)
    threading.Thread(target=_stop_server, args=(server, stop), daemon=True).start()
    log.info("started", process="gateway", namespace=settings.namespace, address=settings.gateway)
    try:
        with door:
            server.run(sockets=[listener])
    finally:
        stop.set()
        listener.close()
        for thread in threads.values():
            thread.join(timeout=5)
        client.close()
        counters.close()
    log.info("stopped", process="gateway")


def tick(settings: Settings, stop: threading.Event) -> None:
    """Tick alone until stopped. Raises Misconfigured in a namespace whose clock is a replayer's."""
    if settings.clock == "replay":
        raise Misconfigured("ARGUS_CLOCK=replay: in this namespace the replayer ticks, by its own clock")
    registry = CollectorRegistry()
    ticker = Ticker(settings.kafka, settings.namespace, counter(metrics.TICKS, registry))
    admin = admin_client(settings.kafka)
    with probe(
        settings.metrics_port, registry, host=settings.metrics_host, healthy=lambda: None, ready=broker_answers(admin)
    ) as port:
        log.info("started", process="tick", namespace=settings.namespace, probe_port=port)
        keep_ticking(ticker, stop, time.monotonic)
        log.info("stopped", process="tick")


def _insights(
    settings: Settings, door: Door, registry: CollectorRegistry, now_ms: Callable[[], int]
) -> tuple[Insights, Reading]:
    """What callers see of insights, and what reads them from the log."""
    kept = Kept()
    streams = Streams(
        of_one_tenant=settings.viewers_per_tenant,
        viewers=gauge(metrics.VIEWERS, registry),
        dropped=counter(metrics.VIEWERS_DROPPED, registry),
    )
    insights = Insights(
        kept,
        streams,
        hand_in=door.hand_in,
        namespace=settings.namespace,
        pages_per_day=settings.pages_per_day,
        now_ms=now_ms,
    )
    reading = Reading(
        kept,
        settings.namespace,
        on_new=insights.publish,
        count=gauge(metrics.INSIGHTS_KEPT, registry),
        unreadable=counter(metrics.INSIGHTS_UNREADABLE, registry),
    )
    return insights, reading


class _Server(uvicorn.Server):
    """Ends the streams when it stops: it would wait for them, and they never end by themselves."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.end()
        await super().shutdown(sockets)


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        listener = socket.create_server((host, int(port)), backlog=256)
    except OSError as taken:
        raise Misconfigured(f"ARGUS_GATEWAY={address}: {taken.strerror}; choose another port") from taken
    # who takes nothing for so long is gone, or reads a stream and has stopped: the kernel ends his connection
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
    return listener


def _stop_server(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True
