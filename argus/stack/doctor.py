"""What keeps an embedded stack from starting or from being right, each with its remedy."""

import os
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from argus.stack import jars
from argus.stack.children import ADDRESSES
from argus.stack.folder import holder_of, read_known
from argus.stack.leftovers import left
from argus.stack.ports import free
from argus.stack.process import Account
from argus.stack.status import Status
from contracts.errors import Misconfigured

DISK_GB = 3.0
MEMORY_GB = 2.5
OPEN_FILES = 1024
PROGRAMS = ("bash", "tee", "python")
"""What Flink starts its Python workers with; they are looked up beside our interpreter first."""

PRIVATE = ("argus.env", "stack.json", "status.json", "valkey/valkey.conf")


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` is what to do, empty when it is well."""

    about: str
    told: str
    remedy: str = ""


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The only interpreter that the wheels of Flink and Postgres share."""
    told = ".".join(map(str, version))
    wrong = version[:2] != (3, 11)
    return Finding("python", told, "use Python 3.11: `make clean setup PYTHON=/path/to/python3.11`" if wrong else "")


def wheels(lock: Path, installed: Mapping[str, str]) -> Finding:
    """Whether what is installed is what is locked."""
    try:
        packages = tomllib.loads(lock.read_text())["package"]
    except FileNotFoundError:
        return Finding("wheels", f"no {lock.name}: installed as a package")
    locked = {one["name"]: one["version"] for one in packages if "version" in one}
    ours = next(one for one in packages if one["name"] == "argus")
    wanted = {one["name"] for one in ours["dependencies"]}
    wrong = [
        f"{name} {installed.get(name, 'missing')}, locked {locked[name]}"
        for name in sorted(wanted)
        if installed.get(name) != locked[name]
    ]
    told = "; ".join(wrong) or f"{len(wanted)} as locked"
    return Finding("wheels", told, "run `make setup`" if wrong else "")


def installed() -> dict[str, str]:
    """Versions of what is installed, by normalised name."""
    return {
        one.metadata["Name"].lower().replace("_", "-"): one.version
        for one in metadata.distributions()
        if one.metadata["Name"]
    }


def jars_as_locked(folder: Path = jars.FOLDER) -> Finding:
    """Whether Kafka's and the connector's jars are whole."""
    missing = jars.wrong(jars.locked(), folder)
    told = f"{len(missing)} missing or damaged: {missing[0].path}" if missing else f"{len(jars.locked())} as locked"
    return Finding("jars", told, "run `argus jars`" if missing else "")


def programs(path: str) -> Finding:
    """The programs of the system that are needed."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    remedy = (
        "install them (Debian: apt-get install bash coreutils; `make setup` makes `python`) or put them on PATH"
        if missing
        else ""
    )
    return Finding("programs", f"missing: {', '.join(missing)}" if missing else ", ".join(PROGRAMS), remedy)


def disk(free_gb: float, data: Path) -> Finding:
    """Room for logs, state and checkpoints."""
    remedy = f"free {DISK_GB:.0f} GB there, or set ARGUS_DATA to a folder with more room" if free_gb < DISK_GB else ""
    return Finding("disk", f"{free_gb:.1f} GB free for {data}", remedy)


def memory(available_gb: float, running: bool) -> Finding:
    """Room for all children; one that runs has it already."""
    short = available_gb < MEMORY_GB and not running
    remedy = f"the stack takes up to {MEMORY_GB} GB: close something, or give the container more" if short else ""
    return Finding("memory", f"{available_gb:.1f} GB available", remedy)


def available_gb(meminfo: str, limits: Iterable[tuple[str, str]]) -> float:
    """Memory that is left, by /proc/meminfo and by pairs of a control group's limit and usage (bytes or "max")."""
    kilobytes = int(meminfo.split("MemAvailable:", 1)[1].split()[0])
    rooms = [int(limit) - int(used) for limit, used in limits if limit.strip().isdigit()]
    return min([kilobytes * 1024, *rooms]) / 1e9


def open_files(soft_limit: int) -> Finding:
    """The broker and RocksDB keep many files open."""
    remedy = f"raise it: `ulimit -n {4 * OPEN_FILES}`" if soft_limit < OPEN_FILES else ""
    return Finding("open files", f"at most {soft_limit}", remedy)


def environment(environ: Mapping[str, str], data: Path) -> Finding:
    """Variables that hide what `argus up` wrote."""
    hiding = sorted(name for name in ADDRESSES if name in environ) if (data / "argus.env").exists() else []
    told = f"{', '.join(hiding)} set: commands talk to that, not to the stack on {data}" if hiding else "nothing hidden"
    return Finding("environment", told, f"unset {' '.join(hiding)}, if that is not meant" if hiding else "")


def account(who: Account, data: Path) -> Finding:
    """Whether Postgres, which refuses to be root, can be somebody else in this folder."""
    if who.uid is None or who.namespace:
        return Finding("account", "Postgres runs in a user namespace" if who.namespace else "an ordinary user")
    closed = [folder for folder in data.parents if not folder.stat().st_mode & stat.S_IXOTH]
    told = f"Postgres runs as nobody, who cannot enter {closed[0]}" if closed else "Postgres runs as nobody"
    remedy = "set ARGUS_DATA to a folder that all may pass, or do not run as root" if closed else ""
    return Finding("account", told, remedy)


def folder(data: Path) -> Iterator[Finding]:
    """The data folder: rights, private files, remembered ports, what an earlier stack left."""
    if not data.exists():
        nearest = next(parent for parent in data.parents if parent.exists())
        remedy = "" if os.access(nearest, os.W_OK) else f"let {nearest} be written, or set ARGUS_DATA"
        yield Finding("data folder", f"{data} is not there yet", remedy)
        return
    able = os.access(data, os.W_OK | os.X_OK)
    told = str(data) if able else f"{data} cannot be written"
    yield Finding("data folder", told, "" if able else f"chown it to uid {os.geteuid()}, or set ARGUS_DATA")
    if not able:
        return
    open_to_all = [name for name in PRIVATE if (data / name).exists() and (data / name).stat().st_mode & 0o077]
    told = f"readable by others: {', '.join(open_to_all)}" if open_to_all else "for the owner alone"
    yield Finding(
        "secrets", told, f"chmod 600 {' '.join(str(data / one) for one in open_to_all)}" if open_to_all else ""
    )
    running = holder_of(data) is not None
    if not running:
        stale = [f"{child.name} (pid {child.pid})" for child in left(data)]
        told = f"left over: {', '.join(stale)}" if stale else "nothing left over"
        yield Finding("left-overs", told, "run `argus down`, or `argus up`, which stops them first" if stale else "")
    try:
        ports = read_known(data).ports
    except Misconfigured as damaged:
        yield Finding("memory of the stack", str(damaged), f"remove {data / 'stack.json'}")
        return
    taken = {name: port for name, port in ports.items() if not running and not free(port)}
    told = ", ".join(f"{name} {port}" for name, port in taken.items())
    remedy = "free them if clients rely on them; `argus up` takes others and writes argus.env anew" if taken else ""
    yield Finding("ports", f"taken: {told}" if taken else f"{len(ports)} remembered, none taken", remedy)


def stack(status: Status) -> Iterator[Finding]:
    """What a running stack says is wrong."""
    if status.phase == "failed":
        yield Finding("last start", status.reason, "mend that and run `argus up`")
    if status.phase not in ("starting", "ready"):
        return
    wrong = [f"{one.name} {one.state}: {one.reason}" for one in status.unready()]
    where = Path(status.data) / "log"
    yield Finding("stack", "; ".join(wrong) or "everything runs", f"see the logs in {where}" if wrong else "")


def clock(now_ms: int, others_ms: Mapping[str, int], newest_file_ms: int = 0) -> Finding:
    """Whether this machine, Postgres and the broker agree within 2 s, and time has not gone back."""
    wrong = [f"{name} is {(other - now_ms) / 1000:+.1f} s off" for name, other in others_ms.items()
             if abs(other - now_ms) > 2_000]  # fmt: skip
    if newest_file_ms > now_ms + 60_000:
        wrong.append(f"files were written {(newest_file_ms - now_ms) / 1000:.0f} s from now")
    told = "; ".join(wrong) or f"agrees with {', '.join(others_ms) or 'the files of the stack'}"
    return Finding("clock", told, "set the clocks by NTP (`timedatectl set-ntp true`)" if wrong else "")
