"""Calls of a gateway: a stream that breaks is gone on with, and each event comes once."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.calls import Gateway, events, followed
from contracts.errors import Misconfigured, Unavailable


@contextmanager
def answering(status: int, body: bytes, *, cut: int = 0) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback with one answer, `cut` bytes shorter than it promises; what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Authorization']}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + cut))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            asked.append(self.rfile.read(size).decode())
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_asks_with_the_token_and_without_what_is_not_given() -> None:
    with answering(200, b'{"incidents": []}') as (address, asked):
        gateway = Gateway(address, "t0ken")
        assert gateway.get("/insights", {"project": "acme/app", "feed": None}) == {"incidents": []}
        gateway.post("/insights/i1/feedback", {"says": "useful", "note": None})
    assert asked[0] == "/api/v1/insights?project=acme%2Fapp Bearer t0ken"
    assert asked[1] == '{"says": "useful"}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (404, json.dumps({"detail": "there is no incident 'i9'"}).encode(), Misconfigured, "no incident 'i9'"),
        (401, b"<html>", Misconfigured, "401"),
        (422, b"[]", Misconfigured, "422"),
        (503, b'{"detail": "come again"}', Unavailable, "come again"),
        (429, b"", Unavailable, "429"),
        (200, b"<html>", Unavailable, "no JSON"),
    ],
)
def test_a_refusal_is_told_in_the_gateway_s_words(status: int, body: bytes, kind: type[Exception], told: str) -> None:
    with answering(status, body) as (address, _), pytest.raises(kind, match=told):
        Gateway(address, "t").get("/insights", {})


def test_a_gateway_that_is_away_or_breaks_off_can_be_asked_again() -> None:
    with answering(200, b"id: 1\ndata: {}\n\nid: 2\n", cut=9) as (address, _):
        gateway = Gateway(address, "t")
        lines = gateway.lines("/stream", {})
        assert next(lines) == b"id: 1\n"
    with pytest.raises(Unavailable, match="ARGUS_GATEWAY"):
        gateway.get("/insights", {})


class Broken:
    """Streams one after the other; each that is an error breaks."""

    def __init__(self, *streams: list[str]) -> None:
        self.streams, self.asked = list(streams), []

    def connect(self, behind: str | None) -> Iterable[bytes]:
        self.asked.append(behind)
        if not self.streams:
            raise Misconfigured("401")
        for name in self.streams.pop(0):
            if name == "break":
                raise Unavailable("broken")
            yield from (b"id: %b\n" % name.encode(), b"data: {}\n", b"\n")


def test_each_event_comes_once_and_every_stream_begins_behind_the_last() -> None:
    source = Broken(["a", "b", "break"], ["b", "a", "c"], [], ["break"], ["d"])
    waits: list[str] = []
    found = followed(source.connect, "a", lambda why: waits.append(str(why)))
    assert [event["id"] for event in islice(found, 3)] == ["b", "c", "d"]
    assert source.asked == ["a", "b", "c", "c", "c"]
    assert waits == ["broken", "None", "None", "broken"]
    with pytest.raises(Misconfigured):
        next(found)


@given(st.lists(st.binary()))
def test_whatever_a_stream_holds_there_is_no_event_without_data(lines: list[bytes]) -> None:
    assert all("data" in event for event in events(lines))
