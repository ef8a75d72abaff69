"""What the front door takes in a second, and how long a webhook waits: all of it acknowledged by the broker."""

import hmac
import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import local
from urllib.parse import urlencode

import numpy as np

from argus.stack.ports import LOOPBACK, answers, chosen
from benchmarks.observed import log_of, until
from benchmarks.private import Private, memory_mb, private_stack
from benchmarks.report import Measured, checked
from contracts.errors import Unavailable
from contracts.records import TestReportPart, decode
from contracts.topics import RUNS, TEST_RESULTS
from feature_store.log import is_tick
from gateway.tenants import Tenants
from gateway.webhook_secrets import WebhookSecrets

FIGURES = (
    "junit_cases_per_s", "events_per_s", "webhook_p50_ms", "webhook_p99_ms", "rss_mb", "raw_cases_per_s",
)  # fmt: skip
PROMISED = {"junit_cases_per_s": 20_000.0, "webhook_p99_ms": 30.0, "rss_mb": 300.0}
"""The first at least, the others at most."""

SIZES = {1_000: 60, 100_000: 2}
"""Test cases of a file -> files."""
SENDERS = 4
BATCH, BATCHES = 1_000, 60
WEBHOOKS_PER_S, WEBHOOKS_S = 200, 20.0
WAIT_S = 120.0
SEED = 11

Post = Callable[[str, bytes, dict[str, str]], int]


def measure(*, scale: float, told: Callable[[str], None]) -> Measured:
    """Send files, batches and webhooks to the gateway of a stack of its own, and count what lies on the log.

    Raises what keeps a stack from starting, and Unavailable when something was not accepted or is not on the log.
    """
    with private_stack() as stack:
        settings = stack.settings()
        where = (settings, partial(datetime.now, UTC))
        tenants = Tenants.of(*where)
        tenants.create("bench", "bench")
        token = tenants.create_token("bench", label="", scopes=["ingest"], life=None, actor="bench")
        secret = WebhookSecrets.of(*where).create("bench", "github", "bench")
        post = partial(_post, settings.gateway, local())
        cases: dict[int, float] = {}
        sent_cases = 0
        for size, files in SIZES.items():
            count = max(1, round(files * scale))
            told(f"{count} JUnit files of {size:,} test cases")
            took_s = _all(partial(_junit, post, token, size, [_file(size, at) for at in range(count)]), count, SENDERS)
            cases[size] = size * count / took_s
            sent_cases += size * count
        batches = max(1, round(BATCHES * scale))
        told(f"{batches} batches of {BATCH:,} job events")
        events_s = _all(partial(_batch, post, token), batches, SENDERS)
        told(f"{WEBHOOKS_PER_S} webhooks a second for {WEBHOOKS_S * scale:.0f} s")
        waits_ms = _webhooks(post, secret, WEBHOOKS_S * scale)
        rss_mb = memory_mb(stack.pid("gateway"), "VmHWM")
        _check(stack, sent_cases, batches * BATCH + len(waits_ms))
        with _raw(stack) as raw:
            count = max(1, round(SIZES[1_000] * scale))
            bodies = [_file(1_000, at) for at in range(count)]
            raw_s = _all(lambda number: _taken(raw("/", bodies[number], {})), count, SENDERS)
    figures = {
        "junit_cases_per_s": round(min(cases.values())),
        "events_per_s": round(batches * BATCH / events_s),
        "webhook_p50_ms": round(float(np.percentile(waits_ms, 50)), 2),
        "webhook_p99_ms": round(float(np.percentile(waits_ms, 99)), 2),
        "rss_mb": round(rss_mb),
        "raw_cases_per_s": round(1_000 * count / raw_s),
    }
    setup = {
        "processors": os.cpu_count(),
        "load_after": round(os.getloadavg()[0], 1),
        "senders": SENDERS,
        **{f"cases_per_s_of_{size}": round(rate) for size, rate in cases.items()},
        "webhooks": len(waits_ms),
        "webhook_max_ms": round(max(waits_ms), 2),
    }
    return checked(Measured("ingest", figures, {"promised": PROMISED}, setup), FIGURES)


def _all(send: Callable[[int], None], count: int, senders: int) -> float:
    """Seconds until all of `count` were sent and answered."""
    began_s = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        for one in [pool.submit(send, number) for number in range(count)]:
            one.result()
    return time.monotonic() - began_s


