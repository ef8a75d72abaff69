"""How soon an insight can be read after the run that makes it conclusive, how many projects a core holds, how large
each is, and what a thousand people who look on cost the gateway."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from argus.stack.ports import LOOPBACK, chosen
from benchmarks.faults.asking import ask
from benchmarks.incidents_fold import fold_cost
from benchmarks.observed import until
from benchmarks.private import memory_mb, private_stack
from benchmarks.report import Measured, checked
from benchmarks.running import Running, running
from contracts.errors import Unavailable
from contracts.insights import Insight
from contracts.records import JobExecution, Outcome, decode
from contracts.topics import INSIGHTS, RUNS, Message, message, tick_headers
from feature_store.log import follower, producer
from models.incidents import Arrival, Watch, learn, pass_time

FIGURES = ("p50_ms", "p99_ms", "projects_per_core", "state_bytes")
PROMISED = {"p99_ms": 8_000.0, "projects_per_core": 100_000.0}
"""The first at most, the second at least."""
PROJECTS, VIEWERS = 300, 1_000
MEASURED_S, SETTLE_S, TICK_S = 60.0, 30.0, 1.0
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
TENANT, STREAM = "bench", "/api/v1/ai/insights/stream"
EVENT = b"event:"


def measure(*, scale: float, told: Callable[[str], None]) -> Measured:
    """Let projects catch fire at random instants of the grid, on a stack whose gateway a thousand people watch.

    Raises what keeps a stack from starting, and Unavailable when an insight was never read.
    """
    cost = fold_cost(told)
    with private_stack() as stack:
        port = chosen(["gateway"], {}, random.Random(1))["gateway"]
        settings = stack.settings("burning", clock="replay", gateway=f"{LOOPBACK}:{port}", checkpoint_interval_s=5)
        with running(stack.data, settings) as one:
            one.start_writer("gateway")
            fires = _Fires(one, scale)
            with _looking_on(one, fires) as crowd:
                fires.light(told)
                until("everybody has seen all", lambda: crowd.events() >= len(fires.projects), deadline_s=SETTLE_S)
                grown_mb = crowd.memory_mb() - crowd.before_mb
                seen = crowd.events()
    on_topic, on_stream = (fires.delays_ms(read) for read in (fires.on_topic, fires.on_stream))
    figures = {
        "p50_ms": round(float(np.percentile(on_stream, 50))),
        "p99_ms": round(float(np.percentile(on_stream, 99))),
        "projects_per_core": round(cost.projects_per_core),
        "state_bytes": round(cost.state_bytes),
    }
    setup = {
        "processors": os.cpu_count(),
        "insights": len(on_stream),
        "topic_p50_ms": round(float(np.percentile(on_topic, 50))),
        "topic_p99_ms": round(float(np.percentile(on_topic, 99))),
        "update_us": round(cost.update_us, 1),
        "viewers": VIEWERS,
        "viewers_got": seen,
        "viewers_mb": round(crowd.before_mb - crowd.alone_mb, 1),
        "gateway_grew_mb": round(grown_mb, 1),
    }
    return checked(Measured("incidents", figures, {"promised": PROMISED}, setup), FIGURES)


def prior_failures() -> int:
    """How many runs that fail, one a minute, do not fire yet in a project of three hours, though one more does."""
    for runs in range(2, 15):
        if not _fires(runs) and _fires(runs + 1):
            return runs
    raise Unavailable("no run is the one that makes it conclusive")


def _fires(runs: int) -> bool:
    cells: dict[str, str] = {}
    found = [*learn(cells, Arrival("p", "0", 0), Watch())]
    for run in range(runs):
        at_ms = 3 * HOUR_MS + run * MINUTE_MS
        found += learn(cells, Arrival("p", f"{run}", at_ms, at_ms // MINUTE_MS), Watch())
    found += pass_time(cells, "p", 3 * HOUR_MS + runs * MINUTE_MS, Watch())
    return any(isinstance(one, Insight) for one in found)


class _Fires:
    """Projects that are three hours old by a replay's clock, and when each was lit and seen to burn (monotonic ns)."""

    def __init__(self, one: Running, scale: float) -> None:
        self._settings, self._chance = one.settings, random.Random(1)
        self._seconds, count = MEASURED_S * scale, max(1, round(PROJECTS * scale))
        self.projects = [f"{TENANT}/p{number:03d}" for number in range(count)]
        self._sender, self._lock = producer(one.settings.kafka), threading.Lock()
        self.acknowledged: dict[str, int] = {}
        self.on_topic: dict[str, int] = {}
        self.on_stream: dict[str, int] = {}

    def light(self, told: Callable[[str], None]) -> None:
        """Send what happened before, then a conclusive run for each project at a random instant."""
        before, now_ms = prior_failures(), _now_ms()
        self._ticks(now_ms - 4 * HOUR_MS)
        for project in self.projects:
            self._send(project, "began", "success", now_ms - 3 * HOUR_MS)
        for run in range(before):
            for project in self.projects:
                self._send(project, f"before-{run}", "failure", now_ms - (before - run) * MINUTE_MS)
        self._sender.flush(30)
        lighting = sorted((self._chance.uniform(0, self._seconds), project) for project in self.projects)
        told(f"{len(lighting)} projects catch fire within {self._seconds:.0f} s, each by failing run {before + 1}")
        began_s = next_tick_s = time.monotonic()
        ends_s = began_s + self._seconds + SETTLE_S
        while time.monotonic() < ends_s and (lighting or len(self.on_stream) < len(self.projects)):
            if time.monotonic() >= next_tick_s:
                self._ticks(_now_ms())
                next_tick_s += TICK_S
            while lighting and lighting[0][0] <= time.monotonic() - began_s:
                _, project = lighting.pop(0)
                self._send(project, "conclusive", "failure", _now_ms(), measured=True)
            self._sender.poll(0.002)
        if missing := set(self.projects) - set(self.on_stream) | (set(self.projects) - set(self.on_topic)):
            raise Unavailable(f"of {len(self.projects)} projects that burn {len(missing)} were never seen to")

    def saw(self, where: dict[str, int], insight: Insight) -> None:
        """An insight was read, now."""
        if insight.state == "opened":
            with self._lock:
                where.setdefault(insight.project, time.monotonic_ns())

    def delays_ms(self, read: dict[str, int]) -> list[float]:
        """From the broker's acknowledgement to the reading."""
        return [(read[project] - self.acknowledged[project]) / 1e6 for project in self.projects]

    def _send(self, project: str, run: str, outcome: Outcome, at_ms: int, *, measured: bool = False) -> None:
        record = JobExecution(
            project=project, run=run, job="unit", outcome=outcome, finished_ms=at_ms, branch="main", commit=run
        )
        sent: Message = message(RUNS, record, namespace=self._settings.namespace, source="/bench", arrived_ms=at_ms)

        def acknowledged(error: object, _: object) -> None:
            if error is None and measured:
                self.acknowledged[project] = time.monotonic_ns()

        self._sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers, on_delivery=acknowledged)

    def _ticks(self, at_ms: int) -> None:
        name, headers = RUNS.named(self._settings.namespace), tick_headers(at_ms)
        for partition in range(self._settings.partitions):
            self._sender.produce(name, b"", None, partition, headers=headers)


