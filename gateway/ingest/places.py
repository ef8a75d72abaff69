"""Room for bodies that are read into rows: so much at a time that memory is bounded, first come, first served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DOCUMENT_PLACE = 131_072
"""Bytes of a document that take one place more: read whole, it costs thirty times its size in memory."""


class Places:
    """So many places; who finds too few free waits `wait_s` seconds for them, behind those who came before."""

    def __init__(self, count: int, wait_s: float) -> None:
        self._count, self._free, self._wait_s = count, count, wait_s
        self._turn, self._changed = asyncio.Lock(), asyncio.Condition()

    @asynccontextmanager
    async def taken(self, document: int = 0) -> AsyncIterator[None]:
        """A place, and more for a document of so many bytes that is read whole. Raises TimeoutError."""
        needed = min(self._count, 1 + document // DOCUMENT_PLACE)
        async with asyncio.timeout(self._wait_s), self._turn, self._changed:
            await self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            async with self._changed:
                self._free += needed
                self._changed.notify_all()
