"""Whether what the gateway needs answers now: the broker, Valkey, Postgres. Each check ends within two seconds."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from contracts.errors import Unavailable
from feature_store.connections import POSTGRES_AWAY, VALKEY_AWAY, bounded
from feature_store.probe import Check

TIMEOUT_S = 2.0


def broker_answers(admin: AdminClient) -> Check:
    """A check of the broker."""

    def check() -> str | None:
        try:
            admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as gone:
            return str(gone.args[0].str())
        return None

    return check


def valkey_answers(client: Any) -> Check:
    """A check of Valkey."""

    def check() -> str | None:
        try:
            client.ping()
        except VALKEY_AWAY as gone:
            return type(gone).__name__
        return None

    return check


def postgres_answers(connect: Callable[[], psycopg.Connection]) -> Check:
    """A check of Postgres over one connection that it keeps; `connect` raises Unavailable."""
    kept: list[psycopg.Connection] = []
    alone = threading.Lock()

    def check() -> str | None:
        with alone:
            try:
                if not kept:
                    kept.append(connect())
                with bounded(kept[0], TIMEOUT_S):
                    kept[0].execute("SELECT 1")
                    kept[0].rollback()
            except Unavailable as gone:
                return str(gone)
            except POSTGRES_AWAY as gone:
                kept.pop().close()
                return type(gone).__name__
        return None

    return check


def thread_lives(thread: threading.Thread) -> Check:
    """A check of a thread that has to run for as long as the process."""
    return lambda: None if thread.is_alive() else "has stopped"
