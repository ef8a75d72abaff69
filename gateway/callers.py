"""Who calls and what he may: the operator by the admin token, a tenant by one of his.

A tenant's token opens what its scopes say, for projects under the tenant's name and no others.
"""

from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec import Struct

from contracts.errors import Unavailable
from gateway.remembered import Remembered
from gateway.tenants import Token, hashed, parts

Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
UNAUTHORIZED = {"WWW-Authenticate": "Bearer"}


class Caller(Struct, frozen=True):
    """One who calls; `tenant` is None for the operator, who owns every project."""

    name: str
    tenant: str | None
    scopes: frozenset[str]

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
    """Tells callers by what they show. `find` gives a token by its prefix, or raises Unavailable; `clock` is
    monotonic seconds."""

    def __init__(
        self,
        find: Callable[[str], Token | None],
        *,
        admin_token: str | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._token = Remembered(find, clock)
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
        return Caller(token.prefix, token.tenant, frozenset(token.scopes))


def allowed(callers: Callers, scope: str) -> Callable[[Shown], Caller]:
    """A dependency that lets a call pass whose token has this scope, and tells who it is.

    401 without a token that opens anything, 403 without the scope, 503 while that cannot be known.
    """

    def check(shown: Shown) -> Caller:
        if shown is None:
            raise HTTPException(401, "send the header Authorization: Bearer <token>", headers=UNAUTHORIZED)
        try:
            caller = callers.caller(shown.credentials)
        except Unavailable as gone:
            raise HTTPException(503, str(gone), headers={"Retry-After": "5"}) from gone
        if caller is None:
            raise HTTPException(401, "this token opens nothing: unknown, revoked or expired", headers=UNAUTHORIZED)
        if not caller.may(scope):
            raise HTTPException(403, f"this token lacks the scope {scope}")
        return caller

    return check
