"""Who calls and what he may: the operator by the admin token, a tenant by one of his.

A tenant's token opens what its scopes say, for projects under the tenant's name and no others.
"""

from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Annotated

import structlog
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec import Struct

from contracts.errors import Misconfigured, Unavailable
from gateway.remembered import Remembered
from gateway.tenants import Token, hashed, parts

USE_EVERY_S = 60.0

log = structlog.get_logger()

_BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="`argus token create` makes one")
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
UNAUTHORIZED = {"WWW-Authenticate": "Bearer"}


class Caller(Struct, frozen=True):
    """One who calls; `tenant` is None for the operator, who owns every project.

    `name` is his token's prefix, or the system that sends his webhooks; a limit that is None is that of the settings.
    """

    name: str
    tenant: str | None
    scopes: frozenset[str]
    requests_per_minute: int | None = None
    bytes_per_day: int | None = None

    def may(self, scope: str) -> bool:
        """Whether he may do what needs this scope."""
        return self.tenant is None or scope in self.scopes

    def owns(self, project: str) -> bool:
        """Whether a project is his.

        >>> Caller("t", "acme", frozenset()).owns("acme/app"), Caller("t", "acme", frozenset()).owns("acme2/app")
        (True, False)
        """
        return self.tenant is None or project.startswith(f"{self.tenant}/")


OPERATOR = Caller("operator", None, frozenset())


class Callers:
    """Tells callers by what they show. `find` gives a token by its prefix, or raises Unavailable; `note_use` is told
    of a token's use, once in USE_EVERY_S; `clock` is monotonic seconds."""

    def __init__(
        self,
        find: Callable[[str], Token | None],
        note_use: Callable[[str], None],
        *,
        admin_token: str | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._token = Remembered(find, clock)
        self._note_use, self._clock = note_use, clock
        self._used_s: dict[str, float] = {}
        self._admin_token, self._now = admin_token, now

    def caller(self, shown: str) -> Caller | None:
        """Who shows this; None where it opens nothing. Raises Unavailable when that cannot be known now."""
        if self._admin_token and compare_digest(shown.encode(), self._admin_token.encode()):
            return OPERATOR
        ours = parts(shown)
        if ours is None:
            return None
        prefix, secret = ours
        token = self._token(prefix)
        if token is None or not compare_digest(hashed(secret), token.hash) or token.state(self._now()) != "valid":
            return None
        self._noted(token.prefix)
        return Caller(
            token.prefix, token.tenant, frozenset(token.scopes), token.requests_per_minute, token.bytes_per_day
        )

    def _noted(self, prefix: str) -> None:
        """That it was used is good to know; nobody is turned away because it could not be written down."""
        now_s = self._clock()
        if now_s - self._used_s.get(prefix, float("-inf")) < USE_EVERY_S:
            return
        self._used_s[prefix] = now_s
        try:
            self._note_use(prefix)
        except (Unavailable, Misconfigured) as gone:
            log.warning("use of a token not noted", token=prefix, reason=str(gone))


def allowed(callers: Callers, scope: str) -> Callable[[Shown], Caller]:
    """A dependency that lets a call pass whose token has this scope, and tells who it is.

    401 without a token that opens anything, 403 without the scope, 503 while that cannot be known.
    """

    def check(shown: Shown) -> Caller:
        if shown is None:
            raise HTTPException(401, "send the header Authorization: Bearer <token>", headers=UNAUTHORIZED)
        try:
            caller = callers.caller(shown.credentials)
        except (Unavailable, Misconfigured) as gone:
            raise HTTPException(503, str(gone), headers={"Retry-After": "5"}) from gone
        if caller is None:
            raise HTTPException(401, "this token opens nothing: unknown, revoked or expired", headers=UNAUTHORIZED)
        if not caller.may(scope):
            raise HTTPException(403, f"this token lacks the scope {scope}")
        return caller

    return check
