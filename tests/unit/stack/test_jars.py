"""Jars are what the lock says, whatever a cache or a network gives."""

from pathlib import Path

import pytest

from argus.stack.jars import LOCK, Fetch, Jar, ensure, intact, locked, wrong
from contracts.errors import Unavailable

GOOD = Jar("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "kafka/a-1.jar", "g:a:1")  # of "hello"


def giving(*contents: bytes) -> Fetch:
    """A way that delivers these contents for each jar, one after the other at each call."""
    left = list(contents)

    def fetch(jars: list[Jar], into: Path) -> None:
        content = left.pop(0)
        for jar in jars:
            (into / Path(jar.path).name).write_bytes(content)

    return fetch


def nothing(jars: list[Jar], into: Path) -> None:
    """A way that gets nothing: no network."""


def test_a_jar_is_fetched_once_and_then_left_alone(tmp_path: Path) -> None:
    assert ensure([GOOD], tmp_path, [giving(b"hello")]) == 1
    assert ensure([GOOD], tmp_path, []) == 0
    assert (tmp_path / GOOD.path).read_bytes() == b"hello"


def test_a_truncated_jar_never_reaches_its_place_and_the_next_way_is_tried(tmp_path: Path) -> None:
    assert ensure([GOOD], tmp_path, [giving(b"hel"), nothing, giving(b"hello")]) == 1
    assert intact(GOOD, tmp_path)


def test_a_damaged_jar_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / GOOD.path).write_bytes(b"hellO")
    assert wrong([GOOD], tmp_path) == [GOOD]
    ensure([GOOD], tmp_path, [giving(b"hello")])
    assert intact(GOOD, tmp_path)


def test_without_a_network_the_remedy_is_named_and_nothing_wrong_is_left(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="argus jars"):
        ensure([GOOD], tmp_path, [nothing, giving(b"evil")])
    assert not list(tmp_path.rglob("*.jar"))


def test_a_jar_of_an_older_lock_does_not_stay_on_the_class_path(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "a-0.jar").write_bytes(b"old")
    ensure([GOOD], tmp_path, [giving(b"hello")])
    assert [path.name for path in tmp_path.rglob("*.jar")] == ["a-1.jar"]


def test_every_locked_jar_names_its_coordinate_and_only_our_folders() -> None:
    jars = locked(LOCK)
    assert {jar.path.split("/")[0] for jar in jars} == {"kafka", "flink"}
    for jar in jars:
        _, artifact, version = jar.coordinate.split(":")
        assert jar.path.endswith(f"/{artifact}-{version}.jar")
        assert len(jar.sha256) == 64
