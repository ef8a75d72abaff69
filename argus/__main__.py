"""`argus`: every command, each group in its module under argus/commands."""

import sys

import typer

from argus.commands import (
    bench,
    dead_letters,
    demo,
    docs,
    evaluate,
    faults,
    features,
    gateway,
    ingest,
    insights,
    jobs,
    replay,
    schedule,
    simulate,
    stack,
    tenants,
    tests,
    topics,
    writers,
)
from contracts.errors import ArgusError

app = typer.Typer(
    name="argus",
    help="Streaming CI intelligence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(topics.app, name="topics")
app.command("ingest")(ingest.ingest)
app.command("replay")(replay.replay)
app.command("simulate")(simulate.simulate)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("docs")(docs.docs)
app.command("bench")(bench.bench)
app.command("faults")(faults.faults)
app.command("evaluate")(evaluate.evaluate)
app.command("demo")(demo.demo)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("doctor")(stack.doctor)
app.command("jars")(stack.jars)
app.command("submit")(jobs.submit)
app.command("jobs")(jobs.jobs)
app.command("stop")(jobs.stop)
app.command("online-writer")(writers.online_writer)
app.command("history-writer")(writers.history_writer)
app.command("migrate")(writers.migrate)
app.command("schedule")(schedule.schedule)
app.add_typer(features.app, name="features")
app.add_typer(insights.app, name="insights")
app.command("gateway")(gateway.gateway)
app.add_typer(tenants.tenants, name="tenant")
app.add_typer(tenants.tokens, name="token")
app.add_typer(tenants.audit, name="audit")
app.add_typer(tests.app, name="tests")
app.command("tick")(gateway.tick)


def main() -> None:
    """The entry point: what a person can mend is told in one line, anything else is a bug and shows its trace."""
    try:
        app()
    except ArgusError as told:
        print(f"argus: {told}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
