"""Tenants and their tokens, in Postgres: made, listed, rotated, revoked, looked up; who did it is written beside it.

A token is `argus_<prefix>_<secret>`. The prefix names it and may be shown; of the secret a hash is kept and no more.
"""

import base64
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import psycopg
from msgspec import Struct
from msgspec.structs import asdict
from psycopg import sql
from psycopg.rows import class_row

from contracts.errors import Misconfigured, Unavailable
from contracts.settings import Settings
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection
from gateway.ingest.webhooks import SENDERS

T = TypeVar("T")

SCOPES = ("ingest", "read", "gate", "admin")
VALID_SECRETS = 2
TIMEOUT_S = 5.0
CLOSED, DELETED = "tenant deletion begun", "tenant deleted"
TENANT_PATTERN = r"^[A-Za-z0-9._-]{1,100}$"
_SHOWN = re.compile(r"argus_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")


class Token(Struct, frozen=True, kw_only=True):
    """What is known of one token; `hash` is the SHA-256 of its secret.

    `successor` is the prefix of the token it was rotated to; a limit that is None is that of the settings.
    """

    prefix: str
    tenant: str
    label: str
    hash: bytes
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    requests_per_minute: int | None = None
    bytes_per_day: int | None = None
    successor: str | None = None

    def state(self, now: datetime) -> str:
        """`valid`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, Token.__struct_fields__))
_SELECT = sql.SQL("SELECT {} FROM token ").format(_COLUMNS)
_INSERT = sql.SQL("INSERT INTO token ({}) VALUES ({})").format(
    _COLUMNS, sql.SQL(", ").join(map(sql.Placeholder, Token.__struct_fields__))
)


class Noted(Struct, frozen=True, kw_only=True):
    """Who did what when."""

    at: datetime
    tenant: str
    actor: str
    action: str
    subject: str


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
        self,
        tenant: str,
        *,
        label: str,
        scopes: Sequence[str],
        life: timedelta | None,
        actor: str,
        requests_per_minute: int | None = None,
        bytes_per_day: int | None = None,
    ) -> str:
        """A new token, whole: this is the only time it can be seen.

        Raises Misconfigured for a scope or a tenant that does not exist.
        """
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise Misconfigured(f"scope {', '.join(unknown)}: there is {', '.join(SCOPES)}")
        if not scopes:
            raise Misconfigured("a token without a scope may do nothing: give at least one")
        now = self._now()
        new, secret = self._drawn(
            tenant=tenant, label=label, scopes=sorted(set(scopes)), created_at=now,
            expires_at=now + life if life else None,
            requests_per_minute=requests_per_minute, bytes_per_day=bytes_per_day,
        )  # fmt: skip

        def run(connection: psycopg.Connection) -> None:
            try:
                _insert(connection, new)
            except psycopg.errors.ForeignKeyViolation as missing:
                raise _no_tenant(tenant) from missing
            self._note(connection, tenant, actor, "token created", new.prefix)

        self._in_one(run)
        return f"argus_{new.prefix}_{secret}"

    def rotate(self, prefix: str, overlap: timedelta, actor: str) -> str:
        """A token that may what the one of this prefix may, for as long from now on; that one ends after `overlap`.

        Raises Misconfigured where there is none, or it is not valid any more, or was rotated before.
        """

        def run(connection: psycopg.Connection) -> str:
            now = self._now()
            known = _token(connection, prefix, lock=True)
            if known is None:
                raise _no_token(prefix)
            if known.state(now) != "valid":
                raise Misconfigured(f"token {prefix} is {known.state(now)}: argus token create makes another")
            if known.successor is not None:
                raise Misconfigured(f"token {prefix} was rotated to {known.successor}: rotate that one")
            life = known.expires_at - known.created_at if known.expires_at else None
            new, secret = self._drawn(
                tenant=known.tenant, label=known.label, scopes=known.scopes, created_at=now,
                expires_at=now + life if life else None,
                requests_per_minute=known.requests_per_minute, bytes_per_day=known.bytes_per_day,
            )  # fmt: skip
            _insert(connection, new)
            connection.execute(
                "UPDATE token SET successor = %s, expires_at = LEAST(expires_at, %s) WHERE prefix = %s",
                [new.prefix, now + overlap, prefix],
            )
            self._note(connection, known.tenant, actor, "token rotated", f"{prefix} to {new.prefix}")
            return f"argus_{new.prefix}_{secret}"

        return self._in_one(run)

    def _drawn(self, **known: Any) -> tuple[Token, str]:
        prefix = base64.b32encode(self._chance(5)).decode().lower()
        secret = base64.urlsafe_b64encode(self._chance(32)).decode().rstrip("=")
        return Token(prefix=prefix, hash=hashed(secret), revoked_at=None, used_at=None, **known), secret

    def revoke(self, prefix: str, actor: str) -> None:
        """From the next look on (a few seconds) it opens nothing. Raises Misconfigured where there is none."""

        def run(connection: psycopg.Connection) -> None:
            row = connection.execute(
                "UPDATE token SET revoked_at = COALESCE(revoked_at, %s) WHERE prefix = %s RETURNING tenant",
                [self._now(), prefix],
            ).fetchone()
            if row is None:
                raise _no_token(prefix)
            self._note(connection, row[0], actor, "token revoked", prefix)

        self._in_one(run)

    def tokens(self, tenant: str | None = None) -> list[Token]:
        """All tokens, or a tenant's, the oldest first."""

        def run(connection: psycopg.Connection) -> list[Token]:
            with connection.cursor(row_factory=class_row(Token)) as cursor:
                return cursor.execute(
                    _SELECT + sql.SQL("WHERE %s::text IS NULL OR tenant = %s ORDER BY created_at, prefix"),
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
        return self._in_one(lambda connection: _token(connection, prefix))

    def create_webhook_secret(self, tenant: str, sender: str, actor: str) -> str:
        """A new secret for a sender's webhooks; the one before it stays valid, older ones do not.

        It is of the form that https://www.standardwebhooks.com gives those that sign, and good as a token as well.

        Raises Misconfigured for a sender that is not known or a tenant that does not exist.
        """
        if sender not in SENDERS:
            raise Misconfigured(f"webhooks of {sender!r}: there is {', '.join(SENDERS)}")
        secret = f"whsec_{base64.b64encode(self._chance(32)).decode()}"

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

    def close(self, name: str, actor: str) -> int:
        """Take from a tenant all that lets anybody in, and return how many tokens and secrets that were.

        The tenant itself stays until `forget`. One that is gone may be closed again, if it was ever deleted here;
        raises Misconfigured for any other.
        """

        def run(connection: psycopg.Connection) -> int:
            known = connection.execute(
                "SELECT 1 FROM tenant WHERE name = %s UNION ALL SELECT 1 FROM audit WHERE tenant = %s AND action = %s",
                [name, name, CLOSED],
            ).fetchone()
            if known is None:
                raise Misconfigured(f"there is no tenant {name!r} and none was deleted")
            tokens = connection.execute("DELETE FROM token WHERE tenant = %s", [name])
            webhooks = connection.execute("DELETE FROM webhook_secret WHERE tenant = %s", [name])
            self._note(connection, name, actor, CLOSED, name)
            return tokens.rowcount + webhooks.rowcount

        return self._in_one(run)

    def forget(self, name: str, actor: str) -> None:
        """The last step of a deletion: there is no such tenant, though it may be created again.

        Raises Misconfigured when somebody was let in since it was closed.
        """

        def run(connection: psycopg.Connection) -> None:
            try:
                connection.execute("DELETE FROM tenant WHERE name = %s", [name])
            except psycopg.errors.ForeignKeyViolation as opened:
                raise Misconfigured(
                    f"tenant {name!r} was given a token or a secret meanwhile: delete it again"
                ) from opened
            self._note(connection, name, actor, DELETED, name)

        self._in_one(run)

    def audit(self, tenant: str | None = None) -> list[Noted]:
        """What was done to all tenants, or to one, the oldest first."""

        def run(connection: psycopg.Connection) -> list[Noted]:
            with connection.cursor(row_factory=class_row(Noted)) as cursor:
                return cursor.execute(
                    "SELECT at, tenant, actor, action, subject FROM audit "
                    "WHERE %s::text IS NULL OR tenant = %s ORDER BY id",
                    [tenant, tenant],
                ).fetchall()

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


def _insert(connection: psycopg.Connection, new: Token) -> None:
    connection.execute(_INSERT, asdict(new))


def _token(connection: psycopg.Connection, prefix: str, *, lock: bool = False) -> Token | None:
    with connection.cursor(row_factory=class_row(Token)) as cursor:
        where = sql.SQL("WHERE prefix = %s FOR UPDATE" if lock else "WHERE prefix = %s")
        return cursor.execute(_SELECT + where, [prefix]).fetchone()


def _no_token(prefix: str) -> Misconfigured:
    return Misconfigured(f"there is no token {prefix!r}: argus token list shows their prefixes")


def _no_tenant(name: str) -> Misconfigured:
    return Misconfigured(f"there is no tenant {name!r}: argus tenant create {name}")
