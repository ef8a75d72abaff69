"""Who may ask: the operator's bearer token, compared in constant time."""

from collections.abc import Callable
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def required(token: str | None) -> Callable[[Shown], None]:
    """A dependency that lets a call pass with this token; where there is none, no call passes."""

    def check(shown: Shown) -> None:
        if not token:
            raise HTTPException(503, "no token is configured: set ARGUS_ADMIN_TOKEN and start the gateway again")
        if shown is None or not compare_digest(shown.credentials.encode(), token.encode()):
            raise HTTPException(
                401, "send the header Authorization: Bearer <token>", headers={"WWW-Authenticate": "Bearer"}
            )

    return check
