"""Calls of the gateway over HTTP, and its stream of events, followed through whatever interrupts it."""

import json
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, NoReturn
from urllib.parse import urlencode

from contracts.errors import Misconfigured, Unavailable

ANSWER_S, SILENCE_S = 30.0, 45.0
"""A call is answered within this; a stream, which beats every 15 s, is never silent for so long."""
MOST_KNOWN = 100_000
"""Names of events that are known again."""


@dataclass(frozen=True)
class Gateway:
    """A gateway at `address`, host:port, and what it is shown.

    Calls raise Misconfigured where it refuses, with its words, and Unavailable where it does not answer now.
    """

    address: str
    token: str

    def get(self, path: str, asked: Mapping[str, object]) -> Any:
        """The JSON at a path below /api/v1; what is None is not asked."""
        return self._json(self._request(path, asked))

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """What is answered to a body; what is None is left out of it."""
        request = self._request(path, {})
        request.data = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        request.add_header("Content-Type", "application/json")
        return self._json(request)

    def lines(self, path: str, asked: Mapping[str, object]) -> Iterator[bytes]:
        """The lines of a stream as they come, until it ends or breaks."""
        with self._opened(self._request(path, asked), SILENCE_S) as answer:
            try:
                yield from answer
            except (OSError, HTTPException) as broken:
                raise Unavailable(f"the stream of {self.address} broke: {broken}") from broken

    def _request(self, path: str, asked: Mapping[str, object]) -> urllib.request.Request:
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return urllib.request.Request(
            f"http://{self.address}/api/v1{path}?{query}", headers={"Authorization": f"Bearer {self.token}"}
        )

    def _json(self, request: urllib.request.Request) -> Any:
        with self._opened(request, ANSWER_S) as answer:
            try:
                return json.load(answer)
            except (OSError, ValueError, HTTPException) as broken:
                raise Unavailable(f"the gateway at {self.address} answers no JSON: {broken}") from broken

    def _opened(self, request: urllib.request.Request, timeout_s: float) -> HTTPResponse:
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310
        except urllib.error.HTTPError as refused:
            self._refused(refused)
        except (OSError, HTTPException) as away:
            raise Unavailable(f"no gateway answers at {self.address} (ARGUS_GATEWAY): {away}") from away
        return answer

    def _refused(self, refused: urllib.error.HTTPError) -> NoReturn:
        with refused:
            try:
                detail = str(json.load(refused)["detail"])
            except (OSError, ValueError, KeyError, TypeError):
                detail = str(refused)
        kind = Unavailable if refused.code >= 500 or refused.code == 429 else Misconfigured
        raise kind(f"the gateway at {self.address} says {refused.code}: {detail}") from refused


def events(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The fields of each event of a stream; comments and what was cut off at its end are left out.

    >>> list(events([b": beat\\n", b"id: 1\\n", b"data: {}\\n", b"\\n", b"id: 2\\n"]))
    [{'id': '1', 'data': '{}'}]
    """
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
        if name:
            event[name] = value.removeprefix(" ")
        elif not line.strip():
            if "data" in event:
                yield event
            event = {}


def followed(
    connect: Callable[[str | None], Iterable[bytes]], last: str | None, on_break: Callable[[Unavailable | None], None]
) -> Iterator[dict[str, str]]:
    """Each event once, without end: `connect` opens the stream behind an event, again and again.

    `on_break` is told when the stream ended, and why if it is known; it waits. Raises Misconfigured as `connect` does.
    """
    known: OrderedDict[str, None] = OrderedDict.fromkeys([last] if last is not None else [])
    while True:
        why = None
        try:
            for event in events(connect(last)):
                last = event.get("id", last)
                if last is not None and last not in known:
                    known[last] = None
                    yield event
                while len(known) > MOST_KNOWN:
                    known.popitem(last=False)
        except Unavailable as broken:
            why = broken
        on_break(why)
