"""The plain way in Flink SQL: the same GROUP BYs over the same topic, bodies read with the `json` format.

No dead letters: a row that cannot be read is skipped. Everything else, configuration included, is the shipped job's.
`python -m benchmarks.bare_json --connector JAR` submits it to the cluster of the settings and prints its id.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from string import Template

from pyflink.common import Configuration
from pyflink.table import StatementSet

from contracts.jobs import FAILURE_VELOCITY_JOB
from contracts.settings import Settings, read_settings
from jobs.cluster import configuration, table_environment
from jobs.sql import fold_in_batches
from jobs.tables import names, read_sql

RUNS = """
CREATE TABLE runs (
    project STRING,
    run STRING,
    attempt INT,
    outcome STRING,
    finished_ms BIGINT
) WITH (
    'connector' = 'kafka',
    'topic' = '${runs_topic}',
    'properties.bootstrap.servers' = '${kafka}',
    'properties.group.id' = '${group}.bare',
    'scan.startup.mode' = 'earliest-offset',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
)
"""
EXECUTIONS = """
CREATE VIEW executions AS
SELECT
    project,
    run,
    finished_ms / 60000 * 60000                             AS minute_ms,
    attempt = 1 AND outcome IN ('failure', 'timeout')       AS failing,
    attempt = 1 AND outcome = 'error'                       AS erring
FROM runs
"""


def build(settings: Settings, configured: Configuration) -> StatementSet:
    """The statements of the bare job: it fills the shipped job's table."""
    fold_in_batches(configured, settings)
    environment = table_environment(configured)
    filled = names(FAILURE_VELOCITY_JOB, settings)
    environment.execute_sql(Template(RUNS).substitute(filled))
    environment.execute_sql(EXECUTIONS)
    environment.execute_sql(read_sql("tables/failure_velocity", filled))
    statements = environment.create_statement_set()
    statements.add_insert_sql(f"INSERT INTO failure_velocity\n{read_sql('failure_velocity', filled)}")
    return statements


def main() -> None:
    """The entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_json", description=__doc__)
    parser.add_argument("--connector", type=Path, required=True, help="the Kafka connector's jar")
    given = parser.parse_args()
    settings = read_settings()
    with tempfile.TemporaryDirectory() as nothing:
        configured = configuration(
            FAILURE_VELOCITY_JOB, settings, connector=given.connector, code=Path(nothing), savepoint=None
        )
        client = build(settings, configured).execute().get_job_client()
    sys.stdout.write(f"job {client.get_job_id()}\n")


if __name__ == "__main__":
    main()
