"""What the gateway keeps of its tenants in Postgres: one transaction each, with who did what written beside it."""

import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

import psycopg

from contracts.errors import Misconfigured, Unavailable
from contracts.settings import Settings
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection

T = TypeVar("T")

TIMEOUT_S = 5.0


class Registry:
    """`connect` raises Unavailable as postgres_connection does; `chance` gives so many random bytes."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], now: Callable[[], datetime], chance: Callable[[int], bytes]
    ) -> None:
        self._connect, self.now, self.chance = connect, now, chance

    @classmethod
    def of(cls, settings: Settings, now: Callable[[], datetime]) -> Self:
        """That of the settings' namespace."""
        dsn = settings.postgres.get_secret_value()
        connect = partial(postgres_connection, dsn, settings.namespace, timeout_s=TIMEOUT_S)
        return cls(connect, now, secrets.token_bytes)

    def note(self, connection: psycopg.Connection, tenant: str, actor: str, action: str, subject: str) -> None:
        """Write into the audit log, in the transaction of what is noted."""
        connection.execute(
            "INSERT INTO audit (at, tenant, actor, action, subject) VALUES (%s, %s, %s, %s, %s)",
            [self.now(), tenant, actor, action, subject],
        )

    def in_one(self, run: Callable[[psycopg.Connection], T]) -> T:
        """Run in one transaction on a connection of its own.

        Raises Unavailable when Postgres does not answer or does not write, Misconfigured when a table is missing.
        """
        connection = self._connect()
        try:
            with bounded(connection, TIMEOUT_S), connection.transaction():
                return run(connection)
        except POSTGRES_AWAY as gone:
            raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
        except psycopg.errors.UndefinedTable as missing:
            raise Misconfigured(f"{missing.diag.message_primary}: run `argus migrate` first") from missing
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.DiskFull) as refused:
            raise Unavailable(f"Postgres does not write: {refused.diag.message_primary}") from refused
        finally:
            connection.close()


def no_tenant(name: str) -> Misconfigured:
    """The error that tells of a tenant that does not exist."""
    return Misconfigured(f"there is no tenant {name!r}: argus tenant create {name}")
