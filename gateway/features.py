"""GET /api/v1/features/{key}: one feature as it is known now.

200 present (zero is a value), 410 expired: it was known and has run out, 404 with status "missing": never seen.
A key that is not in the catalogue is a 404 problem that names what is.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Response

from contracts.errors import BadRecord, Unavailable
from contracts.features import parse_key
from feature_store.reader import FeatureValue
from gateway.callers import Caller, Callers, allowed
from gateway.described import Described, problem, told

STATUS = {"present": 200, "expired": 410, "missing": 404}


class KnownFeature(FeatureValue, frozen=True, kw_only=True):
    """One feature as it is known now; `value` has the type that the catalogue says, and what is not known is null.

    `age_ms` is the time since `as_of`, `life_ms` the time until it expires, `source` the view that it comes from.
    """

    as_of: str | None
    source: str


DESCRIBED: Described = {
    200: told("present: zero is a value", KnownFeature),
    401: problem("no token that opens anything"),
    403: problem("the token lacks the scope read, or the project is another tenant's"),
    404: told("missing: never seen; a problem where the key is not in the catalogue", KnownFeature, or_problem=True),
    410: told("expired: it was known and has run out", KnownFeature),
    422: problem("a parameter is wrong"),
    503: problem("Valkey or Postgres does not answer: ask again"),
}

Read = Callable[[Sequence[str]], list[FeatureValue]]


def features(read: Read, callers: Callers) -> APIRouter:
    """The routes, for callers with the scope read; `read` raises BadRecord and Unavailable as Reader.read does."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/features/{key:path}", summary="One feature", tags=["features"], responses=DESCRIBED)
    def feature(
        key: Annotated[str, Path(description="its key", examples=["project:acme/app:failure_rate_24h"])],
        caller: Annotated[Caller, Depends(allowed(callers, "read"))],
    ) -> Response:
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
        known = msgspec.json.encode(shown(found, source=view))
        return Response(known, STATUS[found.status], media_type="application/json")

    return router


def shown(found: FeatureValue, *, source: str) -> KnownFeature:
    """The body of an answer; `source` is the view that the value comes from."""
    as_of = None
    if found.as_of_ms is not None:
        as_of = datetime.fromtimestamp(found.as_of_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return KnownFeature(**msgspec.structs.asdict(found), as_of=as_of, source=source)
