"""`argus dead-letters`: what readers could not use, shown without obeying it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from argus.dead_letters import Letters

app = typer.Typer(help="Dead letters: what a reader could not use.", no_args_is_help=True)

Reader = Annotated[str | None, typer.Option(help="only what this reader could not use, such as failure_velocity")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Deadline = Annotated[float, typer.Option(help="seconds to read the topic to its end", min=1)]


@app.command("list")
def list_letters(
    reader: Reader = None,
    reason: Annotated[str | None, typer.Option(help="only reasons that contain this")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most so many, the newest")] = 50,
    as_json: AsJson = False,
    deadline_s: Deadline = 60,
) -> None:
    """List the dead letters of this namespace, the newest first."""
    found = _read(deadline_s, reader=reader, reason=reason, origin=None)
    shown = [
        {
            "arrived": _when(one.at_ms),
            "reader": _text(one.letter.reader),
            "reason": _text(one.letter.reason),
            "origin": _text(one.letter.origin),
        }
        for one in found.letters[:limit]
    ]
    if as_json:
        print(json.dumps({"total": len(found.letters), "letters": shown, "unreadable": found.unreadable}, indent=1))
        return
    for row in shown:
        print("  ".join((row["arrived"], f"{row['reader']:18}", f"{row['reason']:18}", row["origin"])))
    print(f"{len(shown)} of {len(found.letters)} dead letters; see one with `argus dead-letters show ORIGIN`")
    if found.unreadable:
        print(f"{len(found.unreadable)} records are no dead letters, the first at {found.unreadable[0]}")


@app.command("show")
def show_letter(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="topic:partition:offset of the original")],
    reader: Reader = None,
    as_json: AsJson = False,
    deadline_s: Deadline = 60,
) -> None:
    """Show one dead letter whole: reason, key, headers and body as they were. Exit code 1 when there is none."""
    from argus.dead_letters import visible

    found = _read(deadline_s, reader=reader, reason=None, origin=origin)
    if not found.letters:
        print(f"no dead letter about {origin}" + (f" by {reader}" if reader else ""))
        raise typer.Exit(1)
    shown = [
        {
            "arrived": _when(one.at_ms),
            "reader": _text(one.letter.reader),
            "reason": _text(one.letter.reason),
            "origin": _text(one.letter.origin),
            "key": visible(one.letter.key),
            "headers": {_text(name): visible(value) for name, value in (one.letter.headers or {}).items()},
            "value": visible(one.letter.value),
        }
        for one in found.letters
    ]
    if as_json:
        print(json.dumps(shown, indent=1))
        return
    for row in shown:
        headers = row.pop("headers")
        for name, text in row.items():
            print(f"{name:8} {text}")
        for name, text in headers.items() if isinstance(headers, dict) else ():
            print(f"header   {name}: {text}")
        print()


@app.command("replay")
def replay_letters(
    origins: Annotated[
        list[str] | None, typer.Argument(metavar="ORIGIN...", help="topic:partition:offset of each original")
    ] = None,
    reader: Reader = None,
    reason: Annotated[str | None, typer.Option(help="only reasons that contain this")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be sent, and send nothing")] = False,
    as_json: AsJson = False,
    deadline_s: Deadline = 60,
) -> None:
    """Send the events of dead letters again, made anew from their bodies. Exit code 1 when one could not be.

    Headers and key follow from the body, so that what a broken producer left out is there now. What was sent leaves the
    dead letters; an event that a reader had counted already still counts once.
    """
    import time
    from datetime import UTC, datetime
    from functools import partial

    from argus.dead_letters import visible
    from argus.letters_again import send_again
    from contracts.delivery import Delivery
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings
    from feature_store.log import producer
    from gateway.aliases import TestAliases
    from gateway.remembered import Remembered

    if not (origins or reader or reason):
        raise Misconfigured("which letters? name their origins, or give --reader or --reason")
    settings = read_settings()
    if settings.clock == "replay":
        raise Misconfigured("the clock of this namespace is a replay's: mend the recording and replay it anew")
    found = _read(deadline_s, reader=reader, reason=reason, origin=None)
    letters = [one.letter for one in found.letters if not origins or one.letter.origin in origins]
    missing = sorted(set(origins or ()) - {one.origin for one in letters})
    told = send_again(
        letters,
        Remembered(TestAliases.of(settings, partial(datetime.now, UTC)).known, time.monotonic),
        namespace=settings.namespace,
        now_ms=time.time_ns() // 1_000_000,
        delivery=None if dry_run else Delivery(producer(settings.kafka), stall_s=deadline_s, clock=time.monotonic),
    )
    told.kept += [(origin, "there is no such dead letter") for origin in missing]
    if as_json:
        print(
            json.dumps({"sent": told.sent, "kept": [{"origin": at, "reason": why} for at, why in told.kept]}, indent=1)
        )
    else:
        for at in told.sent:
            print(f"{'would send' if dry_run else 'sent':10}  {_text(at)}")
        for at, why in told.kept:
            print(f"{'kept':10}  {_text(at)}: {visible(why.encode(errors='replace'))}")
        print(f"{len(told.sent)} {'would be ' if dry_run else ''}sent, {len(told.kept)} kept")
    if told.kept:
        raise typer.Exit(1)


def _read(deadline_s: float, *, reader: str | None, reason: str | None, origin: str | None) -> "Letters":
    from argus.dead_letters import dead_letters
    from contracts.settings import read_settings

    return dead_letters(
        read_settings(),
        deadline_s=deadline_s,
        wanted=lambda letter: (
            (reader is None or letter.reader == reader)
            and (reason is None or reason in letter.reason)
            and (origin is None or letter.origin == origin)
        ),
    )


def _text(text: str) -> str:
    from argus.dead_letters import visible

    return visible(text.encode(errors="surrogatepass"))


def _when(at_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
