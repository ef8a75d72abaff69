"""Log lines of a process."""

import json
import subprocess
import sys

import pytest

from argus.process import redacted

PROGRAM = """
import structlog
from argus.process import started
started("json")
try:
    raise ValueError("cannot reach valkey://:hunter2@db:6379/0")
except ValueError:
    structlog.get_logger().error("broke\\nnext line", dsn="password=hunter2", exc_info=True)
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("valkey://:hunter2@db:6379/0", "valkey://***db:6379/0"),
        ("host=db password=hunter2 user=argus", "host=db password=*** user=argus"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("https://example.org/a@b", "https://example.org/a@b"),
    ],
)
def test_secrets_within_text_are_masked(text: str, shown: str) -> None:
    assert redacted(None, "info", {"reason": text}) == {"reason": shown}


def test_a_line_is_one_line_of_json_without_secrets_even_with_a_trace() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["dsn"]) == ("broke\nnext line", "error", "***")
    assert "Traceback" in told["exception"]
    assert "hunter2" not in line
