"""How long after the broker's acknowledgement of a run a client reads its effect on failure_rate_24h from Valkey."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from benchmarks.latency_path import Sent, Tally, match
from benchmarks.private import Private, private_stack
from benchmarks.report import Measured, checked
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.jobs import JOBS
from contracts.records import JobExecution
from contracts.topics import RUNS, message
from feature_store.log import producer

FIGURES = ("p50_ms", "p99_ms")
PROMISED = {"p99_ms": 25.0}
"""At most."""

RUNS_PER_S = 200
PROJECTS = 50
WARM_S, MEASURED_S = 45.0, 60.0
SETTLE_S = 5.0
"""A run whose effect is not seen by then is lost."""

WATCH_S = 30.0


def measure(*, scale: float, told: Callable[[str], None]) -> Measured:
    """Send RUNS_PER_S at random instants, whether or not answers come, while the whole stack works.

    Raises what keeps a stack from starting, Unavailable when a run is not acknowledged or its effect never read.
    """
    with private_stack(*JOBS) as stack:
        told(f"{RUNS_PER_S} runs/s for {WARM_S * scale:.0f} s to warm up and {MEASURED_S * scale:.0f} s measured")
        tallies = {f"bench/p{number:02d}": Tally() for number in range(PROJECTS)}
        begin_ns, readings = _watched(stack, partial(_send, stack, tallies, WARM_S * scale, MEASURED_S * scale))
    strange = sum(match(tally.sent, readings.get(project, [])) for project, tally in tallies.items())
    measured = [one for tally in tallies.values() for one in tally.sent if one.due_ns >= begin_ns]
    lost = sum(not one.readable_ns for one in measured)
    if lost or strange or not measured:
        raise Unavailable(f"of {len(measured)} runs {lost} were never seen; {strange} rates were read that never were")
    effect_ms = _ms(one.readable_ns - one.acknowledged_ns for one in measured)
    figures = {"p50_ms": _percentile(effect_ms, 50), "p99_ms": _percentile(effect_ms, 99)}
    acknowledged_ms = _ms(one.acknowledged_ns - one.sent_ns for one in measured)
    setup = {
        "processors": os.cpu_count(),
        "load_after": round(os.getloadavg()[0], 1),
        "runs": len(measured),
        "runs_per_s": RUNS_PER_S,
        "projects": PROJECTS,
        "p90_ms": _percentile(effect_ms, 90),
        "p99.9_ms": _percentile(effect_ms, 99.9),
        "max_ms": _percentile(effect_ms, 100),
        "acknowledged_p50_ms": _percentile(acknowledged_ms, 50),
        "acknowledged_p99_ms": _percentile(acknowledged_ms, 99),
        "sent_late_max_ms": _percentile(_ms(one.sent_ns - one.due_ns for one in measured), 100),
    }
    return checked(Measured("latency", figures, {"promised": PROMISED}, setup), FIGURES)


def _watched(stack: Private, send: Callable[[], int]) -> tuple[int, dict[str, list[tuple[int, float]]]]:
    """What `send` returns, and the readings by project: (monotonic ns, rate) in their order."""
    out = stack.data / "readings"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")}
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.latency_watch", str(out)],
        env=environment | {"ARGUS_DATA": str(stack.data)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as watcher:  # fmt: skip
        try:
            assert watcher.stdout is not None
            if watcher.stdout.readline() != "ready\n":
                raise Unavailable("the watcher of Valkey did not start")
            begin_ns = send()
            watcher.communicate(timeout=WATCH_S)
        except subprocess.TimeoutExpired as late:
            raise DeadlineExceeded(f"the watcher of Valkey did not end within {WATCH_S:.0f} s") from late
        finally:
            watcher.kill()
    return begin_ns, _readings(out)


def _send(stack: Private, tallies: dict[str, Tally], warm_s: float, measured_s: float) -> int:
    """Send at random instants that nothing delays; returns when the measured ones begin (monotonic ns)."""
    rng = random.Random(7)
    client = producer(stack.settings().kafka)
    begin_ns = time.monotonic_ns() + round(warm_s * 1e9)
    end_ns = begin_ns + round(measured_s * 1e9)
    due_ns = time.monotonic_ns()
    number = 0
    while due_ns < end_ns:
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            client.poll(left_ns / 1e9)
        project = rng.choice(list(tallies))
        _send_one(client, project, tallies[project], number, due_ns, rng.random())
        number += 1
        due_ns += round(rng.expovariate(RUNS_PER_S) * 1e9)
    if client.flush(SETTLE_S):
        raise Unavailable(f"the broker did not acknowledge every run within {SETTLE_S:.0f} s")
    time.sleep(SETTLE_S)
    return begin_ns


def _send_one(client: Producer, project: str, tally: Tally, number: int, due_ns: int, chance: float) -> None:
    fails = tally.next_fails(chance)
    record = JobExecution(
        project=project,
        run=str(number),
        job="build",
        outcome="failure" if fails else "success",
        finished_ms=time.time_ns() // 1_000_000,
    )
    out = message(RUNS, record, namespace="", source="/argus/bench")
    one = Sent(project, tally.count(fails), due_ns, time.monotonic_ns())
    tally.sent.append(one)

    def acknowledged(error: Any, _message: Any) -> None:
        if error is not None:
            raise Unavailable(f"the broker refused a run: {error.str()}")
        one.acknowledged_ns = time.monotonic_ns()

    client.produce(out.topic, out.value, out.key, headers=out.headers, on_delivery=acknowledged)


def _readings(out: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for line in out.read_text().splitlines():
        at_ns, key, value = line.split("\t")
        found.setdefault(key.split(":")[1], []).append((int(at_ns), float(value)))
    return found


def _ms(durations_ns: Any) -> Any:
    return np.fromiter(durations_ns, dtype=np.int64) / 1e6


def _percentile(values: Any, share: float) -> float:
    return round(float(np.percentile(values, share)), 2)
