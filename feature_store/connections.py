"""Connections to Valkey and Postgres, none of which can wait for ever.

A server-side limit does not fire while the server is stopped, so every wait ends at the client.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from valkey import Valkey
from valkey.backoff import NoBackoff
from valkey.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - the driver's own name
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,  # noqa: A004 - the driver's own name
    ValkeyError,
)
from valkey.retry import Retry

from contracts.errors import Unavailable

VALKEY_AWAY: tuple[type[ValkeyError], ...] = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
)
"""What Valkey raises when trying again may help; any other ValkeyError is a bug."""

POSTGRES_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
"""What Postgres raises when trying again may help; any other psycopg.Error is a bug or a missing migration."""


def valkey_client(url: str, *, timeout_s: float) -> Any:
    """A client of the Valkey at `url`; a call ends within `timeout_s`, and its caller decides about trying again."""
    return Valkey.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )  # fmt: skip


def schema_of(namespace: str) -> str:
    """The Postgres schema of a namespace.

    >>> schema_of(""), schema_of("day-1")
    ('argus', 'argus_day_1')
    """
    return f"argus_{namespace.replace('-', '_')}" if namespace else "argus"


def postgres_connection(dsn: str, namespace: str, *, timeout_s: float) -> psycopg.Connection:
    """A connection whose search path is the namespace's schema; commits only when told.

    Raises Unavailable when Postgres does not answer within `timeout_s` (whole seconds, at least 2).
    """
    try:
        connection = psycopg.connect(dsn, connect_timeout=max(2, round(timeout_s)), application_name="argus")
        with bounded(connection, timeout_s):
            connection.execute(sql.SQL("SET search_path TO {}, public").format(sql.Identifier(schema_of(namespace))))
            connection.execute("SET TIME ZONE 'UTC'")
            connection.commit()
    except POSTGRES_AWAY as gone:
        raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
    return connection


@contextmanager
def bounded(connection: psycopg.Connection, timeout_s: float) -> Iterator[None]:
    """End whatever the block waits for after `timeout_s` by closing the socket under it.

    The block then raises psycopg.OperationalError and the connection is broken.
    """
    line = socket.socket(fileno=os.dup(connection.fileno()))
    timer = threading.Timer(timeout_s, line.shutdown, [socket.SHUT_RDWR])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        line.close()
