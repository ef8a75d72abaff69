"""Make the golden savepoints anew: python -m tests.golden.make, after a change that restores the present ones no more.

Both jobs fold a short history in a namespace of a replay and are stopped with a savepoint each. The log that they have
read goes into log.jsonl, so that a test can lay it down at the same offsets; about.json says when the state was
written, because state that is not used for 9 days is forgotten and a savepoint in a repository grows older than that.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from argus import jobs
from benchmarks.observed import log_of
from benchmarks.private import private_stack
from benchmarks.running import Running, running
from contracts.jobs import JOBS
from contracts.records import JobExecution, Outcome
from contracts.topics import RUNS, message, tick_headers
from feature_store.log import producer

FOLDER = Path(__file__).parent
NAMESPACE = "golden"
START_MS = 1_767_607_200_000  # Monday 2026-01-05, 10:00 UTC
MINUTE_MS = 60_000
MINUTES = 6


def execution(project: str, run: str, minute: float, outcome: Outcome = "success", **changed: object) -> JobExecution:
    """A job that finished so many minutes after START_MS."""
    at_ms = START_MS + int(minute * MINUTE_MS)
    return JobExecution(
        project=project, run=run, job="build", outcome=outcome, finished_ms=at_ms, **changed  # type: ignore[arg-type]
    )  # fmt: skip


def history() -> list[tuple[float, JobExecution]]:
    """What the savepoints have seen: minute of arrival, and execution."""
    outcomes: tuple[Outcome, ...] = ("success", "failure", "error", "timeout")
    return [
        (minute + run / 20, execution(project, f"{minute}-{run}", minute + run / 20, outcomes[(minute * run) % 4]))
        for minute in range(MINUTES)
        for project in ("acme/app", "acme/web", "globex/api")
        for run in range(3)
    ]


def put(one: Running, arrivals: list[tuple[float, JobExecution]], *, until: float) -> None:
    """Executions with the arrivals that they have, and a tick in every partition at each minute up to `until`."""
    sender, name = producer(one.settings.kafka), RUNS.named(one.settings.namespace)
    first = int(min(minute for minute, _ in arrivals))
    ticks = [(float(minute), None) for minute in range(first, int(until) + 1)]
    for minute, record in sorted([*arrivals, *ticks], key=lambda one: one[0]):
        arrived_ms = START_MS + int(minute * MINUTE_MS)
        if record is None:
            for partition in range(one.settings.partitions):
                sender.produce(name, b"", None, partition, headers=tick_headers(arrived_ms))
        else:
            sent = message(RUNS, record, namespace=NAMESPACE, source="/golden", arrived_ms=arrived_ms)
            sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
    assert sender.flush(30) == 0


def main() -> None:
    """The entry point."""
    with private_stack() as stack:
        settings = stack.settings(NAMESPACE, clock="replay", checkpoint_interval_s=1)
        with running(stack.data, settings) as one:
            began_ms = time.time_ns() // 1_000_000
            put(one, history(), until=MINUTES)
            one.drain(deadline_s=60)
            time.sleep(2)  # the last timers fire
            ended_ms = time.time_ns() // 1_000_000
            for name, job in JOBS.items():
                made = jobs.stop(job, settings, folder=None, with_savepoint=True, deadline_s=60)
                shutil.rmtree(FOLDER / name, ignore_errors=True)
                shutil.copytree(urlsplit(made).path, FOLDER / name)
            lines = [
                json.dumps(
                    {
                        "partition": lying.partition(),
                        "key": lying.key() and lying.key().decode(),
                        "value": lying.value().decode(),
                        "headers": {name: value.decode() for name, value in lying.headers()},
                    }
                )
                for lying in sorted(log_of(settings, RUNS), key=lambda one: (one.partition(), one.offset()))
            ]
    (FOLDER / "log.jsonl").write_text("\n".join(lines) + "\n")
    (FOLDER / "about.json").write_text(json.dumps({"began_ms": began_ms, "ended_ms": ended_ms}) + "\n")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    sys.stderr.write(f"{size:,} bytes in {FOLDER}\n")


if __name__ == "__main__":
    main()
