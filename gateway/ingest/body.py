"""The body of a request, and never more of it than is allowed: counted as it comes, inflated piece by piece."""

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

from fastapi import HTTPException

MIB = 1_048_576
PIECE = 65_536
IN_MEMORY = 4 * PIECE
_GZIP = 31


@dataclass(frozen=True)
class Caps:
    """`received` and `inflated` are bytes, `ratio` is one over the other from 1 MiB on; `wait_s` is for all of it."""

    received: int = 64 * MIB
    inflated: int = 512 * MIB
    ratio: int = 200
    wait_s: float = 60.0


@dataclass(frozen=True)
class Body:
    """A whole body: its file, which its owner closes, its bytes and a hash of what it says; its bytes as received."""

    file: BinaryIO
    size: int
    digest: str
    received: int


async def received(chunks: AsyncIterator[bytes], encoding: str, caps: Caps) -> Body:
    """The body in a file that stays in memory while it is small, gzip undone.

    Raises HTTPException: 400 where it is not what its encoding says, 408 after `wait_s`, 413 beyond a cap, 415 for
    another encoding.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise HTTPException(415, f"Content-Encoding: {encoding[:40]!r} is not read; send gzip or none")
    pieces = Inflated() if "gzip" in encoding else _Plain()
    count, size, turns, digest = 0, 0, 0, blake2b(digest_size=16)
    with ExitStack() as stopping:
        file: Any = stopping.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        try:
            async with asyncio.timeout(caps.wait_s):
                async for chunk in chunks:
                    count += len(chunk)
                    if count > caps.received:
                        raise HTTPException(413, f"the body is larger than {caps.received} bytes; send it in parts")
                    for piece in pieces.of(chunk):
                        size += len(piece)
                        _check(size, count, caps)
                        file.write(piece)
                        digest.update(piece)
                        if size // MIB > turns:  # others are to have their turn, however much a chunk inflates to
                            turns = size // MIB
                            await asyncio.sleep(0)
            pieces.end()
        except TimeoutError as late:
            raise HTTPException(408, f"the body did not come within {caps.wait_s:g} s") from late
        except OSError as full:
            raise HTTPException(503, "there is no room for the body now", headers={"Retry-After": "5"}) from full
        except zlib.error as bad:
            raise HTTPException(400, f"Content-Encoding: gzip, but the body is not: {bad}") from bad
        stopping.pop_all()
    file.seek(0)
    return Body(file, size, digest.hexdigest(), count)


def _check(size: int, count: int, caps: Caps) -> None:
    if size > caps.inflated:
        raise HTTPException(413, f"the body inflates to more than {caps.inflated} bytes; send it in parts")
    if size > MIB and size > caps.ratio * count:
        raise HTTPException(413, f"the body inflates to more than {caps.ratio} times its size")


class _Plain:
    def of(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def end(self) -> None:
        """Nothing is left."""


class Inflated:
    """Undoes gzip, members one after the other, at most PIECE bytes at a time."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def of(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            if piece := self._member.decompress(chunk, PIECE):
                yield piece
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def end(self) -> None:
        if not self._member.eof:
            raise zlib.error("it ends too soon")
