"""Reading features: value, as-of time, age and version, for any number of keys in one round trip.

Three answers that are never mixed up: a value that is there (zero is one), one that was there and has run out or was
taken back, and an entity that was never seen.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord, Unavailable
from contracts.features import Feature, parse_key
from feature_store.connections import VALKEY_AWAY

Status = Literal["present", "expired", "missing"]


class FeatureValue(Struct, frozen=True, kw_only=True):
    """One answer; what is not known is None. `value` has the type that the catalogue says."""

    key: str
    status: Status
    value: Any = None
    as_of_ms: int | None = None
    age_ms: int | None = None
    life_ms: int | None = None
    version: int | None = None
    unit: str


class Reader:
    """Reads the keys of one namespace."""

    def __init__(self, client: Any, namespace: str, now_ms: Callable[[], int]) -> None:
        self._client, self._namespace, self._now_ms = client, namespace, now_ms

    def read(self, keys: Sequence[str]) -> list[FeatureValue]:
        """The answers for `keys` (without namespace), in their order, all as of one moment.

        Raises BadRecord when a key is not in the catalogue, Unavailable when Valkey does not answer in time.
        """
        named = [(key, *parse_key(key)) for key in keys]
        pipe = self._client.pipeline(transaction=True)
        for _, feature, entity in named:
            name = feature.key(entity, self._namespace)
            pipe.get(name)
            pipe.pttl(name)
            view = feature.view.name
            pipe.hmget(feature.view.entity_key(entity, self._namespace), f"_ts:{view}", f"_version:{view}")
        try:
            answers = pipe.execute()
        except VALKEY_AWAY as gone:
            raise Unavailable(f"Valkey does not answer: {type(gone).__name__}") from gone
        now_ms = self._now_ms()
        return [
            _answer(key, feature, *answers[3 * i : 3 * i + 3], now_ms=now_ms)
            for i, (key, feature, _) in enumerate(named)
        ]


def _answer(
    key: str, feature: Feature, value: bytes | None, life_ms: int, guard: list[bytes | None], *, now_ms: int
) -> FeatureValue:
    as_of, version = guard
    if as_of is None or version is None:
        return FeatureValue(key=key, status="missing", unit=feature.unit)
    known = {"as_of_ms": int(as_of), "age_ms": now_ms - int(as_of), "version": int(version)}
    if value is None:
        return FeatureValue(key=key, status="expired", unit=feature.unit, **known)
    try:
        decoded = msgspec.json.decode(value)
    except msgspec.DecodeError as bad:
        raise BadRecord(key, value[:100], "is not what a writer of Argus stores") from bad
    return FeatureValue(
        key=key, status="present", value=decoded, life_ms=max(0, life_ms), unit=feature.unit, **known
    )  # fmt: skip
