"""Places: as many as there are, in turn, and no longer waited for than promised."""

import asyncio

import pytest

from gateway.ingest.places import SMALL_DOCUMENT, Places


async def hold(places: Places, document: int, began: list[int], name: int, until: asyncio.Event) -> None:
    async with places.taken(document):
        began.append(name)
        await until.wait()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_large_documents_wait_for_each_other_in_turn_and_nobody_waits_for_them() -> None:
    async def run() -> None:
        places, began = Places(3, 5, room=4 * SMALL_DOCUMENT), list[int]()
        first, later = asyncio.Event(), asyncio.Event()
        large, larger = 3 * SMALL_DOCUMENT, 4 * SMALL_DOCUMENT
        tasks = []
        for name, (size, event) in enumerate([(large, first), (larger, later), (large, later), (0, later), (9, later)]):
            tasks.append(asyncio.create_task(hold(places, size, began, name, event)))
            await settled()
        assert began == [0, 3, 4]
        first.set()
        await settled()
        assert began == [0, 3, 4, 1]
        later.set()
        await asyncio.gather(*tasks)
        assert began == [0, 3, 4, 1, 2]

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
        async with places.taken(1_000 * SMALL_DOCUMENT):  # more than there are is all of them
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


def test_room_that_was_waited_for_in_vain_comes_back() -> None:
    async def run() -> None:
        places, done = Places(1, 0.01), asyncio.Event()
        first = asyncio.create_task(hold(places, 0, [], 0, done))
        await settled()
        with pytest.raises(TimeoutError):
            async with places.taken(1_000 * SMALL_DOCUMENT):
                raise AssertionError("there was no place")
        done.set()
        await first
        async with places.taken(1_000 * SMALL_DOCUMENT):
            pass

    asyncio.run(run())
