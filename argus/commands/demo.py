"""`argus demo`: watch a CI day go through the real servers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argus.commands import inputs
from argus.commands.inputs import InputFormat

if TYPE_CHECKING:
    from gateway.ingest.files import Reading
    from pipelines.replay import Arrival

SHOW_S = 70
"""How long a recording lasts on the screen where --speed says nothing."""
PLAIN_WIDTH = 120


def demo(
    recording: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="a recording; default a simulated CI day")
    ] = None,
    input_format: inputs.Format = InputFormat.AUTO,
    columns: inputs.Map = None,
    preset: inputs.Preset = None,
    speed: Annotated[
        str | None,
        typer.Option(metavar="60x|max", help=f"how many times as fast as it came; default: {SHOW_S} s in all"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="simulate another day")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running, its clock ticking on")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="data folder; default ARGUS_DATA or .argus")] = None,
) -> None:
    """Replay a CI day through Kafka, Flink, Valkey and Postgres on this machine, watch it, and count it again.

    Starts the embedded stack unless it runs, works in a namespace of its own, and removes that and stops the stack at
    the end. Exit code 1 when a row or a key is not as counted from the file.
    """
    import signal

    from rich.console import Console

    from argus.commands.replay import speed_of
    from argus.demo.company import folder
    from argus.demo.recording import SEED, write_day
    from argus.demo.recording import recording as counted
    from argus.demo.show import perform
    from argus.demo.stage import stage
    from argus.demo.steps import next_steps
    from argus.stack.folder import opened
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    times = speed_of(speed) if speed else None
    home = opened((read_settings(data=data) if data else read_settings()).data)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda code, _: _leave(128 + code))
    file, title = recording, f"{recording.name}" if recording else "a simulated CI day"
    if file is None:
        file = opened(folder(home)) / "day.jsonl"
        write_day(file, SEED if seed is None else seed)
    elif seed is not None:
        raise Misconfigured("--seed makes a day up and --from reads one: give one of them")
    how = inputs.reading_of(input_format, columns, preset)
    recorded = counted(_read(file, how))
    if not recorded.projects:
        raise Misconfigured(f"{file} holds no job execution: there is nothing to show")
    if speed is None:
        times = max(1.0, (recorded.last_ms - recorded.first_ms) / 1000 / SHOW_S)
    console.print(f"{title}: {len(recorded.arrivals):,} events of {len(recorded.projects):,} projects")
    extra = f" --preset {preset}" if preset else ""
    with (
        console.status("starting") as waiting,
        stage(home, keep=keep, told=lambda line: console.print(line, markup=False)) as on,
    ):
        waiting.stop()
        exact = perform(on, recorded, speed=times, title=title, console=console, keep=keep)
        steps = next_steps(on, recorded, file, keep=keep, extra=extra)
        waiting.update("" if keep else "taking everything away")
        waiting.start()
    console.print(steps, markup=False, soft_wrap=True)
    if not exact:
        raise typer.Exit(1)


def _read(file: Path, how: "Reading") -> "list[Arrival]":
    """All rows; those that cannot be used are told."""
    from argus.commands.replay import arrivals
    from gateway.ingest.files import found

    refusals = inputs.Listed()
    paths = found([file])
    with inputs.bar(sum(path.stat().st_size for path in paths), "reading", quiet=False) as moved:
        read = list(arrivals(paths, how, refusals, moved))
    refusals.show()
    return read


def _leave(code: int) -> None:
    raise SystemExit(code)
