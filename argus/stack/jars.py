"""The jars: Kafka's broker and Flink's Kafka connector, fetched once, checked against the lock at every start.

The lock names each jar with its coordinate, so nothing is resolved: what is fetched is what was locked.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".jars"
LOCK = Path(__file__).with_name("jars.lock")

UNVERIFIED = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote")
"""For a JVM that runs locked jars alone: their bytecode is what it was, and verifying it is a tenth of every start."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock: `path` is below the folder of jars, `coordinate` is group:artifact:version."""

    sha256: str
    path: str
    coordinate: str


Fetch = Callable[[list[Jar], Path], None]
"""Puts what it can get of the jars into a folder, by file name. Whether it is right is checked afterwards."""


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of the lock."""
    return [Jar(*line.split()) for line in lock.read_text().splitlines()]


def intact(jar: Jar, folder: Path) -> bool:
    """Whether the jar is there, whole and the locked one."""
    path = folder / jar.path
    return path.is_file() and sha256(path) == jar.sha256


def wrong(jars: Iterable[Jar], folder: Path = FOLDER) -> list[Jar]:
    """Those that are missing or differ from the lock."""
    jars = list(jars)
    with ThreadPoolExecutor(4) as pool:  # hashing lets other threads run
        return [
            jar for jar, good in zip(jars, pool.map(lambda jar: intact(jar, folder), jars), strict=True) if not good
        ]


def ensure(
    jars: list[Jar], folder: Path, ways: Sequence[Fetch], *, told: Callable[[str], None] = lambda _: None
) -> int:
    """Make the folder hold exactly the locked jars; returns how many were fetched.

    The ways to get them are tried in turn. A jar reaches its place by a rename, after its hash was found right.
    Raises Unavailable when some cannot be got.
    """
    missing = wrong(jars, folder)
    fetched = len(missing)
    for attempt, way in enumerate(ways, 1):
        if not missing:
            break
        told(f"fetching {len(missing)} of {len(jars)} jars" + (f", attempt {attempt}" if attempt > 1 else ""))
        folder.mkdir(parents=True, exist_ok=True)
        # a new folder each time: a truncated file in some cache would be taken for good by either way
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as fresh:
            way(missing, Path(fresh))
            for jar in missing:
                _take(jar, Path(fresh), folder)
        missing = wrong(missing, folder)
    if missing:
        raise Unavailable(
            f"{len(missing)} jars could not be fetched or differ from {LOCK.name} ({missing[0].path}, …): is the "
            f"network there? `argus jars` tries again; the jars may also be copied to {folder}"
        )
    _drop_others(jars, folder)
    return fetched


def _take(jar: Jar, fresh: Path, folder: Path) -> None:
    got = fresh / Path(jar.path).name
    target = folder / jar.path
    target.unlink(missing_ok=True)  # whatever lies there is not the locked one
    if got.is_file() and sha256(got) == jar.sha256:
        target.parent.mkdir(exist_ok=True)
        os.replace(got, target)


def _drop_others(jars: list[Jar], folder: Path) -> None:
    """A class path is a whole folder: a jar of an older lock must not stay on it."""
    wanted = {jar.path for jar in jars}
    for path in folder.glob("*/*.jar"):
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
