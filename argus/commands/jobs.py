"""`argus submit`, `argus jobs`, `argus stop`: jobs on a cluster."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from contracts.jobs import Job
    from contracts.settings import Settings

WIDE = 240
"""Columns of a table that goes to a file or a program: nothing is shortened."""


class ClockOf(StrEnum):
    """Whose clock arrival is."""

    LIFE = "life"
    REPLAY = "replay"


Name = Annotated[str, typer.Argument(metavar="JOB", help="one of docs/jobs.md")]
Cluster = Annotated[
    str | None, typer.Option(metavar="URL", help="REST address of a Flink cluster; default ARGUS_FLINK")
]
Namespace = Annotated[str | None, typer.Option(metavar="NS", help="default ARGUS_NAMESPACE")]
Deadline = Annotated[float, typer.Option(help="seconds to wait for the cluster", min=5)]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def submit(
    job: Name,
    cluster: Cluster = None,
    parallelism: Annotated[int | None, typer.Option(min=1, max=1024, help="default ARGUS_PARALLELISM")] = None,
    from_savepoint: Annotated[
        str | None, typer.Option(metavar="PATH", help="savepoint or retained checkpoint to go on from")
    ] = None,
    namespace: Namespace = None,
    clock: Annotated[ClockOf | None, typer.Option(help="default ARGUS_CLOCK; replay for a replay's namespace")] = None,
    if_absent: Annotated[bool, typer.Option("--if-absent", help="do nothing where it runs already")] = False,
    deadline_s: Deadline = 90,
) -> None:
    """Start a job on a cluster and wait until it runs. The code and the Kafka connector travel with it.

    The cluster needs Flink 2.3 on Java 17 with flink-python's jar in lib/, and beside each TaskManager Python 3.11 with
    apache-flink. On the embedded stack the supervisor keeps the job running from then on.
    """
    from argus.jobs import start
    from argus.submit import submit as send

    wanted = _job(job)
    settings = _settings(cluster, namespace, clock=clock and clock.value, parallelism=parallelism)
    started = start(
        wanted, settings, savepoint=from_savepoint, if_absent=if_absent,
        submit=lambda one, how, savepoint: send(one, how, savepoint, deadline_s=deadline_s), deadline_s=deadline_s,
    )  # fmt: skip
    does = "was there before and runs" if started.was_there else "runs"
    kept = "; the supervisor keeps it" if started.is_kept else ""
    print(f"{wanted.group(settings.namespace)} {does} on {settings.flink} as {started.flink_id or 'soon'}{kept}")


def jobs(cluster: Cluster = None, as_json: AsJson = False) -> None:
    """List our jobs on a cluster, of all namespaces: those that run, and those that failed."""
    import time

    import msgspec
    from rich.console import Console
    from rich.table import Table

    from argus.cluster import current, flink_jobs
    from argus.jobs import embedded
    from argus.stack.keeper import why
    from argus.stack.records import recorded

    settings = _settings(cluster, None)
    shown = current(flink_jobs(settings.flink))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(shown), indent=1).decode())
        return
    data = embedded(settings)
    kept = {flink_id for one in recorded(data) for flink_id in one.flink_ids} if data else set()
    table = Table("job", "namespace", "state", "tasks", "for", "id", "kept", "why", box=None, pad_edge=False)
    for job in shown:
        state = "STARTING" if job.state == "RUNNING" and job.starts else job.state
        lasts_s = ((job.ended_ms or time.time_ns() // 1_000_000) - job.started_ms) / 1000
        table.add_row(
            job.name, job.namespace, state, f"{job.running}/{job.tasks}", _for(lasts_s), job.flink_id,
            "yes" if job.flink_id in kept else "", "" if state == "RUNNING" else why(settings.flink, job.flink_id),
        )  # fmt: skip
    width = None if sys.stdout.isatty() else WIDE
    Console(highlight=False, width=width).print(table if shown else f"no job of ours on {settings.flink}")


def stop(
    job: Name,
    cluster: Cluster = None,
    namespace: Namespace = None,
    to: Annotated[str | None, typer.Option(metavar="URI", help="folder; default the cluster's savepoint-dir")] = None,
    no_savepoint: Annotated[bool, typer.Option("--no-savepoint", help="cancel it; its checkpoints stay")] = False,
    deadline_s: Deadline = 120,
) -> None:
    """Stop a job with a savepoint and print the savepoint's path, for `argus submit --from-savepoint`."""
    from argus.jobs import stop as end

    settings = _settings(cluster, namespace)
    path = end(_job(job), settings, folder=to, with_savepoint=not no_savepoint, deadline_s=deadline_s)
    if path:
        print(path)


def _job(name: str) -> "Job":
    from contracts.errors import Misconfigured
    from contracts.jobs import JOBS

    if name not in JOBS:
        raise Misconfigured(f"no such job: {name}; there are {', '.join(JOBS)}")
    return JOBS[name]


def _settings(cluster: str | None, namespace: str | None, **others: object) -> "Settings":
    """The settings, changed by the options that were given; a bare host:port is an address too."""
    from contracts.settings import read_settings

    address = f"http://{cluster}" if cluster and "://" not in cluster else cluster
    given: dict[str, Any] = {"flink": address, "namespace": namespace, **others}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


def _for(seconds: float) -> str:
    """A duration in the largest unit that fits.

    >>> _for(59), _for(3600), _for(200_000)
    ('59 s', '60 min', '56 h')
    """
    for unit, size in (("s", 120), ("min", 7_200)):
        if seconds < size:
            return f"{seconds / (size / 120):.0f} {unit}"
    return f"{seconds / 3600:.0f} h"
