"""Tenants and their tokens, in Postgres: made, listed, revoked, looked up; who did it is written beside it.

A token is `argus_<prefix>_<secret>`. The prefix names it and may be shown; of the secret a hash is kept and no more.
"""

import base64
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TypeVar

import psycopg
from msgspec import Struct
from psycopg.rows import class_row

from contracts.errors import Misconfigured, Unavailable
from contracts.settings import Settings
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection
from gateway.ingest.webhooks import SENDERS

T = TypeVar("T")

SCOPES = ("ingest", "read", "gate", "admin")
VALID_SECRETS = 2
TIMEOUT_S = 5.0
TENANT_PATTERN = r"^[A-Za-z0-9._-]{1,100}$"
_SHOWN = re.compile(r"argus_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")


class Token(Struct, frozen=True):
    """What is known of one token; `hash` is the SHA-256 of its secret."""

    prefix: str
    tenant: str
    label: str
    hash: bytes
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def state(self, now: datetime) -> str:
        """`valid`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def parts(shown: str) -> tuple[str, str] | None:
    """Prefix and secret of a token as it is shown to us; None where it is none of ours."""
    found = _SHOWN.fullmatch(shown)
    return (found[1], found[2]) if found else None


def hashed(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


class Tenants:
    """`connect` raises Unavailable as postgres_connection does; `chance` gives so many random bytes."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], now: Callable[[], datetime], chance: Callable[[int], bytes]
    ) -> None:
        self._connect, self._now, self._chance = connect, now, chance

    def create(self, name: str, actor: str) -> None:
        """A tenant of this name. Raises Misconfigured when there is one, or the name could begin no project's."""
        if not re.fullmatch(TENANT_PATTERN, name):
            raise Misconfigured(f"tenant {name!r}: a name has at most 100 of A-Z a-z 0-9 . _ -")

        def run(connection: psycopg.Connection) -> None:
            try:
                connection.execute("INSERT INTO tenant VALUES (%s, %s)", [name, self._now()])
            except psycopg.errors.UniqueViolation as known:
                raise Misconfigured(f"tenant {name!r} exists already") from known
            self._note(connection, name, actor, "tenant created", name)

        self._in_one(run)

    def create_token(
        self, tenant: str, *, label: str, scopes: Sequence[str], life: timedelta | None, actor: str
    ) -> str:  # fmt: skip
        """A new token, whole: this is the only time it can be seen.

        Raises Misconfigured for a scope or a tenant that does not exist.
        """
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise Misconfigured(f"scope {', '.join(unknown)}: there is {', '.join(SCOPES)}")
        if not scopes:
            raise Misconfigured("a token without a scope may do nothing: give at least one")
        prefix = base64.b32encode(self._chance(5)).decode().lower()
        secret = base64.urlsafe_b64encode(self._chance(32)).decode().rstrip("=")

        def run(connection: psycopg.Connection) -> None:
            now = self._now()
            row = [prefix, tenant, label, hashed(secret), sorted(set(scopes)), now, now + life if life else None]
            try:
                connection.execute(
                    "INSERT INTO token (prefix, tenant, label, hash, scopes, created_at, expires_at) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s)", row
                )  # fmt: skip
            except psycopg.errors.ForeignKeyViolation as missing:
                raise _no_tenant(tenant) from missing
            self._note(connection, tenant, actor, "token created", prefix)

        self._in_one(run)
        return f"argus_{prefix}_{secret}"

    def revoke(self, prefix: str, actor: str) -> None:
        """From the next look on (a few seconds) it opens nothing. Raises Misconfigured where there is none."""

        def run(connection: psycopg.Connection) -> None:
            row = connection.execute(
                "UPDATE token SET revoked_at = COALESCE(revoked_at, %s) WHERE prefix = %s RETURNING tenant",
                [self._now(), prefix],
            ).fetchone()
            if row is None:
                raise Misconfigured(f"there is no token {prefix!r}: argus token list shows their prefixes")
            self._note(connection, row[0], actor, "token revoked", prefix)

        self._in_one(run)

    def tokens(self, tenant: str | None = None) -> list[Token]:
        """All tokens, or a tenant's, the oldest first."""

        def run(connection: psycopg.Connection) -> list[Token]:
            with connection.cursor(row_factory=class_row(Token)) as cursor:
                return cursor.execute(
                    "SELECT * FROM token WHERE %s::text IS NULL OR tenant = %s ORDER BY created_at, prefix",
                    [tenant, tenant],
                ).fetchall()

        return self._in_one(run)

    def note_use(self, prefix: str) -> None:
        """A token was shown with its secret, now."""
        self._in_one(
            lambda connection: connection.execute(
                "UPDATE token SET used_at = %s WHERE prefix = %s", [self._now(), prefix]
            )
        )

    def token(self, prefix: str) -> Token | None:
        """The token of this prefix; None where there is none."""

        def run(connection: psycopg.Connection) -> Token | None:
            with connection.cursor(row_factory=class_row(Token)) as cursor:
                return cursor.execute("SELECT * FROM token WHERE prefix = %s", [prefix]).fetchone()

        return self._in_one(run)

    def create_webhook_secret(self, tenant: str, sender: str, actor: str) -> str:
        """A new secret for a sender's webhooks; the one before it stays valid, older ones do not.

        Raises Misconfigured for a sender that is not known or a tenant that does not exist.
        """
        if sender not in SENDERS:
            raise Misconfigured(f"webhooks of {sender!r}: there is {', '.join(SENDERS)}")
        secret = base64.urlsafe_b64encode(self._chance(32)).decode().rstrip("=")

        def run(connection: psycopg.Connection) -> None:
            self._create_secret(connection, tenant, sender, secret)
            self._note(connection, tenant, actor, "webhook secret created", sender)

        self._in_one(run)
        return secret

    def _create_secret(self, connection: psycopg.Connection, tenant: str, sender: str, secret: str) -> None:
        try:
            connection.execute(
                "INSERT INTO webhook_secret VALUES (%s, %s, %s, %s)", [tenant, sender, secret, self._now()]
            )
        except psycopg.errors.ForeignKeyViolation as missing:
            raise _no_tenant(tenant) from missing
        connection.execute(
            "DELETE FROM webhook_secret WHERE tenant = %s AND sender = %s AND secret NOT IN (SELECT secret FROM "
            "webhook_secret WHERE tenant = %s AND sender = %s ORDER BY created_at DESC, secret LIMIT %s)",
            [tenant, sender, tenant, sender, VALID_SECRETS],
        )

    def webhook_secrets(self, tenant: str, sender: str) -> list[str] | None:
        """The valid ones; None where there is none."""

        def run(connection: psycopg.Connection) -> list[str] | None:
            rows = connection.execute(
                "SELECT secret FROM webhook_secret WHERE tenant = %s AND sender = %s ORDER BY created_at",
                [tenant, sender],
            )
            return [secret for (secret,) in rows] or None

        return self._in_one(run)

    def _note(self, connection: psycopg.Connection, tenant: str, actor: str, action: str, subject: str) -> None:
        connection.execute(
            "INSERT INTO audit (at, tenant, actor, action, subject) VALUES (%s, %s, %s, %s, %s)",
            [self._now(), tenant, actor, action, subject],
        )

    def _in_one(self, run: Callable[[psycopg.Connection], T]) -> T:
        """Run in one transaction on a connection of its own."""
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


def registry(settings: Settings, now: Callable[[], datetime]) -> Tenants:
    """The tenants of the settings' namespace: for commands and measurements."""
    dsn = settings.postgres.get_secret_value()
    connect = partial(postgres_connection, dsn, settings.namespace, timeout_s=TIMEOUT_S)
    return Tenants(connect, now, secrets.token_bytes)


def _no_tenant(name: str) -> Misconfigured:
    return Misconfigured(f"there is no tenant {name!r}: argus tenant create {name}")
