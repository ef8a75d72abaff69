"""Which deliveries were taken already, and what was answered: remembered in Valkey for a day.

It spares work and tells a sender that he repeats himself; what takes effect once does so without it, since the same
record has the same id and every reader drops repeats. Where Valkey does not answer, nothing is known and all is taken.
"""

from hashlib import blake2b
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from valkey.exceptions import ValkeyError

from gateway.ingest.answer import Answer

LIFE_S = 86_400

log = structlog.get_logger()


class Delivery(Struct, frozen=True):
    """One delivery: what its sender calls it, or what it says where he does not; and a hash of what it says."""

    name: str
    digest: str


class Taken(Struct, frozen=True):
    """A delivery that was taken: the hash of what it said, and what was answered."""

    digest: str
    answer: Answer


_TAKEN = msgspec.json.Decoder(Taken)


def names(namespace: str, tenant: str) -> str:
    """What all keys of a tenant's deliveries begin with."""
    return (f"{namespace}:" if namespace else "") + f"argus:ingest:{tenant}:"


class Seen:
    """Deliveries by who sent them, where to, and their name; one tenant's names are nothing to another."""

    def __init__(self, client: Any, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    def taken(self, tenant: str, route: str, delivery: Delivery) -> Taken | None:
        """What is remembered of a delivery of this name."""
        try:
            found = self._client.get(self._key(tenant, route, delivery))
        except ValkeyError as gone:  # whatever it is: a delivery is not lost for want of a memory
            log.warning("deliveries not remembered", error=type(gone).__name__)
            return None
        return _TAKEN.decode(found) if found else None

    def remember(self, tenant: str, route: str, delivery: Delivery, answer: Answer) -> None:
        """It was taken: after the broker acknowledged it, never before."""
        taken = msgspec.json.encode(Taken(delivery.digest, answer))
        try:
            self._client.set(self._key(tenant, route, delivery), taken, ex=LIFE_S)
        except ValkeyError as gone:
            log.warning("deliveries not remembered", error=type(gone).__name__)

    def _key(self, tenant: str, route: str, delivery: Delivery) -> str:
        return f"{names(self._namespace, tenant)}{route}:{blake2b(delivery.name.encode(), digest_size=16).hexdigest()}"
