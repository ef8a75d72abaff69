"""The dead letters of a namespace: the compacted topic read to its end, the newest per key."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from argus.topic_records import records
from contracts.errors import BadRecord
from contracts.records import DeadLetter, decode
from contracts.settings import Settings
from contracts.topics import DEAD_LETTERS


@dataclass(frozen=True)
class Arrived:
    """A dead letter and when it arrived on its topic, epoch ms."""

    letter: DeadLetter
    at_ms: int


@dataclass(frozen=True)
class Letters:
    """The newest letter of each key, the last to arrive first; `unreadable`: where lies what is no dead letter."""

    letters: list[Arrived]
    unreadable: list[str]


def dead_letters(
    settings: Settings,
    *,
    deadline_s: float,
    wanted: Callable[[DeadLetter], bool] = lambda _: True,
    clock: Callable[[], float] = time.monotonic,
) -> Letters:
    """All dead letters of the namespace that are `wanted`.

    Raises as `records` does.
    """
    newest: dict[bytes | None, Arrived] = {}
    unreadable: dict[bytes | None, str] = {}
    for record in records(settings, DEAD_LETTERS, deadline_s=deadline_s, clock=clock):
        key, value = record.key(), record.value()
        newest.pop(key, None)
        unreadable.pop(key, None)
        if value is None:
            continue
        try:
            letter = decode(DeadLetter, value)
        except BadRecord:
            unreadable[key] = f"{record.topic()}:{record.partition()}:{record.offset()}"
            continue
        if wanted(letter):
            newest[key] = Arrived(letter, record.timestamp()[1])
    return Letters(sorted(newest.values(), key=lambda one: one.at_ms, reverse=True), sorted(unreadable.values()))


def visible(data: bytes | None) -> str:
    r"""Bytes as text that a terminal only shows: what does not print is escaped, what is no text is base64.

    >>> print(visible(b"red \x1b[31m, new\nline"), visible(b"\xff\xfe"), visible(None))
    red \x1b[31m, new\nline base64://4= null
    """
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()
    return "".join(one if one.isprintable() and one != "\\" else repr(one)[1:-1] for one in text)
