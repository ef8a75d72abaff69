"""Places: as many as there are, in turn, and no longer waited for than promised."""

import asyncio

import pytest

from gateway.ingest.places import DOCUMENT_PLACE, Places


async def hold(places: Places, document: int, began: list[int], name: int, until: asyncio.Event) -> None:
    async with places.taken(document):
        began.append(name)
        await until.wait()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_large_document_waits_for_the_small_ones_and_holds_up_who_comes_later() -> None:
    async def run() -> None:
        places, done, began = Places(4, 5), asyncio.Event(), list[int]()
        large, sizes = asyncio.Event(), [0, 0, 3 * DOCUMENT_PLACE, 0]
        events = [done, done, large, large]
        tasks = []
        for name, (size, event) in enumerate(zip(sizes, events, strict=True)):
            tasks.append(asyncio.create_task(hold(places, size, began, name, event)))
            await settled()
        assert began == [0, 1]
        done.set()
        await settled()
        assert began == [0, 1, 2]
        large.set()
        await asyncio.gather(*tasks)
        assert began == [0, 1, 2, 3]

    asyncio.run(run())


def test_who_waits_too_long_is_told_and_takes_nothing() -> None:
    async def run() -> None:
        places, done = Places(1, 0.01), asyncio.Event()
        first = asyncio.create_task(hold(places, 0, [], 0, done))
        await settled()
        with pytest.raises(TimeoutError):
            async with places.taken():
                raise AssertionError("there was no place")
        done.set()
        await first
        async with places.taken(1_000 * DOCUMENT_PLACE):  # more than there are is all of them
            pass

    asyncio.run(run())


def test_a_place_comes_back_when_its_holder_fails() -> None:
    async def run() -> None:
        places = Places(1, 0.01)
        with pytest.raises(ValueError, match="broken"):
            async with places.taken():
                raise ValueError("broken")
        async with places.taken():
            pass

    asyncio.run(run())
