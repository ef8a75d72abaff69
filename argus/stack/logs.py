"""A log file per child, capped: a child appends, so its file can be cut while it writes."""

import os
import shutil
from pathlib import Path
from typing import IO

CAP_BYTES = 16 << 20
"""Size at which a log is put aside as `<name>.log.1`; with that one there are never more than about two caps."""


def log_path(data: Path, name: str) -> Path:
    """Where the child of this name logs."""
    return data / "log" / f"{name}.log"


def opened_log(data: Path, name: str) -> IO[bytes]:
    """The child's log, to be handed to it: every write goes to the end of what is there then."""
    return log_path(data, name).open("ab")


def cap(path: Path, cap_bytes: int = CAP_BYTES) -> bool:
    """Put a log aside when it is over its cap. A line written in the meantime may be lost; returns whether it was."""
    if not path.exists() or path.stat().st_size <= cap_bytes:
        return False
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int = 5, *, since: int = 0) -> str:
    """The last lines of a log, of what was written after byte `since`."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= size else 0, size - 8192))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(line[:400] for line in text.splitlines()[-lines:])
