"""`argus topics`: the topics that the settings' namespace needs."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="Topics: create and correct them.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """Topics: create and correct them."""


@app.command()
def ensure(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    deadline_s: Annotated[float, typer.Option(help="seconds to wait for the broker", min=1)] = 30,
) -> None:
    """Create the topics of this namespace, correct their settings, refuse what cannot be corrected."""
    from argus.topics import ensure as ensure_topics
    from contracts.settings import read_settings

    changes = ensure_topics(read_settings(), deadline_s=deadline_s, dry_run=dry_run)
    if as_json:
        print(json.dumps([asdict(change) for change in changes], indent=1))
        return
    for change in changes:
        action = f"would be {change.action}" if dry_run and change.action != "kept" else change.action
        print(f"{action:{18 if dry_run else 9}}  {change.topic}  ({change.detail})")
