"""Tenants and their tokens, in Postgres: made, listed, rotated, revoked, looked up; who did it is written beside it.

A token is `argus_<prefix>_<secret>`. The prefix names it and may be shown; of the secret a hash is kept and no more.
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import psycopg
from msgspec import Struct
from msgspec.structs import asdict
from psycopg import sql
from psycopg.rows import class_row

from contracts.errors import Misconfigured
from gateway.registry import Registry, no_tenant

SCOPES = ("ingest", "read", "gate", "admin")
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


class Tenants(Registry):
    """The registry of tenants and tokens."""

    def create(self, name: str, actor: str) -> None:
        """A tenant of this name. Raises Misconfigured when there is one, or the name could begin no project's."""
        if not re.fullmatch(TENANT_PATTERN, name):
            raise Misconfigured(f"tenant {name!r}: a name has at most 100 of A-Z a-z 0-9 . _ -")

        def run(connection: psycopg.Connection) -> None:
            try:
                connection.execute("INSERT INTO tenant VALUES (%s, %s)", [name, self.now()])
            except psycopg.errors.UniqueViolation as known:
                raise Misconfigured(f"tenant {name!r} exists already") from known
            self.note(connection, name, actor, "tenant created", name)

        self.in_one(run)

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
        now = self.now()
        new, secret = self._drawn(
            tenant=tenant, label=label, scopes=sorted(set(scopes)), created_at=now,
            expires_at=now + life if life else None,
            requests_per_minute=requests_per_minute, bytes_per_day=bytes_per_day,
        )  # fmt: skip

        def run(connection: psycopg.Connection) -> None:
            try:
                _insert(connection, new)
            except psycopg.errors.ForeignKeyViolation as missing:
                raise no_tenant(tenant) from missing
            self.note(connection, tenant, actor, "token created", new.prefix)

        self.in_one(run)
        return f"argus_{new.prefix}_{secret}"

    def rotate(self, prefix: str, overlap: timedelta, actor: str) -> str:
        """A token that may what the one of this prefix may, for as long from now on; that one ends after `overlap`.

        Raises Misconfigured where there is none, or it is not valid any more, or was rotated before.
        """

        def run(connection: psycopg.Connection) -> str:
            now = self.now()
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
            self.note(connection, known.tenant, actor, "token rotated", f"{prefix} to {new.prefix}")
            return f"argus_{new.prefix}_{secret}"

        return self.in_one(run)

    def _drawn(self, **known: Any) -> tuple[Token, str]:
        prefix = base64.b32encode(self.chance(5)).decode().lower()
        secret = base64.urlsafe_b64encode(self.chance(32)).decode().rstrip("=")
        return Token(prefix=prefix, hash=hashed(secret), revoked_at=None, used_at=None, **known), secret

    def revoke(self, prefix: str, actor: str) -> None:
        """From the next look on (a few seconds) it opens nothing. Raises Misconfigured where there is none."""

        def run(connection: psycopg.Connection) -> None:
            row = connection.execute(
                "UPDATE token SET revoked_at = COALESCE(revoked_at, %s) WHERE prefix = %s RETURNING tenant",
                [self.now(), prefix],
            ).fetchone()
            if row is None:
                raise _no_token(prefix)
            self.note(connection, row[0], actor, "token revoked", prefix)

        self.in_one(run)

    def tokens(self, tenant: str | None = None) -> list[Token]:
        """All tokens, or a tenant's, the oldest first."""

        def run(connection: psycopg.Connection) -> list[Token]:
            with connection.cursor(row_factory=class_row(Token)) as cursor:
                return cursor.execute(
                    _SELECT + sql.SQL("WHERE %s::text IS NULL OR tenant = %s ORDER BY created_at, prefix"),
                    [tenant, tenant],
                ).fetchall()

        return self.in_one(run)

    def note_use(self, prefix: str) -> None:
        """A token was shown with its secret, now."""
        self.in_one(
            lambda connection: connection.execute(
                "UPDATE token SET used_at = %s WHERE prefix = %s", [self.now(), prefix]
            )
        )

    def token(self, prefix: str) -> Token | None:
        """The token of this prefix; None where there is none."""
        return self.in_one(lambda connection: _token(connection, prefix))

    def close(self, name: str, actor: str) -> int:
        """Take from a tenant all that lets anybody in and what his tests are called; return how many of all these.

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
            aliases = connection.execute("DELETE FROM test_alias WHERE tenant = %s", [name])
            self.note(connection, name, actor, CLOSED, name)
            return tokens.rowcount + webhooks.rowcount + aliases.rowcount

        return self.in_one(run)

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
            self.note(connection, name, actor, DELETED, name)

        self.in_one(run)

    def audit(self, tenant: str | None = None) -> list[Noted]:
        """What was done to all tenants, or to one, the oldest first."""

        def run(connection: psycopg.Connection) -> list[Noted]:
            with connection.cursor(row_factory=class_row(Noted)) as cursor:
                return cursor.execute(
                    "SELECT at, tenant, actor, action, subject FROM audit "
                    "WHERE %s::text IS NULL OR tenant = %s ORDER BY id",
                    [tenant, tenant],
                ).fetchall()

        return self.in_one(run)


def _insert(connection: psycopg.Connection, new: Token) -> None:
    connection.execute(_INSERT, asdict(new))


def _token(connection: psycopg.Connection, prefix: str, *, lock: bool = False) -> Token | None:
    with connection.cursor(row_factory=class_row(Token)) as cursor:
        where = sql.SQL("WHERE prefix = %s FOR UPDATE" if lock else "WHERE prefix = %s")
        return cursor.execute(_SELECT + where, [prefix]).fetchone()


def _no_token(prefix: str) -> Misconfigured:
    return Misconfigured(f"there is no token {prefix!r}: argus token list shows their prefixes")
