"""Room for bodies that are read into rows: so much at a time that memory is bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SMALL_DOCUMENT = 131_072
LARGE_DOCUMENTS = 5 * 1_048_576
"""Bytes of documents that are read whole at a time, which costs thirty times their size in memory. Small ones do not
count: there are never more of them than places."""


class Places:
    """So many places; who finds none free waits `wait_s` seconds for one.

    Large documents wait for room among themselves, first come, first served, before they ask for a place: nobody else
    waits for them.
    """

    def __init__(self, count: int, wait_s: float, room: int = LARGE_DOCUMENTS) -> None:
        self._places, self._wait_s = asyncio.Semaphore(count), wait_s
        self._room, self._left = room, room
        self._turn, self._changed = asyncio.Lock(), asyncio.Condition()

    @asynccontextmanager
    async def taken(self, document: int = 0, wait_s: float | None = None) -> AsyncIterator[None]:
        """A place, and room for a document of so many bytes that is read whole. Raises TimeoutError."""
        needed = 0 if document <= SMALL_DOCUMENT else min(self._room, document)
        async with asyncio.timeout(self._wait_s if wait_s is None else wait_s):
            await self._take(needed)
            has_place = False
            try:
                has_place = await self._places.acquire()
            finally:
                if not has_place:
                    await self._give(needed)
        try:
            yield
        finally:
            self._places.release()
            await self._give(needed)

    async def _take(self, needed: int) -> None:
        if needed:
            async with self._turn, self._changed:
                await self._changed.wait_for(lambda: self._left >= needed)
                self._left -= needed

    async def _give(self, needed: int) -> None:
        if needed:
            async with self._changed:
                self._left += needed
                self._changed.notify_all()
