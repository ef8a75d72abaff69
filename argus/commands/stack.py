"""`argus up`, `down`, `status`, `doctor`, `jars`: the embedded stack."""

import sys
from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option("--data", help="data folder; default ARGUS_DATA or .argus")]


def up(
    detach: Annotated[bool, typer.Option("--detach", help="return when everything is ready, leave it running")] = False,
    job: Annotated[list[str] | None, typer.Option("--job", help="job to run; default all, repeatable")] = None,
    no_jobs: Annotated[bool, typer.Option("--no-jobs", help="submit no jobs; those that ran before come back")] = False,
    data: Data = None,
) -> None:
    """Start Kafka, Valkey, Postgres, Flink, the writers, the gateway and the jobs on this machine."""
    from argus.stack.detached import start
    from argus.stack.progress import Progress
    from argus.stack.serve import serve
    from argus.submit import submit_all
    from contracts.errors import Misconfigured
    from contracts.jobs import JOBS

    wanted = () if no_jobs else tuple(job or JOBS)
    if unknown := [name for name in wanted if name not in JOBS]:
        raise Misconfigured(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    _fetch_jars()
    progress = Progress(_told)
    if detach:
        start(_folder(data), jobs=wanted, show=progress)
    else:
        serve(_folder(data), jobs=wanted, submit=submit_all, show=progress, told=_told)


def down(data: Data = None) -> None:
    """Stop the stack of this folder; its data stays, and jobs come back from their last checkpoint."""
    from argus.stack.detached import stop

    _told(stop(_folder(data), told=_told))


def status(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    data: Data = None,
) -> None:
    """Show what runs, what was restarted and why. Exit code 1 when something is not as it should be."""
    import msgspec

    from argus.stack.status import read_status
    from argus.stack.table import shown

    now = read_status(_folder(data))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(now), indent=1).decode())
    else:
        shown(now)
    if not now.healthy():
        raise typer.Exit(1)


def doctor(data: Data = None) -> None:
    """Look for what keeps the stack from starting or from being right, and name the remedy. Exit code 1 if any is."""
    import os

    from rich.console import Console

    from argus.stack.examine import examine
    from contracts.settings import read_settings

    console, wrong = Console(highlight=False), 0
    for finding in examine(read_settings(data=data) if data else read_settings(), dict(os.environ)):
        mark = "[red]wrong[/]" if finding.remedy else "[green]ok[/]   "
        console.print(f"{mark}  {finding.about:<12}", end=" ")
        console.print(finding.told + (f"\n       remedy: {finding.remedy}" if finding.remedy else ""), markup=False)
        wrong += bool(finding.remedy)
    if wrong:
        raise typer.Exit(1)


def jars(
    relock: Annotated[bool, typer.Option("--relock", help="resolve the versions anew and write the lock")] = False,
) -> None:
    """Fetch the jars of Kafka and of Flink's connector, or check those that are there against the lock."""
    from argus.stack.jars import FOLDER, locked

    if relock:
        from argus.stack.fetch import relock as resolve

        _told(f"{len(resolve())} jars locked")
    count = _fetch_jars()
    _told(f"{len(locked())} jars in {FOLDER} as locked, {count} fetched")


def _fetch_jars() -> int:
    from argus.stack.jars import FOLDER, ensure, locked, wrong

    if not wrong(locked()):
        return ensure(locked(), FOLDER, ())
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a dependency of the fetcher complains about XDG_RUNTIME_DIR
        from argus.stack.fetch import ways

    return ensure(locked(), FOLDER, ways(), told=_told)


def _folder(data: Path | None) -> Path:
    from contracts.settings import read_settings

    settings = read_settings(data=data) if data else read_settings()
    return settings.data.expanduser().resolve()


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
