"""Migrations on a real Postgres."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.errors import Misconfigured, Unavailable
from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from tests.conftest import Stack
from tests.stack.flow import free_port


@pytest.fixture
def dsn(stack: Stack) -> str:
    return stack.settings().postgres.get_secret_value()


@pytest.fixture
def namespace() -> str:
    return f"migrate-{uuid4().hex[:8]}"


def test_each_namespace_has_its_tables_once(dsn: str, namespace: str) -> None:
    assert migrate(dsn, namespace)[0] == "0001_feature_project_health"
    assert migrate(dsn, namespace) == []
    assert migrate(dsn, f"{namespace}-b")[0] == "0001_feature_project_health"


def test_two_at_once_do_the_work_once(dsn: str, namespace: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(dsn, namespace), range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(max(applied, key=len))]


def test_an_applied_file_that_changed_is_refused_by_name(dsn: str, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_first.sql"
    file.write_text("CREATE TABLE first (a int)")
    migrate(dsn, namespace, folder=tmp_path)
    file.write_text("CREATE TABLE first (a bigint)")
    with pytest.raises(Misconfigured, match="0001_first"):
        migrate(dsn, namespace, folder=tmp_path)


def test_a_migration_that_fails_leaves_nothing_behind(dsn: str, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (a int)")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE good (a int)")
    with pytest.raises(Misconfigured, match='"good" already exists'):
        migrate(dsn, namespace, folder=tmp_path)
    with postgres_connection(dsn, namespace, timeout_s=5) as connection:
        assert connection.execute("SELECT to_regclass('good'), to_regclass('migration')").fetchone() == (None, None)


def test_a_postgres_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="Postgres does not answer"):
        migrate(f"host=127.0.0.1 port={free_port()} user=argus dbname=argus", "")
