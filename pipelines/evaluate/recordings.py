"""What a folder holds of what can be judged: files of commits, and series with labelled windows.

Both lie in the folder itself, or commits in its jit/ and labelled series in its nab/. A file that is of neither form
is told by name and costs its neighbours nothing.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Misconfigured
from pipelines.evaluate import arrivals, nab

LABELS = "combined_windows.json"
"""The benchmark's own name; where it is not there, any other .json file is taken for labels."""
NAB_COLUMNS = {"timestamp", "value"}


@dataclass(frozen=True)
class Recordings:
    """`commits` are arrivals by series, in minutes since the epoch; `told` is what was left out or is missing."""

    commits: Mapping[str, NDArray[np.int64]]
    benchmark: tuple[nab.Series, ...]
    told: tuple[str, ...]


def find(data: Path) -> Recordings:
    """All that is usable. Raises Misconfigured, with everything that was left out, when nothing is."""
    if not data.is_dir():
        raise Misconfigured(f"{data}: is no folder; --data is one with commits or labelled series")
    told: list[str] = []
    labelled = tuple(_labelled([data, data / "nab"], told))
    commits: dict[str, NDArray[np.int64]] = {}
    for path in _tables(data, data / "jit"):
        if not _is_labelled(path):
            _take(commits, path, told)
    if not commits:
        told.append(f"no commits: no .csv or .jsonl file with the columns date and bug in {data} or {data / 'jit'}")
    if not any(one.windows for one in labelled):
        labelled = ()
        told.append(
            f"no labelled series: no .csv file with the columns timestamp and value and a window in {LABELS} "
            f"(or another .json file) in {data} or {data / 'nab'}"
        )
    if not commits and not labelled:
        raise Misconfigured("; ".join(told))
    return Recordings(commits, labelled, tuple(told))


def _take(commits: dict[str, NDArray[np.int64]], path: Path, told: list[str]) -> None:
    try:
        found = arrivals.read(path)
    except Misconfigured as refused:
        told.append(str(refused))
        return
    if twice := found.keys() & commits.keys():
        told.append(f"{path}: left out, another file has {sorted(twice)[0]}")
    else:
        commits.update(found)


def _labelled(folders: list[Path], told: list[str]) -> Iterator[nab.Series]:
    known = set()
    for folder in folders:
        paths = [folder / LABELS] if (folder / LABELS).exists() else sorted(folder.glob("*.json"))
        for labels in paths:
            try:
                windows = nab.read_labels(labels)
            except Misconfigured as refused:
                told.append(str(refused))
                continue
            for name in sorted(windows):
                path = next((at for at in (folder / "data" / name, folder / name) if at.is_file()), None)
                if path is None:
                    continue  # the benchmark has labels of more files than most copies of it
                known.add(path)
                try:
                    yield nab.read(path, name, windows[name])
                except Misconfigured as refused:
                    told.append(str(refused))
    told += [
        f"{path}: has timestamp and value, and no labels name it"
        for path in _tables(*folders)
        if path not in known and _is_labelled(path)
    ]


def _tables(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*")) if path.suffix in {".csv", ".jsonl"}]


def _is_labelled(path: Path) -> bool:
    """Whether its first line has a column of a labelled series, and none of commits."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns = set(next(csv.reader(file), []))
            return path.suffix == ".csv" and "date" not in columns and bool(columns & NAB_COLUMNS)
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
