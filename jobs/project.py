"""project: argus.cicd.runs -> argus.metrics.project-health, one state per project."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Configuration, Row, Types
from pyflink.datastream import DataStream
from pyflink.table import StatementSet

from contracts.jobs import Job
from contracts.records import ProjectHealth, encode
from jobs.cluster import stream_environment
from jobs.fold import OUTPUT, Fold
from jobs.tables import ARRIVAL_WATERMARK, declare, insert_dead_letters
from models.health import Cells, Finish, learn, next_instant_ms, pass_time

if TYPE_CHECKING:
    from contracts.settings import Settings


def finish(row: Row, arrived_ms: int) -> Finish:
    """The event in a row of the view `executions`."""
    project, run, minute_ms, failing, erring, _ = row
    return Finish(project, run, minute_ms, failing, erring, arrived_ms)


def step(cells: Cells, memory: Cells, event: Finish) -> Iterator[tuple[str, str]]:
    """One execution: the messages it causes."""
    return map(_message, learn(cells, memory, event))


def instant(cells: Cells, project: str, now_ms: int) -> Iterator[tuple[str, str]]:
    """Time alone: the messages it causes."""
    return map(_message, pass_time(cells, project, now_ms))


def _message(health: ProjectHealth) -> tuple[str, str]:
    return health.project, encode(health).decode()


def fold(executions: DataStream) -> DataStream:
    """The stream of messages for argus.metrics.project-health."""
    keyed = executions.key_by(lambda row: row[0], key_type=Types.STRING())
    return keyed.process(Fold("project", finish, step, instant, next_instant_ms), output_type=OUTPUT).uid("project")


def build(job: Job, settings: "Settings", configured: Configuration) -> StatementSet:
    """The fold between its two tables, and its dead letters."""
    environment = stream_environment(configured)
    declare(environment, job, settings, "project_health", watermark=ARRIVAL_WATERMARK)
    executions = environment.sql_query("SELECT project, run, minute_ms, failing, erring, arrival FROM executions")
    messages = fold(environment.to_data_stream(executions))
    environment.create_temporary_view("messages", environment.from_data_stream(messages))
    statements = environment.create_statement_set()
    statements.add_insert_sql("INSERT INTO project_health SELECT entity, record FROM messages")
    insert_dead_letters(statements, job)
    return statements
