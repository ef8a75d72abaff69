"""`argus tests`: what tests are called."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from argus.commands.tenants import ACTOR

if TYPE_CHECKING:
    from gateway.aliases import TestAliases

app = typer.Typer(help="Tests: which were renamed.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="<tenant>/<name>")]
Old = Annotated[str, typer.Argument(metavar="OLD", help="id of the test as it was, suites::classname::name")]


@app.command("alias")
def alias(project: Project, old: Old, new: Annotated[str, typer.Argument(metavar="NEW", help="as it is now")]) -> None:
    """Take what comes in under a test's old id for the new one, from the next few seconds on.

    What came in before stays as it is. A test renamed twice is followed to its last name.
    """
    _registry().add(project, old, new, ACTOR)
    print(f"{old} is {new} in {project}")


@app.command("aliases")
def aliases(project: Project, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Print the tests of a project that were renamed, the oldest first."""
    found = _registry().listed(project)
    if as_json:
        told = [{"old": one.old, "new": one.new, "since": one.since.isoformat(timespec="seconds")} for one in found]
        print(json.dumps(told, indent=1))
        return
    for one in found:
        print(f"{one.since:%Y-%m-%d %H:%M}  {one.old} -> {one.new}")


@app.command("unalias")
def unalias(project: Project, old: Old) -> None:
    """Take a test's old id for a test of its own again, from the next few seconds on."""
    _registry().remove(project, old, ACTOR)
    print(f"{old} is a test of its own in {project}")


def _registry() -> "TestAliases":
    from datetime import UTC, datetime
    from functools import partial

    from contracts.settings import read_settings
    from gateway.aliases import TestAliases

    return TestAliases.of(read_settings(), partial(datetime.now, UTC))
