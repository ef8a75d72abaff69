"""project: argus.cicd.runs -> health, expectation and incidents of each project, one state per project."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyflink.common import Configuration, Row, Types
from pyflink.datastream import DataStream
from pyflink.table import StatementSet

from contracts.errors import BadRecord
from contracts.insights import FailureExpectation, Insight
from contracts.jobs import Job
from contracts.records import JobExecution, ProjectHealth, decode, encode
from contracts.zones import zone_of
from jobs.cluster import stream_environment
from jobs.fold import OUTPUT, Fold, Message
from jobs.tables import ARRIVAL_WATERMARK, declare, insert_dead_letters
from models import health, incidents
from models.health import Cells, Finish
from models.incidents import Arrival, Watch

if TYPE_CHECKING:
    from contracts.settings import Settings

TABLES = {ProjectHealth: "project_health", FailureExpectation: "failure_expectation", Insight: "insights"}

INSERT = "INSERT INTO {table} SELECT entity, record FROM messages WHERE target = '{table}'"


class Zones(NamedTuple):
    """By whose hours projects live, as in the settings."""

    default: str
    others: dict[str, str]

    def watch(self, project: str) -> Watch:
        """How a project is watched."""
        return Watch(zone_of(project, self.default, self.others))


class Execution(NamedTuple):
    """A job execution: what its headers say, and the body of one that failed."""

    finish: Finish
    body: bytes | None


def execution(row: Row, arrived_ms: int) -> Execution:
    """The event in a row of the view `executions`."""
    project, run, minute_ms, failing, erring, body, _ = row
    return Execution(Finish(project, run, minute_ms, failing, erring, arrived_ms), body)


def step(zones: Zones, cells: Cells, memory: Cells, event: Execution) -> Iterator[Message]:
    """One execution: the messages it causes."""
    finish = event.finish
    before = health.known(memory, finish.run)
    for told in health.learn(cells, memory, finish):
        yield _message(told)
    after = health.known(memory, finish.run)
    assert after is not None
    arrival = Arrival(
        finish.project,
        finish.run,
        finish.arrived_ms,
        after.failing if before is None or before.failing is None else None,
        after.error if before is None or before.error is None else None,
        _read(event.body),
    )
    for said in incidents.learn(cells, arrival, zones.watch(finish.project)):
        yield _message(said)


def instant(zones: Zones, cells: Cells, project: str, now_ms: int) -> Iterator[Message]:
    """Time alone: the messages it causes."""
    for told in health.pass_time(cells, project, now_ms):
        yield _message(told)
    for said in incidents.pass_time(cells, project, now_ms, zones.watch(project)):
        yield _message(said)


def next_instant_ms(cells: Cells) -> int | None:
    """When time alone matters next (epoch ms), or never."""
    instants = (health.next_instant_ms(cells), incidents.next_instant_ms(cells))
    return min((one for one in instants if one is not None), default=None)


def _read(body: bytes | None) -> JobExecution | None:
    """What failed; a body that cannot be read costs its evidence alone, for headers are what counts."""
    try:
        return decode(JobExecution, bytes(body)) if body is not None else None
    except BadRecord:
        return None


def _message(record: ProjectHealth | FailureExpectation | Insight) -> Message:
    return TABLES[type(record)], record.project, encode(record).decode()


def fold(executions: DataStream, zones: Zones) -> DataStream:
    """The stream of messages, each with the table it goes to."""
    keyed = executions.key_by(lambda row: row[0], key_type=Types.STRING())
    steps = Fold("project", execution, partial(step, zones), partial(instant, zones), next_instant_ms)
    return keyed.process(steps, output_type=OUTPUT).uid("project")


def build(job: Job, settings: "Settings", configured: Configuration) -> StatementSet:
    """The fold between its tables, and its dead letters."""
    environment = stream_environment(configured)
    declare(environment, job, settings, *TABLES.values(), watermark=ARRIVAL_WATERMARK)
    executions = environment.sql_query("SELECT project, run, minute_ms, failing, erring, told, arrival FROM executions")
    messages = fold(environment.to_data_stream(executions), Zones(settings.time_zone, settings.time_zones))
    environment.create_temporary_view("messages", environment.from_data_stream(messages))
    statements = environment.create_statement_set()
    for table in TABLES.values():
        statements.add_insert_sql(INSERT.format(table=table))
    insert_dead_letters(statements, job)
    return statements
