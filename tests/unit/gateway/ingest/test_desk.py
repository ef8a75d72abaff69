"""The desk: whose bytes count, and who is in whose way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastapi import HTTPException, Request
from prometheus_client import CollectorRegistry

from contracts.metrics import INGESTED
from feature_store.metrics import counter
from gateway.callers import Caller
from gateway.ingest.body import Caps
from gateway.ingest.desk import BODIES_OF_ONE, Desk
from tests.unit.gateway.ingest.counting import Store, Watch, meter

ACME = Caller("abcdefgh", "acme", frozenset({"ingest"}))


def desk(store: Store, caps: Caps) -> Desk:
    counted = meter(store, Watch(1_795_262_400), requests=10**6, size=10**9)
    return Desk(None, counted, caps, counter(INGESTED, CollectorRegistry()))


def request(chunks: list[bytes], encoding: str = "", *, ends: bool = True) -> Request:
    """A body that comes in these chunks, and then goes on or never does."""

    async def coming() -> AsyncIterator[dict[str, Any]]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        if not ends:
            await asyncio.Event().wait()
        yield {"type": "http.request", "body": b"", "more_body": False}

    stream = coming()
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-encoding", encoding.encode())]}
    return Request(scope, lambda: anext(stream))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chunks", "encoding", "status"),
    [([b"a" * 60, b"b" * 60], "", 413), ([b"no gzip"], "gzip", 400), ([b"abc"], "", 0)],
)
def test_bytes_count_for_who_sent_them_be_they_refused(chunks: list[bytes], encoding: str, status: int) -> None:
    store = Store()

    async def run() -> int:
        try:
            async with desk(store, Caps(received=100)).body(request(chunks, encoding), ACME):
                return 0
        except HTTPException as refused:
            return refused.status_code

    assert asyncio.run(run()) == status
    assert [total for key, total in store.totals.items() if ":bytes:" in key] == [len(b"".join(chunks))]


def test_who_dawdles_at_one_webhook_is_in_nobody_else_s_way() -> None:
    async def run() -> None:
        one = desk(Store(), Caps())
        async with AsyncExitStack() as leaving:
            dawdlers = [
                asyncio.create_task(
                    leaving.enter_async_context(one.delivered(request([b"a"], ends=False), "acme", Caps()))
                )
                for _ in range(BODIES_OF_ONE)
            ]
            await asyncio.sleep(0.01)
            with pytest.raises(HTTPException) as refused:
                async with one.delivered(request([b"a"]), "acme", Caps()):
                    raise AssertionError("there was room")
            assert refused.value.status_code == 503
            async with one.delivered(request([b"abc"]), "globex", Caps()) as body:
                assert body.file.read() == b"abc"
            for dawdler in dawdlers:
                dawdler.cancel()
            await asyncio.gather(*dawdlers, return_exceptions=True)
            async with one.delivered(request([b"abc"]), "acme", Caps()) as body:
                assert body.size == 3

    asyncio.run(run())
