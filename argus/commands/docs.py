"""`argus docs`: the generated documents, written or checked."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import Misconfigured


def docs(
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail when a document is not current")] = False,
    folder: Annotated[Path, typer.Option(help="where the documents lie")] = Path("docs"),
) -> None:
    """Write the documents and JSON Schemas that follow from the code: settings, topics, features, metrics, commands."""
    from argus.__main__ import app
    from argus.docs import documents, outdated, write

    wanted = documents(app)
    if check:
        if stale := outdated(folder, wanted):
            raise Misconfigured(f"not current: {', '.join(stale)} in {folder}; run `argus docs`")
        return
    for path in write(folder, wanted):
        print(folder / path)
