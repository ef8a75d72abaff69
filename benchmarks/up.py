"""What it costs to have Argus on a laptop: starting it cold and warm, and the memory of all of it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from argus.stack.detached import SUPERVISOR, start, stop
from argus.stack.process import memory_mb
from argus.stack.records import record
from argus.stack.status import read_status
from argus.topics import ensure
from benchmarks.report import Measured, checked
from contracts.errors import DeadlineExceeded
from contracts.jobs import JOBS, PROJECT_JOB
from contracts.settings import read_settings

FIGURES = ("cold_s", "warm_s", "rss_mb_total", "rss_mb_per_job")
PROMISED = {"rss_mb_total": 2500.0, "warm_s": 20.0}
"""At most."""

SETTLE_S = 20.0
"""Idle, with a few checkpoints and a collection behind it."""

ONE_MORE = "bench-up"
JOB_DEADLINE_S = 180.0


def measure(*, scale: float, told: Callable[[str], None]) -> Measured:
    """Start a stack in a new folder, measure it idle and with one more job, stop it, start it again.

    Environment and jars are there; the folder is not, so "cold" makes Kafka's and Postgres's data and the topics.
    Seconds are those of `argus up --detach`: until every child answers and every task of both jobs runs. Memory is
    RSS summed over all processes, pages they share counted in each; `setup` has the proportional sizes beside it.
    `scale` shortens the idle time before memory is looked at; `told` gets a line per phase.
    """
    settle_s = SETTLE_S * min(scale, 1.0)
    data = Path(tempfile.mkdtemp(prefix="argus-bench-up-"))
    try:
        told("cold start")
        cold_s = _timed(lambda: start(data, jobs=tuple(JOBS), show=lambda _: None))
        cold_load = os.getloadavg()[0]
        told(f"idle for {settle_s:.0f} s")
        time.sleep(settle_s)
        idle = _memory(data)
        told("one more job")
        _one_more(data)
        time.sleep(settle_s)
        one_more = _memory(data)
        stop_s = _timed(lambda: stop(data, told=lambda _: None))
        (data / "jobs" / f"{ONE_MORE}.{PROJECT_JOB.name}.json").unlink()
        told("warm start")
        warm_s = _timed(lambda: start(data, jobs=tuple(JOBS), show=lambda _: None))
    finally:
        stop(data, told=lambda _: None)
        shutil.rmtree(data)
    total = sum(rss for rss, _ in idle.values())
    figures = {
        "cold_s": round(cold_s, 1),
        "warm_s": round(warm_s, 1),
        "stop_s": round(stop_s, 1),
        "rss_mb_total": round(total),
        "rss_mb_per_job": round(sum(rss for rss, _ in one_more.values()) - total),
    }
    setup = {
        "processors": os.cpu_count(),
        "load_after_cold": round(cold_load, 1),
        "load_after_warm": round(os.getloadavg()[0], 1),
        "jobs": list(JOBS),
        "rss_mb": {name: round(rss) for name, (rss, _) in idle.items()},
        "pss_mb": {name: round(pss) for name, (_, pss) in idle.items()},
        "pss_mb_total": round(sum(pss for _, pss in idle.values())),
    }
    return checked(Measured("up", figures, {"promised": PROMISED}, setup), FIGURES)


def _timed(what: Callable[[], object]) -> float:
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


def _memory(data: Path) -> dict[str, tuple[float, float]]:
    """(RSS, PSS) in MB per child and of the supervisor itself."""
    status = read_status(data)
    found = {child.name: memory_mb(child.pid) for child in status.children if child.pid}
    whole = memory_mb(status.pid)
    found[SUPERVISOR] = (
        whole[0] - sum(rss for rss, _ in found.values()),
        whole[1] - sum(pss for _, pss in found.values()),
    )
    return found


def _one_more(data: Path) -> None:
    """The project job once more, in a namespace of its own, through the supervisor."""
    settings = read_settings(data=data, namespace=ONE_MORE)
    ensure(settings, deadline_s=30)
    record(data, PROJECT_JOB.name, settings)
    ends = time.monotonic() + JOB_DEADLINE_S
    while not any(job.namespace == ONE_MORE and job.state == "RUNNING" for job in read_status(data).jobs):
        if time.monotonic() > ends:
            raise DeadlineExceeded(f"one more job does not run after {JOB_DEADLINE_S:.0f} s: {read_status(data).jobs}")
        time.sleep(0.1)
