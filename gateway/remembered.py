"""Answers of a store, believed for seconds, and for minutes while the store is away."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from contracts.errors import Unavailable

FRESH_S, STALE_S = 5.0, 600.0
MOST, MOST_WAITING = 10_000, 32
"""Names that are remembered; callers that wait at a time, fewer than there are threads."""
NEVER = (float("-inf"), None)

T = TypeVar("T")
V = TypeVar("V")


class Remembered(Generic[T]):
    """Ask it in place of `find`, which takes a name, gives None for what is not there and raises Unavailable.

    One call asks at a time, and none for FRESH_S after the store was away: who calls does not wait for a store that
    hangs more than once, and no more than MOST_WAITING wait at all. `clock` is monotonic seconds.
    """

    def __init__(self, find: Callable[[str], T | None], clock: Callable[[], float]) -> None:
        self._find, self._clock = find, clock
        self._known: dict[str, tuple[float, T]] = {}
        self._absent: dict[str, float] = {}  # apart, for anybody can make up names
        self._asking, self._waiting = threading.Lock(), threading.Semaphore(MOST_WAITING)
        self._away: tuple[float, str] = (float("-inf"), "")

    def __call__(self, name: str) -> T | None:
        """What the store says, or said not long ago. Raises Unavailable when it never did and does not now."""
        at_s, known = self._known.get(name, NEVER)
        age_s = self._clock() - at_s
        if min(age_s, self._clock() - self._absent.get(name, float("-inf"))) <= FRESH_S:
            return known
        if not self._waiting.acquire(blocking=False):  # behind names that somebody makes up, perhaps
            if age_s <= STALE_S:
                return known
            raise Unavailable("too many names are asked for")
        try:
            with self._asking:
                return self._believed(name)
        finally:
            self._waiting.release()

    def _believed(self, name: str) -> T | None:
        now_s = self._clock()
        at_s, known = self._known.get(name, NEVER)
        if now_s - max(at_s, self._absent.get(name, float("-inf"))) <= FRESH_S:
            return known
        try:
            return self._asked(name, now_s)
        except Unavailable:
            if now_s - at_s <= STALE_S:
                return known
            raise

    def _asked(self, name: str, now_s: float) -> T | None:
        away_s, told = self._away
        if now_s - away_s <= FRESH_S:
            raise Unavailable(told)
        try:
            found = self._find(name)
        except Unavailable as gone:
            self._away = (self._clock(), str(gone))
            raise
        if found is None:
            self._known.pop(name, None)
            self._note(self._absent, name, self._clock())
        else:
            self._absent.pop(name, None)
            self._note(self._known, name, (self._clock(), found))
        return found

    @staticmethod
    def _note(where: dict[str, V], name: str, value: V) -> None:
        if len(where) >= MOST:
            where.clear()
        where[name] = value
