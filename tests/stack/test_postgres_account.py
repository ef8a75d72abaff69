"""Postgres as root: inside a user namespace, and as nobody where there is none; the folder may change hands."""

import asyncio
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from argus.stack.folder import opened
from argus.stack.postgres import dsn, postgres
from argus.stack.process import OURSELVES, Account, unprivileged
from argus.stack.supervisor import Supervisor


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below /tmp itself: nobody may not enter pytest's own folder."""
    data = Path(tempfile.mkdtemp(prefix="argus-postgres-"))
    yield opened(data)
    shutil.rmtree(data)


def started(data: Path, account: Account, *statements: str) -> list[tuple[object, ...]]:
    """Start Postgres as that account, run the statements, stop it; the rows of the last one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def scene() -> list[tuple[object, ...]]:
        child = postgres(data, port=port, password="secret", account=account)
        supervisor = Supervisor(data, [child], [], lambda: None)
        running = asyncio.create_task(supervisor.run())
        try:
            await asyncio.wait_for(supervisor.ready(), 60)
            with psycopg.connect(dsn(port, "secret")) as connection:
                for statement in statements:
                    cursor = connection.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await supervisor.stop()

    return asyncio.run(scene())


def test_postgres_runs_as_whoever_it_must(folder: Path) -> None:
    account = unprivileged()
    assert account == OURSELVES or os.geteuid() == 0
    assert started(folder, account, "SELECT extname FROM pg_extension WHERE extname = 'vector'") == [("vector",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is nobody else")
def test_as_root_without_user_namespaces_it_is_nobody_and_the_data_follows(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    started(folder, unprivileged(), "CREATE TABLE kept AS SELECT 1 AS one")
    assert started(folder, Account(nobody.pw_uid, nobody.pw_gid), "SELECT one FROM kept") == [(1,)]
    assert (folder / "postgres" / "data").stat().st_uid == nobody.pw_uid
    assert started(folder, unprivileged(), "SELECT one FROM kept") == [(1,)]
