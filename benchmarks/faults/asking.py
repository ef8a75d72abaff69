"""One request to a gateway, whatever becomes of it."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What was answered; status 0 where nothing was."""

    status: int
    text: str

    @property
    def counted(self) -> tuple[int, int, int]:
        """Accepted, duplicate, refused."""
        told = json.loads(self.text)
        return told["accepted"], told["duplicate"], told["refused"]


def ask(
    address: str,
    method: str,
    path: str,
    *,
    token: str = "",
    body: bytes | Iterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """The answer to one request; a body that is no bytes is sent in chunks, without a length."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.connect()
        with suppress(OSError):  # refused before all was sent: the answer may be there already
            connection.request(method, path, body, {**shown, **(headers or {})}, encode_chunked=True)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as gone:
        return Answer(0, repr(gone))
    finally:
        connection.close()
