"""A Flink that answers on loopback as it is told to: what it says by path, and what it was asked to do."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FLAGS = ["-Xmx1g", "--add-opens=java.base/java.util=ALL-UNNAMED"]


class FakeFlink:
    """`says` maps a path (query left out) to an answer, or to a list of them, of which the last stays.

    An answer is a body, or (status, body) for a refusal.
    """

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[tuple[str, str, Any]] = []
        self.says: dict[str, Any] = {
            "/overview": {"flink-version": "2.3.0", "slots-available": 0, "slots-total": 4},
            "/jobmanager/environment": {
                "jvm": {"version": "OpenJDK 64-Bit Server VM - Eclipse Adoptium - 17/17.0.9+9", "options": FLAGS},
                "classpath": ["/flink/lib/flink-dist-2.3.0.jar", "/flink/lib/flink-python-2.3.0.jar"],
            },
            "/jobs/overview": {"jobs": []},
        }

    def job(self, flink_id: str, state: str = "RUNNING", *, name: str = "argus.jobs.project", **others: Any) -> Any:
        """One entry of /jobs/overview."""
        tasks = {"total": 3, "running": 3 if state == "RUNNING" else 0}
        entry = {"jid": flink_id, "name": name, "state": state, "start-time": 1000, "end-time": -1, "tasks": tasks}
        return entry | others

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """What it says now."""
        self.asked.append((method, path, body))
        told = self.says.get(path.partition("?")[0])
        if isinstance(told, list):
            told = told.pop(0) if len(told) > 1 else told[0]
        if told is None:
            return 404, {"errors": ["Not found."]}
        return told if isinstance(told, tuple) else (200, told)


@contextmanager
def fake_flink() -> Iterator[FakeFlink]:
    """Listening until the end of the block."""
    fake = FakeFlink()

    class Requests(BaseHTTPRequestHandler):
        """Every request goes to the fake."""

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            status, told = fake.answer(self.command, self.path, json.loads(self.rfile.read(size)) if size else None)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        do_POST = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        fake.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join(5)
