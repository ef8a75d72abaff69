"""The newest value of every entity, in memory: what is to be written, and when its life is to be renewed.

The compacted topic is folded into it from the beginning, newer or equal as_of_ms wins. A store that is away costs
nothing but time: a value that changes meanwhile is one value still.
"""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct

from contracts.features import GUARD_LIFE_S, View
from feature_store.clock import ViewClock

Partition = tuple[str, int]
Name = tuple[str, str]
"""View and entity."""


@dataclass(slots=True)
class Entry:
    """One entity of one view. `record` is None once it was withdrawn; `caused_ms` is set while a change that has
    just come is not yet written. `clock_ms` and `lag_ms` tell of its last write."""

    view: View
    entity: str
    partition: Partition
    record: Struct | None
    as_of_ms: int
    caused_ms: int | None = None
    clock_ms: int | None = None
    lag_ms: int = 0


class Newest:
    """Memory of the online writer; `ttls_s` gives the lives of each view's keys."""

    def __init__(self, ttls_s: dict[str, tuple[int, ...]]) -> None:
        self._ttls_s = ttls_s
        self._entries: dict[Name, Entry] = {}
        self._dirty: dict[Name, None] = {}
        self._dark: dict[Name, None] = {}
        self._due_s: dict[Name, float] = {}
        self._queued_s: dict[Name, float] = {}  # the one item of the queue that counts for a name, never after its due
        self._queue: list[tuple[float, Name]] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def dirty(self) -> int:
        """How many entities wait to be written."""
        return len(self._dirty)

    def fold(
        self, view: View, entity: str, partition: Partition, record: Struct | None, as_of_ms: int, *, live: bool
    ) -> bool:
        """Take a value (None withdraws it) from the log; False where a newer one is known.

        `live` values count for the time from event to key.
        """
        name = (view.name, entity)
        known = self._entries.get(name)
        if known is not None and record is not None and as_of_ms < known.as_of_ms:
            return False
        if record is None and known is not None:
            as_of_ms = known.as_of_ms
        caused_ms = as_of_ms if live and record is not None else None
        self._entries[name] = Entry(view, entity, partition, record, as_of_ms, caused_ms)
        self._dirty[name] = None
        return True

    def take(self, limit: int, clocks: dict[str, ViewClock]) -> list[Entry]:
        """Up to `limit` entities to be written, those that waited longest first; they stay until `wrote`.

        An entity whose view has no clock yet waits; one unchanged for GUARD_LIFE_S is forgotten.
        """
        taken: list[Entry] = []
        forgotten: list[Name] = []
        for name in self._dirty:
            if len(taken) == limit:
                break
            entry = self._entries[name]
            clock = clocks[entry.view.name]
            if entry.record is not None and not clock.known:
                continue
            if _unchanged_too_long(entry, clock):
                forgotten.append(name)
            else:
                taken.append(entry)
        for name in forgotten:
            self._forget(name)
        return taken

    def wrote(self, entries: Iterable[Entry], clocks: dict[str, ViewClock], now_s: float) -> None:
        """These are in the store as of `clocks`; what changed meanwhile stays to be written."""
        for entry in entries:
            name = (entry.view.name, entry.entity)
            if self._entries.get(name) is not entry:
                continue
            self._dirty.pop(name, None)
            if entry.record is None:
                self._forget(name)
                continue
            clock = clocks[entry.view.name]
            entry.caused_ms, entry.clock_ms, entry.lag_ms = None, clock.clock_ms, clock.lag_ms(now_s, entry.as_of_ms)
            lives_ms = [ttl_s * 1000 - entry.lag_ms for ttl_s in self._ttls_s[entry.view.name]]
            self._dark.pop(name, None)
            if min(lives_ms) <= 0:
                self._dark[name] = None
            if max(lives_ms) > 0:
                shortest_ms = min(life_ms for life_ms in lives_ms if life_ms > 0)
                self._schedule(name, now_s + max(1.0, shortest_ms / 2000))

    def renew(self, limit: int, clocks: dict[str, ViewClock], now_s: float) -> int:
        """Mark up to `limit` entities whose keys are at half life, while their view's clock moves; returns how many.

        Where the clock stands the keys are left to run out.
        """
        renewed = 0
        while self._queue and self._queue[0][0] <= now_s and renewed < limit:
            queued_s, name = heapq.heappop(self._queue)
            if self._queued_s.get(name) != queued_s:
                continue
            del self._queued_s[name]
            entry = self._entries[name]
            if name in self._dirty:
                continue
            if self._due_s[name] > now_s:
                self._schedule(name, self._due_s[name])
                continue
            if not _moved(entry, clocks[entry.view.name]):
                self._schedule(name, now_s + 1.0)
                continue
            self._dirty[name] = None
            renewed += 1
        return renewed

    def lighten(self, clocks: dict[str, ViewClock], now_s: float) -> int:
        """Mark the entities with a key that had no life left and has now; returns how many."""
        ready = [name for name in self._dark if self._has_light(self._entries.get(name), clocks, now_s)]
        for name in ready:
            del self._dark[name]
            if name in self._entries:
                self._dirty[name] = None
        return len(ready)

    def again(self) -> None:
        """Everything is to be written once more."""
        self._dirty = dict.fromkeys(self._entries)

    def leave(self, partition: Partition) -> None:
        """Forget a partition that is another writer's now."""
        for name in [name for name, entry in self._entries.items() if entry.partition == partition]:
            self._forget(name)

    def _has_light(self, entry: Entry | None, clocks: dict[str, ViewClock], now_s: float) -> bool:
        if entry is None:
            return True
        clock = clocks[entry.view.name]
        now_ms = clock.lag_ms(now_s, entry.as_of_ms)
        return _moved(entry, clock) and any(
            now_ms < ttl_s * 1000 <= entry.lag_ms for ttl_s in self._ttls_s[entry.view.name]
        )

    def _schedule(self, name: Name, due_s: float) -> None:
        self._due_s[name] = due_s
        if due_s < self._queued_s.get(name, math.inf):
            self._queued_s[name] = due_s
            heapq.heappush(self._queue, (due_s, name))

    def _forget(self, name: Name) -> None:
        self._entries.pop(name, None)
        self._dirty.pop(name, None)
        self._dark.pop(name, None)
        self._due_s.pop(name, None)
        self._queued_s.pop(name, None)


def _moved(entry: Entry, clock: ViewClock) -> bool:
    return clock.clock_ms is not None and (entry.clock_ms is None or clock.clock_ms > entry.clock_ms)


def _unchanged_too_long(entry: Entry, clock: ViewClock) -> bool:
    return (
        entry.record is not None
        and clock.newest_ms is not None
        and clock.newest_ms - entry.as_of_ms > GUARD_LIFE_S * 1000
    )
