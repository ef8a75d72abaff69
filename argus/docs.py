"""The generated documents under docs/: written, checked, and held to the promises of the schemas that lie there."""

import json
from collections.abc import Callable
from pathlib import Path

import typer

from argus.pages import commands_page, features_page, jobs_page, metrics_page, schema, settings_page, topics_page
from contracts.compatibility import incompatibilities
from contracts.errors import Misconfigured
from contracts.topics import TOPICS


def documents(app: typer.Typer) -> dict[str, str]:
    """Every generated document by its path under docs/."""
    pages: dict[str, Callable[[], str]] = {
        "settings.md": settings_page,
        "topics.md": topics_page,
        "features.md": features_page,
        "metrics.md": metrics_page,
        "jobs.md": jobs_page,
        "commands.md": lambda: commands_page(app),
    }
    schemas = {f"schemas/{topic.name}.json": json.dumps(schema(topic), indent=2) + "\n" for topic in TOPICS}
    return {path: write() for path, write in pages.items()} | schemas


def outdated(folder: Path, wanted: dict[str, str]) -> list[str]:
    """The documents in `folder` that are missing, differ from `wanted`, or describe a topic that is gone."""
    stale = [path for path, text in wanted.items() if not _is(folder / path, text)]
    return stale + sorted({f"schemas/{file.name}" for file in folder.glob("schemas/*.json")} - set(wanted))


def broken_promises(folder: Path, wanted: dict[str, str]) -> list[str]:
    """What the committed schemas promised to readers and writers and the code no longer keeps."""
    return [
        f"{path}: {told}"
        for path, text in wanted.items()
        if path.startswith("schemas/") and (folder / path).exists()
        for told in incompatibilities(json.loads((folder / path).read_text()), json.loads(text))
    ]


def write(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Write what is outdated; the paths written or removed.

    Raises Misconfigured, and writes nothing, when a schema would break its promise.
    """
    if broken := broken_promises(folder, wanted):
        raise Misconfigured(
            "records on topics may only gain optional fields:\n  " + "\n  ".join(broken)
            + "\nkeep the field, add one with a default, or give the record a new topic"
        )  # fmt: skip
    stale = outdated(folder, wanted)
    for path in stale:
        target = folder / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path])
        else:
            target.unlink()
    return stale


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text