def _post(address: str, mine: local, path: str, body: bytes, headers: dict[str, str]) -> int:
    """Status of the answer; each thread keeps its connection."""
    if not hasattr(mine, "connection"):
        mine.connection = http.client.HTTPConnection(address, timeout=WAIT_S)
    mine.connection.request("POST", path, body, headers)
    answer = mine.connection.getresponse()
    answer.read()
    return int(answer.status)


def _taken(status: int) -> None:
    if status != 202:
        raise Unavailable(f"the gateway answered {status}")


def _file(size: int, number: int) -> bytes:
    """A JUnit file in which one test in fifty fails, with a trace of a few lines."""
    trace = "\n".join(f"  at org.acme.Deep.call{depth}(Deep.java:{depth})" for depth in range(12))
    tests = "".join(
        f'<testcase classname="org.acme.Suite{at % 40}" name="test_{number}_{at}" time="0.0{at % 90}">'
        + (f'<failure message="expected {at}" type="AssertionError">{trace}</failure>' if at % 50 == 0 else "")
        + "</testcase>"
        for at in range(size)
    )
    return f'<testsuites><testsuite name="all" tests="{size}">{tests}</testsuite></testsuites>'.encode()


def _junit(post: Post, token: str, size: int, files: list[bytes], number: int) -> None:
    where = urlencode({"project": f"bench/p{number % 20}", "run": f"{size}-{number}", "job": "unit"})
    _taken(post(f"/api/v1/ingest/junit?{where}", files[number], {"Authorization": f"Bearer {token}"}))


def _batch(post: Post, token: str, number: int) -> None:
    now_ms = time.time_ns() // 1_000_000
    lines = "\n".join(
        json.dumps(
            {"project": f"bench/p{at % 20}", "run": f"{number}-{at}", "job": "build", "outcome": "success",
             "finished_ms": now_ms}
        )
        for at in range(BATCH)
    )  # fmt: skip
    _taken(post("/api/v1/ingest/events", lines.encode(), {"Authorization": f"Bearer {token}"}))


def _webhooks(post: Post, secret: str, for_s: float) -> list[float]:
    """From the instant at which each was due to its answer, ms; sent whether or not answers come."""
    rng = random.Random(SEED)

    def send(number: int, due_s: float) -> float:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        job = {"run_id": number, "run_attempt": 1, "name": "unit", "conclusion": "success", "completed_at": finished}
        told = {"action": "completed", "workflow_job": job, "repository": {"full_name": f"bench/p{number % 20}"}}
        body = json.dumps(told).encode()
        signed = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"X-GitHub-Delivery": str(number), "X-Hub-Signature-256": f"sha256={signed}"}
        _taken(post("/api/v1/ingest/github?tenant=bench", body, headers))
        return (time.monotonic() - due_s) * 1000

    with ThreadPoolExecutor(32) as pool:
        waiting: list[Future[float]] = []
        due_s = time.monotonic()
        ends_s = due_s + for_s
        while due_s < ends_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            waiting.append(pool.submit(send, len(waiting), due_s))
            due_s += rng.expovariate(WEBHOOKS_PER_S)
        return [one.result() for one in waiting]


def _check(stack: Private, cases: int, executions: int) -> None:
    """Everything that was answered with 202 lies on the log."""
    parts = [decode(TestReportPart, one.value()) for one in log_of(stack.settings(), TEST_RESULTS) if not is_tick(one)]
    found = (sum(len(part.tests) for part in parts), sum(not is_tick(one) for one in log_of(stack.settings(), RUNS)))
    if found != (cases, executions):
        raise Unavailable(f"{found[0]} of {cases} test cases and {found[1]} of {executions} events are on the log")


@contextmanager
def _raw(stack: Private) -> Iterator[Post]:
    """The handler that only produces, until the end of the block."""
    port = chosen(["raw"], {}, random.Random(SEED))["raw"]
    settings = stack.settings()
    command = [sys.executable, "-m", "benchmarks.ingest_raw", str(port), settings.kafka, TEST_RESULTS.name]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            until("the raw handler listens", lambda: answers(port), deadline_s=30)
            yield partial(_post, f"{LOOPBACK}:{port}", local())
        finally:
            process.kill()
