"""Whichever way a record comes in, it goes onto the log without secrets, its tests called as they are now."""

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from argus.commands.inputs import Listed
from argus.commands.replay import arrivals
from contracts.delivery import Delivery
from contracts.errors import Unavailable
from contracts.records import TestReportPart, decode
from gateway.callers import Caller
from gateway.ingest import events, seen
from gateway.ingest.answer import Answer
from gateway.ingest.body import Body
from gateway.ingest.door import Door
from gateway.ingest.files import reading, rows
from gateway.ingest.intake import Intake
from gateway.ingest.publish import publish
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.uploads import uploaded

AT_MS = 1_795_168_800_000
TEST = {"test": "old", "outcome": "fail", "finished_ms": AT_MS, "message": "PGPASSWORD=hunter2 psql"}
PART = {"project": "acme/app", "run": "1", "job": "j", "report": "r", "k": 1, "n": 1, "tests": [TEST]}
LINE = json.dumps(PART) + "\n"
REPORT = TestReportPart(project="acme/app", run="1", job="j", report="r", k=1, n=1, tests=[])


class Broker:
    """Acknowledges everything at once."""

    def __init__(self) -> None:
        self.taken: list[bytes | None] = []

    def produce(self, _topic: str, value: bytes | None, _key: bytes | None, _partition: int, **others: Any) -> None:
        self.taken.append(value)
        others["on_delivery"](None, None)

    def poll(self, _timeout: float) -> int:
        return 0

    def purge(self) -> None:
        """Nothing waits."""

    def told(self) -> list[tuple[str, str | None]]:
        parts = [decode(TestReportPart, value or b"") for value in self.taken]
        return [(test.test, test.message) for part in parts for test in part.tests]


class Memory:
    """A Valkey that remembers nothing."""

    def get(self, _key: str) -> None:
        return None

    def set(self, _key: str, _value: bytes, ex: int) -> None:
        """Forgotten."""


def renamed(tenant: str) -> dict[str, dict[str, str]]:
    return {"acme/app": {"old": "new"}} if tenant == "acme" else {}


def take(broker: Broker, aliases: Any) -> Answer:
    with Door(lambda: broker, deadline_s=5) as door:
        into = Intake(door, seen.Seen(Memory(), ""), aliases=aliases, namespace="", now_ms=lambda: AT_MS)
        read = events.read(Body(io.BytesIO(LINE.encode()), len(LINE), "", len(LINE)), "application/x-ndjson")
        return into.take(Caller("ci", "acme", frozenset({"ingest"})), "events", seen.Delivery("a", "b"), read)


def test_over_http() -> None:
    broker = Broker()
    assert take(broker, renamed).accepted == 1
    assert broker.told() == [("new", "PGPASSWORD=[redacted:password] psql")]


def test_who_cannot_be_told_what_was_renamed_is_asked_to_come_again() -> None:
    def away(_: str) -> None:
        raise Unavailable("Postgres does not answer")

    broker = Broker()
    with pytest.raises(Unavailable, match="Postgres"):
        take(broker, away)
    assert broker.taken == []


def test_by_argus_ingest(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINE)
    broker = Broker()
    delivery = Delivery(broker, stall_s=5, clock=lambda: 0.0)
    read = rows([tmp_path / "a.jsonl"], reading(), lambda _: None)
    assert publish(read, delivery=delivery, aliases=renamed, namespace="", on_refusal=print) == 1
    assert broker.told() == [("new", "PGPASSWORD=[redacted:password] psql")]


def test_by_argus_replay_which_renames_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINE)
    (one,) = arrivals([tmp_path / "a.jsonl"], reading(), Listed(), lambda _: None)
    assert isinstance(one.record, TestReportPart)
    assert [(test.test, test.message) for test in one.record.tests] == [("old", "PGPASSWORD=[redacted:password] psql")]


def archive(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as opened:
        for name in names:
            opened.writestr(name, '<testsuite><testcase name="n"/></testsuite>')
    return whole.getvalue()


def reports(content: bytes, headers: httpx.Headers, report: str | None) -> list[str]:
    """Names of the reports of a body, those that were refused by their place."""

    async def read() -> list[Row | Refusal]:
        async with uploaded(
            Body(io.BytesIO(content), len(content), "d" * 32, len(content)), headers, REPORT, report, AT_MS
        ) as found:
            return list(found.rows)

    def names() -> Iterator[str]:
        for row in asyncio.run(read()):
            assert isinstance(row, Refusal) or isinstance(row.record, TestReportPart)
            yield row.place if isinstance(row, Refusal) else row.record.report

    return list(names())


def test_an_archive_is_named_by_its_members_alone_or_in_a_form_where_one_is_told_from_the_other() -> None:
    plain = httpx.Headers()
    assert reports(archive("x/a.xml", "b.zip"), plain, "modA") == ["modA/x/a.xml", "b.zip"]
    (unnamed,) = reports(archive("x/a.xml"), plain, None)
    assert unnamed.startswith("x/a.xml-")
    files = [("file", ("1.zip", archive("a.xml"))), ("file", ("2.zip", archive("a.xml"))), ("file", ("c.xml", b"<a/>"))]
    form = httpx.Request("POST", "http://argus", files=files)
    assert reports(form.read(), form.headers, "modA") == ["modA/1.zip/a.xml", "modA/2.zip/a.xml", "line 1"]
