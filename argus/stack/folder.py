"""The data folder of an embedded stack: one supervisor at a time, private files, ports and secrets that stay."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

import msgspec

from contracts.errors import Misconfigured


class Known(msgspec.Struct):
    """What a stack keeps between two starts: ports by name, secrets by name."""

    ports: dict[str, int] = {}
    secrets: dict[str, str] = {}

    def secret(self, name: str) -> str:
        """The secret of this name, made up at the first time."""
        return self.secrets.setdefault(name, secrets.token_hex(24))


_KNOWN = msgspec.json.Decoder(Known)


def opened(path: Path) -> Path:
    """The data folder, made if need be: absolute, private. Raises Misconfigured when it cannot be used."""
    path = path.expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("log", "jobs"):
            (path / name).mkdir(exist_ok=True, mode=0o700)
    except OSError as denied:
        raise Misconfigured(f"the data folder {path} cannot be made: {denied.strerror}; set ARGUS_DATA") from denied
    if not os.access(path, os.W_OK | os.X_OK):
        raise Misconfigured(f"the data folder {path} cannot be written by uid {os.geteuid()}; set ARGUS_DATA")
    return path


def lock(data: Path) -> IO[str]:
    """Hold the folder until the file is closed. Raises Misconfigured, naming the holder, when another has it."""
    file = (data / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as busy:
        holder = holder_of(data)
        file.close()
        raise Misconfigured(
            f"a stack runs on {data} already (supervisor pid {holder}); `argus status` shows it, `argus down` stops "
            "it, and ARGUS_DATA names another folder"
        ) from busy
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def holder_of(data: Path) -> int | None:
    """Pid of the supervisor that holds the folder, None when nobody does."""
    try:
        with (data / "lock").open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                told = file.read().strip()
                return int(told) if told else 0
    except FileNotFoundError:
        pass
    return None


def read_known(data: Path) -> Known:
    """What the last start left. Raises Misconfigured when the file is damaged."""
    try:
        return _KNOWN.decode((data / "stack.json").read_bytes())
    except FileNotFoundError:
        return Known()
    except msgspec.DecodeError as bad:
        raise Misconfigured(f"{data / 'stack.json'} is damaged ({bad}); remove it: ports and secrets are made anew, "
                            "and with other secrets the data of Postgres stays closed") from bad  # fmt: skip


def write_known(data: Path, known: Known) -> None:
    """Keep ports and secrets, readable by us alone."""
    write_private(data / "stack.json", msgspec.json.format(msgspec.json.encode(known), indent=1))


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600 whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    fresh.replace(path)
