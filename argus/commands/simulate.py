"""`argus simulate`: a CI history made up from a seed, and its truth."""

import json
from pathlib import Path
from typing import Annotated

import typer


def simulate(
    out: Annotated[Path, typer.Option(help="where the events go: JSON Lines in the order of arrival")],
    truth: Annotated[Path, typer.Option(help="where the truth goes: JSON Lines")],
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    projects: Annotated[int, typer.Option(min=1, max=1000, help="number of projects")] = 8,
    hours: Annotated[float, typer.Option(min=0.1, max=8784, help="length of the history")] = 24,
    start: Annotated[str | None, typer.Option(help="begin, ISO 8601, UTC; default a Monday of 2026")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Make up a CI history with load by hour and weekday, retries, flaky tests, regressions, outages and late events.

    Send it with `argus replay OUT --speed max --namespace NAME`.
    """
    from gateway.ingest.csv import epoch_ms
    from pipelines.simulate import line_json, truth_json
    from pipelines.simulate import simulate as made_up
    from pipelines.world import World

    world = World(seed=seed, projects=projects, hours=hours)
    if start is not None:
        world = World(seed=seed, projects=projects, hours=hours, start_ms=epoch_ms("--start", start))
    simulated = made_up(world)
    with out.open("wb") as events:
        events.writelines(line_json(line) for line in simulated.lines)
    with truth.open("wb") as facts:
        facts.writelines(truth_json(world, simulated))
    failing = sum(line.record.outcome in ("failure", "timeout") for line in simulated.lines)
    told = {"events": len(simulated.lines), "failing": failing, "incidents": len(simulated.incidents)}
    print(
        json.dumps(told) if as_json else f"{told['events']:,} events ({failing:,} failing) in {out}, truth in {truth}"
    )
