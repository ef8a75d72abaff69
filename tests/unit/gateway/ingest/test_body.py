"""Bodies that are too large, too slow, or not what they say."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.body import MIB, Body, Caps, received


def take(chunks: list[bytes], encoding: str = "", caps: Caps | None = None, pause_s: float = 0) -> Body:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            await asyncio.sleep(pause_s)
            yield chunk

    return asyncio.run(received(stream(), encoding, caps or Caps()))


def cut(whole: bytes, size: int) -> list[bytes]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


@given(st.binary(max_size=5_000), st.integers(1, 700))
def test_what_was_packed_comes_out_however_it_was_cut(whole: bytes, size: int) -> None:
    plain, packed = take(cut(whole, size)), take(cut(gzip.compress(whole), size), "gzip")
    with plain.file, packed.file:
        assert plain.file.read() == packed.file.read() == whole
    assert (plain.digest, plain.size) == (packed.digest, packed.size)


def test_members_one_after_the_other_are_one_body() -> None:
    with take([gzip.compress(b"one,") + gzip.compress(b"two")], "GZIP").file as file:
        assert file.read() == b"one,two"


@pytest.mark.parametrize(
    ("chunks", "encoding", "caps", "status"),
    [
        ([b"x" * 600, b"x" * 600], "", Caps(received=1_000), 413),
        ([gzip.compress(b"x" * 5_000)], "gzip", Caps(inflated=4_000), 413),
        ([gzip.compress(bytes(30 * MIB))], "gzip", Caps(), 413),
        ([b"plainly not"], "gzip", Caps(), 400),
        ([gzip.compress(b"cut off")[:-3]], "gzip", Caps(), 400),
        ([], "gzip", Caps(), 400),
        ([zlib.compress(b"another")], "deflate", Caps(), 415),
        ([b"x"], "br", Caps(), 415),
    ],
)
def test_what_is_too_much_or_not_what_it_says_is_refused(chunks, encoding: str, caps: Caps, status: int) -> None:
    with pytest.raises(HTTPException) as refused:
        take(chunks, encoding, caps)
    assert refused.value.status_code == status


def test_a_bomb_is_refused_before_it_has_gone_off() -> None:
    """Thirty members of a mebibyte each in a kibibyte: at most a piece more than the cap is ever inflated."""
    bomb = gzip.compress(bytes(MIB)) * 30
    with pytest.raises(HTTPException, match="inflates to more than 100 times"):
        take(cut(bomb, 512), "gzip", Caps(ratio=100))


def test_a_body_that_never_ends_is_given_up() -> None:
    with pytest.raises(HTTPException) as refused:
        take([b"x"] * 100, caps=Caps(wait_s=0.05), pause_s=0.02)
    assert refused.value.status_code == 408
