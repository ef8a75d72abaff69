"""GET /api/v1/features/{key}: one feature as it is known now.

200 present (zero is a value), 410 expired: it was known and has run out, 404 with status "missing": never seen.
A key that is not in the catalogue is a 404 problem that names what is.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import JSONResponse

from contracts.errors import BadRecord, Unavailable
from contracts.features import parse_key
from feature_store.reader import FeatureValue
from gateway.callers import Caller, Callers, allowed

STATUS = {"present": 200, "expired": 410, "missing": 404}

Read = Callable[[Sequence[str]], list[FeatureValue]]


def features(read: Read, callers: Callers) -> APIRouter:
    """The routes, for callers with the scope read; `read` raises BadRecord and Unavailable as Reader.read does."""
    router = APIRouter(prefix="/api/v1")

    @router.get(
        "/features/{key:path}",
        responses={410: {"description": "expired"}, 404: {"description": "missing, or not in the catalogue"}},
    )
    def feature(key: str, caller: Annotated[Caller, Depends(allowed(callers, "read"))]) -> JSONResponse:
        """Value, as-of time, age, remaining life and version of one feature key."""
        try:
            named, entity = parse_key(key)
        except BadRecord as unknown:
            raise HTTPException(404, str(unknown)) from unknown
        if not caller.owns(entity):
            raise HTTPException(403, f"{entity} is not under {caller.tenant}/, whose token this is")
        view = named.view.name
        try:
            (found,) = read([key])
        except Unavailable as gone:
            raise HTTPException(503, str(gone)) from gone
        return JSONResponse(shown(found, source=view), STATUS[found.status])

    return router


def shown(found: FeatureValue, *, source: str) -> dict[str, Any]:
    """The body of an answer; `source` is the view that the value comes from."""
    as_of = None
    if found.as_of_ms is not None:
        as_of = datetime.fromtimestamp(found.as_of_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "key": found.key,
        "status": found.status,
        "value": found.value,
        "as_of": as_of,
        "as_of_ms": found.as_of_ms,
        "age_ms": found.age_ms,
        "life_ms": found.life_ms,
        "version": found.version,
        "unit": found.unit,
        "source": source,
    }
