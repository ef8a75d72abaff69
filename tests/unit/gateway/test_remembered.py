"""What a store said is believed for a while, and nobody stands in line for it for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.errors import Unavailable
from gateway.remembered import FRESH_S, MOST_WAITING, STALE_S, Remembered


def test_a_line_that_is_too_long_is_told_so_and_who_is_known_passes_it() -> None:
    now, asked, answer = [0.0], threading.Semaphore(0), threading.Event()

    def find(name: str) -> str | None:
        if name.startswith("made-up"):
            asked.release()
            assert answer.wait(10)
            return None
        return name.upper()

    remembered = Remembered(find, lambda: now[0])
    assert remembered("acme") == "ACME"
    now[0] = FRESH_S + 1
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        line = [pool.submit(remembered, f"made-up {number}") for number in range(MOST_WAITING)]
        assert asked.acquire(timeout=10)
        while remembered._waiting.acquire(blocking=False):  # until all of them stand in line
            remembered._waiting.release()
        assert remembered("acme") == "ACME"
        with pytest.raises(Unavailable, match="too many"):
            remembered("globex")
        now[0] = STALE_S + FRESH_S
        with pytest.raises(Unavailable, match="too many"):
            remembered("acme")
        answer.set()
        assert [one.result(10) for one in line] == [None] * MOST_WAITING
    assert remembered("globex") == "GLOBEX"
