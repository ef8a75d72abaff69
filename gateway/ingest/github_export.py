"""Saved answers of GitHub's REST API, one JSON document a file, read as its webhooks are.

An object is told by a field that no other has. Which repository it belongs to is in its address.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from contracts.errors import BadRecord, Misconfigured
from contracts.records import Change
from gateway.ingest import changes, github
from gateway.ingest.authors import Authors
from gateway.ingest.body import MIB
from gateway.ingest.claims import Claim, Fields, called, document, listed, rows, text, time_ms, within
from gateway.ingest.refusal import Refusal, refused
from gateway.ingest.row import BOM, Row

LARGEST = 25 * MIB
"""Bytes of one file: a document is read whole."""
_PAGES = ("workflow_runs", "jobs")
_EVENTS = {
    "jobs_url": "workflow_run", "run_url": "workflow_job", "merged_at": "pull_request", "parents": "commit",
    "deployment_url": "deployment_status", "task": "deployment",
}  # fmt: skip
"""By the field that tells one: the object's name in the event that would have told it."""
_ACTIONS = {"pull_request": "opened", "deployment_status": "created", "deployment": "created"}
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)/")
_STATUSES = {"added": "added", "copied": "added", "removed": "removed", "modified": "modified", "changed": "modified",
             "renamed": "renamed", "unchanged": None}  # fmt: skip


@dataclass(frozen=True)
class Export:
    """Whose an object is that does not say so, how authors are called, and the deployments by their addresses."""

    project: str | None
    authors: Authors
    deployments: Mapping[str, Fields]


def found(folder: Path) -> list[Path]:
    """The documents of a folder, all *.json below it; raises Misconfigured where there is none."""
    below = sorted(one for one in folder.rglob("*.json") if one.is_file())
    if not below:
        raise Misconfigured(f"--github-export {folder} has no *.json below it")
    return below


def export(files: Iterable[Path], project: str | None, authors: Authors) -> Export:
    """How these files are read: a deployment's statuses do not say what it deploys, but it does itself."""
    deployments: dict[str, Fields] = {}
    for file in files:
        with file.open("rb") as stream:
            try:
                for one in _objects(_document(stream)):
                    if _event(one) == "deployment" and isinstance(one.get("url"), str):
                        kept = ("id", "sha", "ref", "environment", "original_environment", "created_at")
                        deployments[one["url"]] = {name: one[name] for name in kept if name in one}
            except BadRecord:
                continue  # it is refused by name when its rows are read
    return Export(project, authors, deployments)


def read(stream: BinaryIO, file: str, how: Export) -> Iterator[Row | Refusal]:
    """The rows of one document; `file` is how a refusal calls it."""
    try:
        objects = list(_objects(_document(stream)))
    except BadRecord as bad:
        yield refused(file, "file", bad)
        return
    for number, one in enumerate(objects, start=1):
        place = f"element {number}"
        try:
            claims = list(_claims(one, how))
        except BadRecord as bad:
            yield refused(file, place, bad)
        else:
            yield from rows((claim._replace(place=place) for claim in claims), file)


def _document(stream: BinaryIO) -> object:
    whole = stream.read(LARGEST + 1)
    if len(whole) > LARGEST:
        raise BadRecord("size", LARGEST, "bytes are the most a document may have: save fewer pages in one file")
    return document(whole.removeprefix(BOM))


def _objects(whole: object) -> Iterator[Any]:
    """What a document holds: an object, an array or an object of them, or an array of such pages."""
    pages: list[Any] = whole if isinstance(whole, list) else [whole]
    for page in pages:
        held = next((name for name in _PAGES if isinstance(within(page, name), list)), None)
        yield from page if isinstance(page, list) else page[held] if held else [page]


def _event(one: object) -> str | None:
    return next((name for key, name in _EVENTS.items() if isinstance(one, Mapping) and key in one), None)


def _claims(one: Any, how: Export) -> Iterator[Claim]:
    """What one object tells. Raises BadRecord where it is none of those that are read, or does not say whose it is."""
    event = _event(one)
    if event is None:
        raise BadRecord("element", one, "is no run, job, pull request, commit, deployment or status of a deployment")
    project = _project(one, how)
    if event == "commit":
        yield Claim(event, Change, partial(_commit, one, project, how.authors))
        return
    fields = {"action": _ACTIONS.get(event, one.get("status")), event: one, "repository": {"full_name": project}}
    if event == "deployment_status":
        fields["deployment"] = _deployment(one, how)
    yield from github.claims(fields, {}, how.authors)


def _project(one: Fields, how: Export) -> str:
    url = one.get("url")
    told = _REPOSITORY.search(url) if isinstance(url, str) else None
    if told is None and how.project is None:
        raise BadRecord("url", url, "does not say whose it is: give --project <tenant>/<name>")
    return told[1] if told else str(how.project)


def _deployment(status: Fields, how: Export) -> Fields:
    url = status.get("deployment_url")
    if not isinstance(url, str):
        raise BadRecord("deployment_url", url, "does not say which deployment it is")
    return how.deployments.get(url, {"id": url.rpartition("/")[2]})


def _commit(one: Fields, project: str, authors: Authors) -> dict[str, object]:
    """As a push tells it, without the branch; one that was asked for by itself has its files and lines."""
    login, address = within(one, "author", "login"), within(one, "commit", "author", "email")
    changed = {}
    if "files" in one:
        changed = changes.files(
            {"path": within(file, "filename"), "status": called(_STATUSES, within(file, "status")),
             "added": within(file, "additions"), "removed": within(file, "deletions")}
            for file in listed(one, "files")
        )  # fmt: skip
    return {
        "project": project,
        "commit": text(one.get("sha")),
        "committed_ms": time_ms("date", within(one, "commit", "committer", "date")),
        "author": changes.author(authors, project, login, address),
        "trigger": changes.trigger(login, address),
        "is_fix": changes.is_fix(within(one, "commit", "message")),
        **changed,
        "lines_added": within(one, "stats", "additions"),
        "lines_removed": within(one, "stats", "deletions"),
        "url": one.get("html_url"),
    }