class _Crowd:
    """Those who look on; the first of them is read by the clock."""

    def __init__(self, pid: int, address: str, token: str, alone_mb: float) -> None:
        host, _, port = address.partition(":")
        self._pid, self.alone_mb = pid, alone_mb
        request = f"GET {STREAM} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        self.sockets = [socket.create_connection((host, int(port)), timeout=30) for _ in range(VIEWERS)]
        for one in self.sockets:
            one.sendall(request)
        for one in self.sockets:
            if b" 200 " not in (said := one.recv(4096)):
                raise Unavailable(f"the gateway refuses one who wants to look on: {said[:200]!r}")
        self.before_mb = self.memory_mb()
        self._got, self._cut = [0] * VIEWERS, [b""] * VIEWERS
        self._ends = threading.Event()

    def memory_mb(self) -> float:
        """Of the gateway."""
        return memory_mb(self._pid, "VmRSS")

    def events(self) -> int:
        """The fewest that anybody got."""
        return min(self._got)

    def read(self, saw: Callable[[Insight], None]) -> None:
        """All streams, until closed; what the first of them brings is told."""
        import selectors

        left = b""
        with selectors.DefaultSelector() as ready:
            for number, one in enumerate(self.sockets):
                one.setblocking(False)
                ready.register(one, selectors.EVENT_READ, number)
            while not self._ends.is_set():
                for key, _ in ready.select(0.1):
                    piece = self.sockets[key.data].recv(262_144)
                    seen = self._cut[key.data] + piece
                    self._got[key.data] += seen.count(EVENT)
                    self._cut[key.data] = seen[1 - len(EVENT) :]
                    if key.data == 0:
                        *lines, left = (left + piece).split(b"\n")
                        for line in lines:
                            if line.startswith(b"data:"):
                                saw(decode(Insight, line.removeprefix(b"data:").strip()))

    def close(self) -> None:
        """Everybody leaves."""
        self._ends.set()
        for one in self.sockets:
            one.close()


@contextmanager
def _looking_on(one: Running, fires: _Fires) -> Iterator[_Crowd]:
    """A thousand viewers at the gateway, and a reader of the topic."""
    address, pid = one.settings.gateway, one.writer_pid("gateway")
    assert one.settings.admin_token is not None
    token = one.settings.admin_token.get_secret_value()
    until(
        "the gateway has read the insights",
        lambda: ask(address, "GET", "/api/v1/insights", token=token, timeout_s=5).status == 200,
        deadline_s=60,
    )
    crowd = _Crowd(pid, address, token, memory_mb(pid, "VmRSS"))
    with ExitStack() as leaving:
        ends = threading.Event()
        topic = threading.Thread(target=_read_topic, args=(one, fires, ends))
        stream = threading.Thread(target=crowd.read, args=(lambda insight: fires.saw(fires.on_stream, insight),))
        topic.start()
        stream.start()
        leaving.callback(crowd.close)
        leaving.callback(stream.join)
        leaving.callback(crowd._ends.set)
        leaving.callback(topic.join)
        leaving.callback(ends.set)
        yield crowd


def _read_topic(one: Running, fires: _Fires, ends: threading.Event) -> None:
    consumer = follower(one.settings.kafka, "argus.bench", **{"auto.offset.reset": "earliest", "fetch.wait.max.ms": 10})
    try:
        consumer.subscribe([INSIGHTS.named(one.settings.namespace)])
        while not ends.is_set():
            for found in consumer.consume(100, timeout=0.05):
                if found.error() is None:
                    fires.saw(fires.on_topic, decode(Insight, found.value()))
    finally:
        consumer.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
