"""What a gateway holds in memory of what the log has: each insight once, and the newest feedback.

Insights stand in the order in which the broker took them, so that every gateway has them in the same order, whenever it
started. What is too much goes oldest first, and from the tenant that has most: none pushes out another's.
"""

import threading
from bisect import insort
from collections import OrderedDict

from msgspec import Struct

from contracts.insights import FeedbackLabel, Insight
from contracts.topics import FEEDBACK_LABELS, message_key

MOST_OF_ONE, MOST = 5_000, 20_000
"""Insights, and labels, of one tenant and of all."""
MOST_DROPPED = 100_000
"""Names that are known of insights that were dropped, which may come again."""


class Arrived(Struct, frozen=True):
    """An insight and its place on the log; `arrived_ms` is the broker's clock, `number` counts this gateway's."""

    insight: Insight
    arrived_ms: int
    partition: int
    offset: int
    number: int = 0

    def place(self) -> tuple[int, int, int]:
        """What orders insights: in one partition as they lie, otherwise by the broker's clock."""
        return self.arrived_ms, self.partition, self.offset


class Look(Struct, frozen=True):
    """All of one tenant at one moment; `newest` is the number of the newest insight of all tenants."""

    arrived: list[Arrived]
    labels: list[FeedbackLabel]
    newest: int


class _Tenant:
    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.names: set[str] = set()
        self.labels: OrderedDict[bytes, FeedbackLabel] = OrderedDict()


class Kept:
    """One thread writes, any reads. `is_whole` once the log was read to where it ended when reading began."""

    def __init__(self, most_of_one: int = MOST_OF_ONE, most: int = MOST) -> None:
        self._most_of_one, self._most = most_of_one, most
        self._tenants: dict[str, _Tenant] = {}
        self._dropped: OrderedDict[str, None] = OrderedDict()
        self._insights = self._labels = self._number = 0
        self._lock = threading.Lock()
        self.is_whole = False

    def __len__(self) -> int:
        return self._insights

    def add(self, one: Arrived) -> Arrived | None:
        """The insight with its number; None where it came before."""
        name = one.insight.insight
        with self._lock:
            tenant = self._tenants.setdefault(tenant_of(one.insight.project), _Tenant())
            if name in tenant.names or name in self._dropped:
                return None
            self._number += 1
            numbered = Arrived(one.insight, one.arrived_ms, one.partition, one.offset, self._number)
            insort(tenant.arrived, numbered, key=Arrived.place)
            tenant.names.add(name)
            self._insights += 1
            if len(tenant.arrived) > self._most_of_one:
                self._drop(tenant, tenant.arrived[:1])
            elif self._insights > self._most:
                largest = max(self._tenants.values(), key=lambda other: len(other.arrived))
                self._drop(largest, largest.arrived[:1])
            return numbered

    def label(self, label: FeedbackLabel) -> None:
        """Keep what somebody said, in place of what he said before under this name."""
        key = message_key(FEEDBACK_LABELS, label)
        with self._lock:
            tenant = self._tenants.setdefault(tenant_of(label.project), _Tenant())
            self._labels += key not in tenant.labels
            tenant.labels[key] = label
            tenant.labels.move_to_end(key)
            if len(tenant.labels) > self._most_of_one:
                tenant.labels.popitem(last=False)
                self._labels -= 1
            elif self._labels > self._most:
                max(self._tenants.values(), key=lambda other: len(other.labels)).labels.popitem(last=False)
                self._labels -= 1

    def unlabel(self, key: bytes) -> None:
        """Forget the label of this key."""
        with self._lock:
            tenant = self._tenants.get(tenant_of(key.decode(errors="replace")))
            if tenant is not None and key in tenant.labels:
                del tenant.labels[key]
                self._labels -= 1

    def forget(self, project: str) -> None:
        """Forget the insights of a project that came until now, for good."""
        with self._lock:
            tenant = self._tenants.get(tenant_of(project), _Tenant())
            self._drop(tenant, [one for one in tenant.arrived if one.insight.project == project])

    def look(self, tenant: str) -> Look:
        """All that is kept of a tenant, the oldest first."""
        with self._lock:
            found = self._tenants.get(tenant, _Tenant())
            return Look(list(found.arrived), list(found.labels.values()), self._number)

    def tenants(self) -> list[str]:
        """Those of whom anything is known."""
        with self._lock:
            return list(self._tenants)

    def _drop(self, tenant: _Tenant, arrived: list[Arrived]) -> None:
        gone = {one.insight.insight for one in arrived}
        tenant.arrived = [one for one in tenant.arrived if one.insight.insight not in gone]
        tenant.names -= gone
        self._insights -= len(gone)
        self._dropped.update(dict.fromkeys(gone))
        while len(self._dropped) > MOST_DROPPED:
            self._dropped.popitem(last=False)


def tenant_of(project: str) -> str:
    """Whose a project is.

    >>> tenant_of("acme/app/web")
    'acme'
    """
    return project.partition("/")[0]
