"""`argus ingest`: files of CI results into the namespace's topics."""

import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from argus.commands import inputs
from argus.commands.inputs import InputFormat


def ingest(
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
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="move all event times by whole minutes so that the newest is now")
    ] = False,
    deadline_s: Annotated[float, typer.Option(help="seconds without an answer of the broker", min=5)] = 30,
    as_json: inputs.AsJson = False,
) -> None:
    """Read files of CI results and publish them, each acknowledged. Exit code 1 when a row was refused.

    JSON Lines of our records, JUnit XML, CSV of job results, or saved answers of GitHub's API. Rows older than 24 h or
    more than 5 minutes in the future are refused.
    """
    from argus.topic_state import partition_counts
    from contracts.delivery import Delivery
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings
    from feature_store.log import producer
    from gateway.aliases import TestAliases
    from gateway.ingest.files import newest_ms, rows, shift_to
    from gateway.ingest.publish import publish
    from gateway.ingest.row import live
    from gateway.remembered import Remembered

    settings = read_settings()
    if settings.clock == "replay":
        raise Misconfigured(f"the clock of namespace {settings.namespace!r} is a replay's: use `argus replay`")
    paths, how = inputs.sources(
        files, github_export, settings, input_format, columns, preset,
        project=project, run=run, job=job, attempt=attempt, environment=environment, commit=commit, branch=branch,
    )  # fmt: skip
    partition_counts(settings, deadline_s=deadline_s)
    size = sum(path.stat().st_size for path in paths)
    refusals = inputs.Listed()
    now_ms, by_ms = time.time_ns() // 1_000_000, 0
    if shift_to_now:
        with inputs.bar(size, "reading", quiet=as_json) as moved:
            newest = newest_ms(rows(paths, how, moved))
        by_ms = shift_to(now_ms, newest) if newest is not None else 0
    began = time.monotonic()
    sender = producer(
        settings.kafka,
        **{"linger.ms": 20, "compression.type": "lz4", "delivery.timeout.ms": round(deadline_s * 1000)},
    )
    aliases = Remembered(TestAliases.of(settings, partial(datetime.now, UTC)).known, time.monotonic)
    delivery = Delivery(sender, stall_s=deadline_s, clock=time.monotonic)
    with inputs.bar(size, "publishing", quiet=as_json) as moved:
        accepted = publish(
            live(rows(paths, how, moved), now_ms=now_ms, by_ms=by_ms),
            delivery=delivery, aliases=aliases, namespace=settings.namespace, on_refusal=refusals.add,
        )  # fmt: skip
    took_s = time.monotonic() - began
    if as_json:
        told = {
            "accepted": accepted, "refused": refusals.count, "shifted_ms": by_ms, "took_s": round(took_s, 3),
            "refusals": refusals.plain(),
        }  # fmt: skip
        print(json.dumps(told, indent=1))
    else:
        refusals.show()
        shifted = f", moved by {by_ms // 60_000:+,} min" if by_ms else ""
        print(f"accepted {accepted:,}, refused {refusals.count:,}{shifted} ({took_s:.1f} s)")
    if refusals.count:
        raise typer.Exit(1)
