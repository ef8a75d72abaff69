"""Answers of a store, believed for seconds, and for minutes while the store is away."""

from collections.abc import Callable
from typing import Generic, TypeVar

from contracts.errors import Unavailable

FRESH_S, STALE_S = 5.0, 600.0
MOST = 10_000

T = TypeVar("T")


class Remembered(Generic[T]):
    """Ask it in place of `find`, which takes a name and raises Unavailable; `clock` is monotonic seconds."""

    def __init__(self, find: Callable[[str], T], clock: Callable[[], float]) -> None:
        self._find, self._clock = find, clock
        self._known: dict[str, tuple[float, T]] = {}

    def __call__(self, name: str) -> T:
        """What the store says, or said not long ago. Raises Unavailable when it never did and does not now."""
        known = self._known.get(name)
        age_s = self._clock() - known[0] if known else float("inf")
        if known and age_s <= FRESH_S:
            return known[1]
        try:
            found = self._find(name)
        except Unavailable:
            if known and age_s <= STALE_S:
                return known[1]
            raise
        if len(self._known) >= MOST:  # names are a caller's to make up
            self._known.clear()
        self._known[name] = (self._clock(), found)
        return found
