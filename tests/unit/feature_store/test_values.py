# ruff: noqa: ARG002 - a fake takes what the real thing takes
"""Values, rows and letters."""

from datetime import timedelta

import pytest

from contracts.errors import BadRecord, Unavailable
from contracts.features import PROJECT_HEALTH_VIEW
from contracts.records import DeadLetter, decode, encode
from feature_store.letters import Letters, dead_letter
from feature_store.rows import Row, changes, timestamp
from feature_store.values import FUTURE_MS, read_value
from tests.unit.feature_store.fakes import NOW_MS, Record, health, record

GOOD = encode(health())


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Record(GOOD, None), "key"),
        (Record(GOOD, b""), "key"),
        (Record(GOOD, b"acme/other"), "key"),
        (Record(None, b"\xff"), "key"),
        (Record(b""), "ProjectHealth"),
        (Record(b"\xff\xfe"), "ProjectHealth"),
        (Record(b"[]"), "ProjectHealth"),
        (Record(GOOD.replace(b"0.5", b"1.5")), "ProjectHealth"),
        (Record(GOOD.replace(b"acme/app", b"acme"), b"acme"), "ProjectHealth"),
        (record(health(as_of_ms=NOW_MS + FUTURE_MS + 1)), "as_of_ms"),
    ],
)
def test_what_is_wrong_is_named(bad: Record, field: str) -> None:
    with pytest.raises(BadRecord) as told:
        read_value(PROJECT_HEALTH_VIEW, bad)
    assert told.value.field == field


def test_a_value_may_be_a_little_ahead() -> None:
    assert read_value(PROJECT_HEALTH_VIEW, record(health(as_of_ms=NOW_MS + FUTURE_MS))).as_of_ms == NOW_MS + FUTURE_MS


def test_a_tombstone_is_a_value_taken_back() -> None:
    value = read_value(PROJECT_HEALTH_VIEW, Record(None))
    assert (value.entity, value.record) == ("acme/app", None)


def row(late_ms: int, value: float | None, entity: str = "a", version: int = 1) -> Row:
    return Row(entity, timestamp(NOW_MS + late_ms), (value,), version)


def test_a_row_tells_something_when_value_version_or_day_changes() -> None:
    day_ms = 86_400_000
    rows = [
        row(0, 0.5), row(1, 0.5), row(2, None), row(3, None), row(4, 0.5), row(5, 0.5, version=2),
        row(6, 0.5, version=2), row(day_ms, 0.5, version=2),
        row(0, 0.5, "b"),
    ]  # fmt: skip
    told = [(each.entity, each.at - timestamp(NOW_MS)) for each, tells in changes(rows, {}) if tells]
    assert told == [
        ("a", timedelta(milliseconds=late_ms)) for late_ms in (0, 2, 4, 5, day_ms)
    ] + [("b", timedelta())]  # fmt: skip


def test_what_was_there_before_counts() -> None:
    assert changes([row(1, 0.5)], {"a": row(0, 0.5)}) == [(row(1, 0.5), False)]
    assert changes([row(1, 0.6)], {"a": row(0, 0.5)}) == [(row(1, 0.6), True)]


def test_of_one_instant_the_last_value_counts() -> None:
    assert changes([row(0, 0.5), row(0, 0.6)], {}) == [(row(0, 0.6), True)]


class Wire:
    """A producer whose broker can be away or say no."""

    def __init__(self) -> None:
        self.full, self.error, self.sent, self.told = False, None, [], []

    def produce(self, topic, value, key, *, headers, on_delivery) -> None:
        if self.full:
            raise BufferError
        self.told.append((on_delivery, value))

    def poll(self, timeout_s: float) -> None:
        told, self.told = self.told, []
        for on_delivery, value in told:
            if self.error is None:
                self.sent.append(decode(DeadLetter, value))
            on_delivery(self.error, None)

    def flush(self, timeout_s: float) -> None:
        self.poll(timeout_s)


def test_a_letter_is_kept_until_the_broker_has_it() -> None:
    wire = Wire()
    letters = Letters(wire, "")
    bad = Record(b"\xff", None, extra=[("outcome", None)])
    letters.send(dead_letter(bad, BadRecord("key", None, "is missing"), "history-writer"))
    wire.full = True
    with pytest.raises(Unavailable, match="1 dead letters"):
        letters.flush(0)
    wire.full, wire.error = False, "refused"
    with pytest.raises(Unavailable):
        letters.flush(0)
    wire.error = None
    letters.flush(0)
    (sent,) = wire.sent
    assert (sent.reader, sent.reason, sent.key, sent.value) == ("history-writer", "key: is missing", None, b"\xff")
    assert sent.headers == {"outcome": None}
    assert len(letters) == 0
