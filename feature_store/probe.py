"""What a process says about itself over HTTP: /healthz, /readyz and /metrics.

Healthy means that its loop turns; ready, that it does its work now. Both name what is wrong.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]
"""None while all is well, else one sentence about what is not."""


@contextmanager
def probe(
    port: int, registry: CollectorRegistry, *, healthy: Check, ready: Check, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Answer on `host` while the block runs; yields the port, a free one where `port` is 0."""
    server = ThreadingHTTPServer((host, port), _answers(registry, healthy, ready))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="probe", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class Heartbeat:
    """Tells a loop that turns from one that hangs: `beat` once a turn, `check` from another thread."""

    def __init__(self, silence_s: float, now_s: Callable[[], float]) -> None:
        self._silence_s, self._now_s, self._last_s = silence_s, now_s, now_s()

    def beat(self) -> None:
        """The loop has turned."""
        self._last_s = self._now_s()

    def check(self) -> str | None:
        """None, or for how long the loop has been silent."""
        silent_s = self._now_s() - self._last_s
        return f"the loop has been silent for {silent_s:.0f} s" if silent_s > self._silence_s else None


def _answers(registry: CollectorRegistry, healthy: Check, ready: Check) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                case "/healthz":
                    self._tell(healthy())
                case "/readyz":
                    self._tell(ready())
                case _:
                    self._send(404, "text/plain", b"/healthz, /readyz or /metrics\n")

        def _tell(self, wrong: str | None) -> None:
            self._send(503 if wrong else 200, "text/plain", f"{wrong or 'ok'}\n".encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """A scrape is not worth a line."""

    return Answers
