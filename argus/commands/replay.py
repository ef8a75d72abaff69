"""`argus replay`: a recording or a simulation sent through the log again, in a namespace of its own."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argus.commands import inputs
from argus.commands.inputs import InputFormat

if TYPE_CHECKING:
    from gateway.ingest.files import Reading
    from pipelines.replay import Arrival


def replay(
    speed: Annotated[str, typer.Option(metavar="60x|max", help="how many times as fast as it came")],
    namespace: Annotated[str, typer.Option(help="a namespace that nothing was ever written to; created here")],
    files: inputs.Files = None,
    github_export: inputs.GithubExport = None,
    input_format: inputs.Format = InputFormat.AUTO,
    columns: inputs.Map = None,
    preset: inputs.Preset = None,
    project: inputs.ProjectOption = None,
    run: inputs.Run = None,
    job: inputs.Job = None,
    attempt: inputs.Attempt = 1,
    environment: inputs.Environment = None,
    commit: inputs.Commit = None,
    branch: inputs.Branch = None,
    keep: Annotated[bool, typer.Option("--keep", help="then let the clock run on at the pace of life")] = False,
    deadline_s: Annotated[float, typer.Option(help="seconds without an answer of the broker", min=5)] = 30,
    as_json: inputs.AsJson = False,
) -> None:
    """Sort files of CI results by time and send them as they came, clock included. Exit code 1 when a row was refused.

    Jobs and readers of the namespace need ARGUS_NAMESPACE and ARGUS_CLOCK=replay.
    """
    from argus.topic_state import ever_written, partition_counts
    from argus.topics import ensure
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings
    from feature_store.log import producer
    from pipelines.replay import go_on_ticking
    from pipelines.replay import replay as send_again

    times = speed_of(speed)
    if not namespace:
        raise Misconfigured(
            "--namespace '' is the live one; a replay has its own clock and needs a namespace of its own"
        )
    settings = read_settings(namespace=namespace, clock="replay")
    paths, how = inputs.sources(
        files, github_export, settings, input_format, columns, preset,
        project=project, run=run, job=job, attempt=attempt, environment=environment, commit=commit, branch=branch,
    )  # fmt: skip
    ensure(settings, deadline_s=deadline_s)
    counts = partition_counts(settings, deadline_s=deadline_s)
    if used := ever_written(settings, counts, deadline_s=deadline_s):
        raise Misconfigured(f"--namespace {namespace} has been written to ({', '.join(used)}): choose another")
    refusals = inputs.Listed()
    size = sum(path.stat().st_size for path in paths)
    with inputs.bar(size, "reading", quiet=as_json) as moved:
        ordered = list(arrivals(paths, how, refusals, moved))
    sender = producer(
        settings.kafka,
        **{
            "linger.ms": 20 if times is None else 0,
            "compression.type": "lz4",
            "delivery.timeout.ms": round(deadline_s * 1000),
        },
    )
    began = time.monotonic()
    with inputs.bar(len(ordered), "replaying", quiet=as_json) as moved:
        done = send_again(
            ordered, producer=sender, partitions=counts, namespace=namespace, speed=times, clock=time.monotonic,
            sleep=time.sleep, on_progress=lambda sent, _clock_ms: moved(sent), stall_s=deadline_s,
        )  # fmt: skip
    took_s = time.monotonic() - began
    if as_json:
        told = {
            "events": done.events if done else 0, "ticks": done.ticks if done else 0,
            "first_ms": done and done.first_ms, "last_ms": done and done.last_ms, "clock_ms": done and done.clock_ms,
            "refused": refusals.count, "took_s": round(took_s, 3), "refusals": refusals.plain(),
        }  # fmt: skip
        print(json.dumps(told, indent=1), flush=True)
    else:
        refusals.show()
        sent = f"{done.events:,} events and {done.ticks:,} ticks" if done else "nothing"
        print(f"sent {sent}, refused {refusals.count:,} ({took_s:.1f} s)", flush=True)
    if keep and done:
        try:
            go_on_ticking(
                done.clock_ms, producer=sender, partitions=counts, namespace=namespace, clock=time.monotonic,
                sleep=time.sleep, on_progress=lambda _clock_ms: None, stall_s=deadline_s,
            )  # fmt: skip
        except KeyboardInterrupt:
            sender.flush(deadline_s)
    if refusals.count:
        raise typer.Exit(1)


def speed_of(text: str) -> float | None:
    """Times as fast as it came; None for `max`.

    >>> speed_of("60x"), speed_of("0.5"), speed_of("max")
    (60.0, 0.5, None)

    Raises Misconfigured.
    """
    from contracts.errors import Misconfigured

    if text == "max":
        return None
    if not (found := re.fullmatch(r"(\d{1,6}(?:\.\d+)?)x?", text)) or float(found[1]) == 0:
        raise Misconfigured(f"--speed {text!r} is neither max nor a number of times such as 60x")
    return float(found[1])


def arrivals(paths: list[Path], how: "Reading", refusals: inputs.Listed, moved: inputs.Moved) -> "Iterator[Arrival]":
    """Rows without secrets, arriving when their file says, else when they happened; an empty report has no time."""
    from gateway.ingest.files import rows
    from gateway.ingest.redaction import redacted
    from gateway.ingest.refusal import Refusal, refusal
    from gateway.ingest.row import event_ms
    from pipelines.replay import Arrival

    for row in rows(paths, how, moved):
        if isinstance(row, Refusal):
            refusals.add(row)
            continue
        at_ms = row.arrived_ms if row.arrived_ms is not None else event_ms(row.record)
        if at_ms is None:
            refusals.add(refusal(row.file, row.place, "tests", "", "has no test and so no time"))
        else:
            yield Arrival(redacted(row.record), at_ms)
