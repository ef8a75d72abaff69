"""The tables of a namespace: sql/postgres/NNNN_name.sql, forward only, each run once and recorded with its hash."""

from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg import sql

from contracts.errors import Misconfigured, Unavailable
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection, schema_of

FOLDER = Path(__file__).parents[1] / "sql" / "postgres"
TIMEOUT_S = 60.0

_LEDGER = """
CREATE TABLE IF NOT EXISTS migration (
    name    text        PRIMARY KEY,
    sha256  text        NOT NULL,
    applied timestamptz NOT NULL DEFAULT now()
)
"""


def migrate(postgres_dsn: str, namespace: str, *, folder: Path = FOLDER) -> list[str]:
    """Bring the namespace's schema up to date; returns the names of the files applied now, in order.

    All of them or none: one transaction, behind a lock, so that two callers at once do the work once.
    Raises Misconfigured when an applied file has changed or is gone, or when Postgres refuses one;
    Unavailable when Postgres does not answer.
    """
    files = {file.stem: file.read_text() for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))}
    connection = postgres_connection(postgres_dsn, namespace, timeout_s=5)
    try:
        with bounded(connection, TIMEOUT_S), connection.transaction():
            return _apply(connection, files, schema_of(namespace))
    except POSTGRES_AWAY as gone:
        raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
    except psycopg.Error as refused:
        raise Misconfigured(f"Postgres refused a migration of schema {schema_of(namespace)}: {refused}") from refused
    finally:
        connection.close()


def _apply(connection: psycopg.Connection, files: dict[str, str], schema: str) -> list[str]:
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"argus migrate {schema}"])
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(_LEDGER)
    done: dict[str, str] = dict(connection.execute("SELECT name, sha256 FROM migration").fetchall())
    hashes = {name: sha256(text.encode()).hexdigest() for name, text in files.items()}
    changed = sorted(name for name, known in done.items() if hashes.get(name) != known)
    if changed:
        raise Misconfigured(
            f"{', '.join(changed)}: applied to schema {schema} with another text than sql/postgres has; "
            "restore the file and put the change into a new one"
        )
    pending = [name for name in files if name not in done]
    for name in pending:
        connection.execute(files[name].encode())
        connection.execute("INSERT INTO migration (name, sha256) VALUES (%s, %s)", [name, hashes[name]])
    return pending
