"""What senders tell of a commit alike: whose it is, whether it fixes something, and which files it changes.

A message tells of a fix when its first line has one of the words fix, fixes, fixed, fixing, bugfix, hotfix, bug or bugs
or begins with `Revert "`, or when any line of it says that it fixes an issue by number (`Fixes #12`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec

from contracts.records import LONGEST_PATH, MOST_FILES, Change
from gateway.ingest.authors import Authors
from gateway.ingest.claims import Claim, Fields, listed, time_ms, within
from gateway.ingest.row import LARGEST_PART

BRANCHES = "refs/heads/"
REDACTED = "[REDACTED]"
"""What GitLab tells in place of an address that is not public."""
_AROUND = 90
"""Bytes of a file in a record beside its path, at most: names of fields, its status and two numbers of 16 digits."""
_FIX = re.compile(r"\b(?:fix(?:es|ed|ing)?|(?:bug|hot)fix(?:es)?|bugs?)\b", re.IGNORECASE)
_FIXES = re.compile(r"\bfix(?:es|ed)?:? #[0-9]", re.IGNORECASE)
_BOT = re.compile(r"\[bot\](?:@|$)|^(?:project|group)_[0-9]+_bot(?:[_@]|$)", re.IGNORECASE)


def is_fix(message: object) -> bool:
    """Whether a commit's message, or title and text of a request to merge, tells of a fix.

    >>> is_fix("Repair the door\\n\\nFixes #12"), is_fix('Revert "Add a door"'), is_fix("Add a prefix\\n\\nno bug")
    (True, True, False)
    """
    if not isinstance(message, str):
        return False
    first = message.lstrip().partition("\n")[0]
    return bool(_FIX.search(first) or first.startswith('Revert "') or _FIXES.search(message))


def trigger(*names: object) -> str | None:
    """`bot` where a login or an address is one that GitHub or GitLab give to bots alone, None where there is none.

    >>> trigger(None, "49699333+dependabot[bot]@users.noreply.github.com"), trigger("project_7_bot_a1"), trigger("ann")
    ('bot', 'bot', 'human')
    """
    told = list(_told(names))
    if not told:
        return None
    return "bot" if any(_BOT.search(name) for name in told) else "human"


def author(authors: Authors, project: object, *names: object) -> str | None:
    """What stands for the first of these names that is told."""
    told = next(_told(names), None)
    return authors(project, told) if isinstance(project, str) else None


def _told(names: Iterable[object]) -> Iterator[str]:
    return (name for name in names if isinstance(name, str) and name not in ("", REDACTED))


def files(found: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """`files`, the first of them as far as one record holds them, and `files_changed`, which counts all."""
    kept: list[Mapping[str, object]] = []
    count = size = 0
    for file in found:
        count += 1
        path = file["path"]
        if isinstance(path, str) and 0 < len(path) <= LONGEST_PATH:
            size += _AROUND + len(msgspec.json.encode(path))
            if size <= LARGEST_PART and len(kept) < MOST_FILES:
                kept.append(file)
    return {"files": kept, "files_changed": count}


def pushed(fields: Fields, project: object, authors: Authors) -> Iterator[Claim]:
    """The commits of a push to a branch, as GitHub and GitLab tell them alike; a tag's push tells of none."""
    ref = fields.get("ref")
    if isinstance(ref, str) and ref.startswith(BRANCHES):
        for number, commit in enumerate(listed(fields, "commits")):
            told = partial(_commit, commit, project, ref.removeprefix(BRANCHES), authors)
            yield Claim(f"commits[{number}]", Change, told)


def _commit(commit: object, project: object, branch: str, authors: Authors) -> dict[str, object]:
    login, address = within(commit, "author", "username"), within(commit, "author", "email")
    lists = {status: listed(commit, status) for status in ("added", "modified", "removed")}
    return {
        "project": project,
        "commit": within(commit, "id"),
        "committed_ms": time_ms("timestamp", within(commit, "timestamp")),
        "branch": branch,
        "author": author(authors, project, login, address),
        "trigger": trigger(login, address),
        "is_fix": is_fix(within(commit, "message")),
        **files({"path": path, "status": status} for status, paths in lists.items() for path in paths),
        "url": within(commit, "url"),
    }
