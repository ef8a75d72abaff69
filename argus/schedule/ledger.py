"""The table schedule_run, and the lock that lets a job run in one place at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from argus.schedule.due import Past
from contracts.errors import Misconfigured, Unavailable
from contracts.settings import Settings
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection, schema_of

TIMEOUT_S = 5.0

_KNOWN = """
INSERT INTO schedule_run (job, since) VALUES (%s, %s) ON CONFLICT (job) DO UPDATE SET job = EXCLUDED.job
RETURNING since, completed, tried, failures
"""
_BEGIN = """
UPDATE schedule_run SET tried = %(now)s, failures = 1 + CASE WHEN tried >= %(night)s THEN failures ELSE 0 END
WHERE job = %(job)s
"""
_COMPLETED = "UPDATE schedule_run SET completed = tried, failures = 0 WHERE job = %s"
_BROKEN_OFF = "UPDATE schedule_run SET tried = %s, failures = %s WHERE job = %s"


class Ledger:
    """One job's row, while its lock is held. Every method raises Unavailable when Postgres does not answer.

    A run counts as failed from its beginning, until it has come to its end: who is killed in it has failed.
    """

    def __init__(self, connection: psycopg.Connection, job: str) -> None:
        self._connection, self._job = connection, job

    def past(self, now: datetime) -> Past:
        """What is known of the job, which from now on is heard of."""
        (row,) = self._told(_KNOWN, [self._job, now])
        return Past(*row)

    def begin(self, night: datetime, now: datetime) -> None:
        """A run begins; failures of earlier nights are forgotten."""
        self._do(_BEGIN, {"now": now, "night": night, "job": self._job})

    def completed(self) -> None:
        """The run that began last has come to its end."""
        self._do(_COMPLETED, [self._job])

    def broken_off(self, past: Past) -> None:
        """The run that began last was stopped on purpose: as if it had not begun."""
        self._do(_BROKEN_OFF, [past.tried, past.failures, self._job])

    def _told(self, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
        try:
            with bounded(self._connection, TIMEOUT_S), self._connection.transaction():
                return self._connection.execute(query.encode(), values).fetchall()
        except POSTGRES_AWAY as gone:
            raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone

    def _do(self, query: str, values: Any) -> None:
        self._told(f"{query} RETURNING job", values)


@contextmanager
def held(settings: Settings, job: str) -> Iterator[Ledger | None]:
    """The job's row while nobody else has it; None while another scheduler of the namespace does.

    The lock is the connection's: it ends with this process, however that ends. Raises Unavailable when Postgres does
    not answer, Misconfigured where the table is missing.
    """
    connection = postgres_connection(settings.postgres.get_secret_value(), settings.namespace, timeout_s=TIMEOUT_S)
    name = f"argus schedule {schema_of(settings.namespace)} {job}"
    connection.autocommit = True
    try:
        with bounded(connection, TIMEOUT_S):
            (mine,) = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone() or (False,)
        yield Ledger(connection, job) if mine else None
    except POSTGRES_AWAY as gone:
        raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
    except psycopg.errors.UndefinedTable as missing:
        raise Misconfigured("Postgres has no table schedule_run: run `argus migrate`") from missing
    finally:
        connection.close()
