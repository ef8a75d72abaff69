"""`argus insights`: what was noticed, as it comes, and what people say to it."""

import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from argus.calls import Gateway

app = typer.Typer(help="Insights: incidents of projects, and feedback.")

AGAIN_S = 2.0
PIPED_WIDTH = 200


class State(StrEnum):
    """How an incident stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


class Feed(StrEnum):
    """What is less likely than the project's alpha, what pages somebody, whatever was noticed."""

    PROJECT = "project"
    PAGING = "paging"
    ALL = "all"


class Says(StrEnum):
    """What can be said to an incident or a project."""

    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    UNMUTED = "unmuted"
    USEFUL = "useful"
    NOT_USEFUL = "not_useful"


@app.callback(invoke_without_command=True)
def insights(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="<tenant>/<name>")] = None,
    state: Annotated[State, typer.Option(help="how they stand now")] = State.ALL,
    feed: Annotated[Feed, typer.Option(help="all is whatever was noticed, muted or not")] = Feed.PROJECT,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="the newest so many")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="go on and print what comes, until interrupted")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one object a line")] = False,
) -> None:
    """List incidents of the gateway's projects, the newest first; --follow prints what comes then.

    Asks the gateway of ARGUS_GATEWAY with ARGUS_ADMIN_TOKEN.
    """
    if context.invoked_subcommand is not None:
        return
    gateway = _gateway()
    asked = {"project": project, "feed": feed.value}
    # first of all where the stream begins: what comes while the list is made, or an interruption lasts, is not missed;
    # a name that nobody has stands for the last 24 h, in which there was nothing
    newest = gateway.get("/insights", {**asked, "limit": 1})["incidents"] if follow else []
    _show(gateway.get("/insights", {**asked, "state": state.value, "limit": limit})["incidents"], as_json=as_json)
    if follow:
        _follow(gateway, asked, newest[0]["insight"] if newest else "none", as_json=as_json)


@app.command("feedback")
def feedback(
    subject: Annotated[str, typer.Argument(help="the incident, or a project with --whole-project")],
    says: Annotated[Says, typer.Option(help="what to say")],
    hours: Annotated[float | None, typer.Option(min=0, help="muted: for so long; until unmuted if not given")] = None,
    note: Annotated[str | None, typer.Option(help="why")] = None,
    whole_project: Annotated[bool, typer.Option("--whole-project", help="SUBJECT is <tenant>/<name>")] = False,
) -> None:
    """Acknowledge or mute an incident, or say whether it was useful; it takes effect within a second."""
    import time
    from urllib.parse import quote

    until_ms = None if hours is None else time.time_ns() // 1_000_000 + round(hours * 3_600_000)
    path = f"/{'projects' if whole_project else 'insights'}/{quote(subject)}/feedback"
    told = _gateway().post(path, {"says": says.value, "until_ms": until_ms, "note": note})
    print(f"{told['project']}: {_text(told['subject'])} {told['says']}")


def _follow(gateway: "Gateway", asked: dict[str, Any], last: str | None, *, as_json: bool) -> None:
    import time

    from argus.calls import followed
    from contracts.errors import Unavailable

    def broke(why: Unavailable | None) -> None:
        print(f"argus: {why or 'the stream has ended'}; trying again", file=sys.stderr)
        time.sleep(AGAIN_S)

    def connect(behind: str | None) -> Iterable[bytes]:
        return gateway.lines("/ai/insights/stream", {**asked, "last_event_id": behind})

    try:
        for event in followed(connect, last, broke):
            one = json.loads(event["data"])
            print(json.dumps(one) if as_json else _line(one), flush=True)
    except KeyboardInterrupt:
        return


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        for one in found:
            print(json.dumps(one))
        return
    table = Table("severity", "project", "state", "since", "title", "subject", box=None, pad_edge=False)
    for one in found:
        cells = (one["severity"], one["project"], _state(one), _when(one["opened_ms"]), one["title"], one["subject"])
        table.add_row(*(Text(_text(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table, highlight=False)
    print(f"{len(found)} incidents")


def _state(one: dict[str, Any]) -> str:
    """As it stands, and whether somebody looks after it or has muted it."""
    words = [word for word in ("acknowledged", "muted") if one["feedback"][word]]
    return ", ".join([one["state"], *words])


def _line(one: dict[str, Any]) -> str:
    told = (_when(one["at_ms"]), f"{one['severity']:8}", f"{one['state']:9}", one["project"], one["title"])
    return "  ".join(map(_text, (*told, one["subject"])))


def _text(text: str) -> str:
    from argus.dead_letters import visible

    return visible(text.encode(errors="replace"))


def _when(at_ms: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}Z"


def _gateway() -> "Gateway":
    from argus.calls import Gateway
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings

    settings = read_settings()
    if settings.admin_token is None:
        raise Misconfigured("ARGUS_ADMIN_TOKEN is not set: the gateway is to know who asks")
    return Gateway(settings.gateway, settings.admin_token.get_secret_value())
