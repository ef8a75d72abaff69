"""What is told of a commit: fixes, bots, files; and that nothing in a delivery breaks its reader."""

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.records import LATE_MS, Change, checked, encode
from gateway.ingest.authors import hashed_by
from gateway.ingest.changes import files, is_fix, trigger
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.webhooks import SENDERS, read
from tests.unit.gateway.ingest.payloads import GITHUB, GITLAB

AUTHORS = hashed_by("key")
DELIVERIES = {
    **{("github", event): fields for event, fields in GITHUB.items()},
    **{("gitlab", hook): fields for hook, fields in GITLAB.items()},
}


@pytest.mark.parametrize(
    "message",
    ["fix: empty input", "Fix(parser): x", "Fixes the door", "Bugfix", "a bug in y", "hotfix/door", 'Revert "Add door"',
     "Handle it\n\nFixes #12", "Handle it\r\n\r\nfixed: #3", "Merge branch 'fix-11' into 'main'"],
)  # fmt: skip
def test_a_message_that_says_so_is_a_fix(message: str) -> None:
    assert is_fix(message)


@pytest.mark.parametrize(
    "message", ["", None, 7, "Add a prefix", "debug output", "fixture", "Add it\n\nno bug, no fix", "Closes #12"]
)
def test_another_message_is_none(message: object) -> None:
    assert not is_fix(message)


def test_a_long_message_takes_no_time() -> None:
    began = time.process_time()
    for piece in ("fix ", "bug", "fixed: #", "\n", "Revert"):
        is_fix(piece * 200_000)
        trigger(piece * 200_000, "project_" + "1" * 500_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("renovate[bot]", "bot"), ("project_7_bot_4ffca233d8298ea1@noreply.example.org", "bot"), ("group_9_bot", "bot"),
     ("robot", "human"), ("ann+project_7_bot@example.org", "human"), ("", None), (None, None), (7, None)],
)  # fmt: skip
def test_bots_are_told_by_names_that_only_bots_get(name: object, wanted: str | None) -> None:
    assert trigger(name) == wanted


@given(st.lists(st.text(max_size=2_000) | st.integers() | st.none(), max_size=40), st.integers(0, 4_000))
def test_files_are_cut_to_what_fits_and_counted_whole(paths: list[object], more: int) -> None:
    told = files({"path": path} for path in [*paths, *("\x01" * 100 + str(n) for n in range(more))])
    fields = {"project": "acme/a", "commit": "c", "committed_ms": LATE_MS, **told}
    change = checked(Change, fields)
    assert change.files_changed == len(paths) + more
    assert len(encode(change)) < 270_000


def places(fields: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a delivery."""
    for key in fields if isinstance(fields, dict) else range(len(fields)) if isinstance(fields, list) else ():
        yield (*at, key)
        yield from places(fields[key], (*at, key))


PLACES = [(which, place) for which, fields in DELIVERIES.items() for place in places(fields)]


def changed(which: tuple[str, str], place: tuple[Any, ...], value: object) -> list[Row | Refusal]:
    fields = inner = copy.deepcopy(DELIVERIES[which])
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return list(read(SENDERS[which[0]], json.dumps(fields).encode(), {}, AUTHORS))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=500)
@given(st.sampled_from(PLACES), anything)
def test_nothing_in_a_delivery_breaks_its_reader(at: tuple[tuple[str, str], tuple[Any, ...]], value: object) -> None:
    for one in changed(*at, value):
        assert isinstance(one, Row | Refusal)
        if isinstance(one, Row):
            assert encode(one.record)


def test_nothing_nested_deep_breaks_a_reader() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for which, place in PLACES:
        assert all(isinstance(one, Row | Refusal) for one in changed(which, place, deep))


@pytest.mark.parametrize("which", DELIVERIES, ids="-".join)
def test_the_same_delivery_is_the_same_bytes(which: tuple[str, str]) -> None:
    body = json.dumps(DELIVERIES[which]).encode()
    first, again = (list(read(SENDERS[which[0]], body, {}, AUTHORS)) for _ in range(2))
    assert len(first) == 1
    assert [encode(one.record) for one in first if isinstance(one, Row)] == [
        encode(one.record) for one in again if isinstance(one, Row)
    ]
