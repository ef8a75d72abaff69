"""Which deliveries were taken already, and what was answered: remembered in Valkey for a day.

It spares work and tells a sender that he repeats himself; what takes effect once does so without it, since the same
record has the same id and every reader drops repeats. So where Valkey is away nothing is known and all is taken.
"""

from hashlib import blake2b
from typing import Any

import msgspec
import structlog

from feature_store.connections import VALKEY_AWAY
from gateway.ingest.answer import Answer

LIFE_S = 86_400

log = structlog.get_logger()


class Seen:
    """Deliveries by who sent them, where to, and their id; one tenant's ids are nothing to another."""

    def __init__(self, client: Any, namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}:argus:ingest" if namespace else "argus:ingest"

    def answer(self, tenant: str, route: str, delivery: str) -> Answer | None:
        """What was answered when this delivery was taken."""
        try:
            found = self._client.get(self._key(tenant, route, delivery))
        except VALKEY_AWAY as gone:
            log.warning("deliveries not remembered", error=type(gone).__name__)
            return None
        return msgspec.json.decode(found, type=Answer) if found else None

    def remember(self, tenant: str, route: str, delivery: str, answer: Answer) -> None:
        """It was taken: after the broker acknowledged it, never before."""
        try:
            self._client.set(self._key(tenant, route, delivery), msgspec.json.encode(answer), ex=LIFE_S)
        except VALKEY_AWAY as gone:
            log.warning("deliveries not remembered", error=type(gone).__name__)

    def _key(self, tenant: str, route: str, delivery: str) -> str:
        return f"{self._prefix}:{tenant}:{route}:{blake2b(delivery.encode(), digest_size=16).hexdigest()}"
