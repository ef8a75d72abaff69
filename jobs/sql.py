"""SQL jobs: sql/<job>.sql is a SELECT, named after the table it fills; what it cannot use goes to the dead letters."""

from typing import TYPE_CHECKING

from pyflink.common import Configuration
from pyflink.table import StatementSet

from contracts.jobs import Job
from jobs.cluster import table_environment
from jobs.tables import declare, insert_dead_letters, names, read_sql

if TYPE_CHECKING:
    from contracts.settings import Settings


def fold_in_batches(configured: Configuration, settings: "Settings") -> None:
    """Set what makes a SQL job fast: rows that meet within a mini-batch are folded before and after the shuffle."""
    # nothing in SQL keeps or changes a row that it has passed on, so no operator needs a copy of its own
    configured.set_string("pipeline.object-reuse", "true")
    # rows wait longer than this for their batch, and sending them on each millisecond has its price
    configured.set_string("execution.buffer-timeout.interval", "20 ms")
    # generated methods are cut up at 4,000 characters, their variables then fields: slower by a twentieth. Whole, they
    # are still short enough for the optimizing compiler
    configured.set_string("table.generated-code.max-length", "60000")
    if settings.mini_batch_ms:
        configured.set_string("table.exec.mini-batch.enabled", "true")
        configured.set_string("table.exec.mini-batch.allow-latency", f"{settings.mini_batch_ms} ms")
        # full before its time is up where there is much to do, and small enough to be gone with the young generation
        configured.set_string("table.exec.mini-batch.size", "10000")
        configured.set_string("table.optimizer.agg-phase-strategy", "TWO_PHASE")


def build(job: Job, settings: "Settings", configured: Configuration) -> StatementSet:
    """The statements of one SQL job over argus.cicd.runs: its table, and its dead letters."""
    fold_in_batches(configured, settings)
    environment = table_environment(configured)
    declare(environment, job, settings, job.name)
    statements = environment.create_statement_set()
    statements.add_insert_sql(f"INSERT INTO {job.name}\n{read_sql(job.name, names(job, settings))}")
    insert_dead_letters(statements, job)
    return statements
