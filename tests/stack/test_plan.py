"""What the planner makes of the SQL; no cluster is asked."""

from pathlib import Path

from argus.submit import connector
from contracts.jobs import FAILURE_VELOCITY_JOB
from contracts.settings import read_settings
from jobs.cluster import configuration
from jobs.sql import build


def test_headers_are_looked_up_once_a_row_for_counting_and_dead_letters_together(tmp_path: Path) -> None:
    settings = read_settings({})
    configured = configuration(FAILURE_VELOCITY_JOB, settings, connector=connector(), code=tmp_path, savepoint=None)
    plan = build(FAILURE_VELOCITY_JOB, settings, configured).explain()
    executed = plan[plan.index("== Optimized Execution Plan ==") :]
    assert executed.count("ITEM(headers, 'run')") == 1
