"""The contestants that are not Flink, each a process in the environment of the dependency group `peers`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from argus.stack.jars import ROOT
from benchmarks.velocity_flink import Timed
from benchmarks.velocity_load import SPAN_MS
from benchmarks.velocity_reference import Counts, wrong_rows
from contracts.errors import DeadlineExceeded, Misconfigured, Unavailable
from contracts.settings import Settings
from contracts.topics import RUNS

ENVIRONMENT = ROOT / ".venv-peers"
BUILD_S = 300.0
PEERS = ("bytewax", "quix")
LATE_S = SPAN_MS // 1000 + 3600
"""Whatever order the messages come in, no window has closed: the plain count is right, and a slower one is spared."""


def build() -> Path:
    """The interpreter of the peers' environment, which is made as locked if need be.

    Raises Misconfigured when uv is not there or cannot build it, DeadlineExceeded when that takes too long.
    """
    uv = shutil.which(str(ROOT / ".tools/bin/uv")) or shutil.which("uv")
    if uv is None:
        raise Misconfigured("uv is needed to build the environment of Bytewax and Quix Streams: run `make setup`")
    command = [uv, "sync", "--frozen", "--quiet", "--only-group", "peers", "--no-install-project"]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | {
        "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT), "UV_PYTHON_DOWNLOADS": "never"
    }  # fmt: skip
    try:
        done = subprocess.run(
            [*command, "--python", sys.executable], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=BUILD_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"building {ENVIRONMENT} took more than {BUILD_S:.0f} s") from late
    if done.returncode:
        raise Misconfigured(f"{ENVIRONMENT} could not be built: {done.stderr.strip()[-400:]}")
    return ENVIRONMENT / "bin/python"


def run(python: Path, settings: Settings, peer: str, reference: Counts, *, messages: int) -> Timed:
    """Let one peer count the whole topic, and compare.

    Raises Unavailable with what it said when it fails, DeadlineExceeded when it does not end.
    """
    given = [settings.kafka, RUNS.named(settings.namespace), str(LATE_S), str(messages)]
    deadline_s = 120 + messages / 5_000
    try:
        done = subprocess.run(
            [str(python), "-m", f"benchmarks.peers.{peer}_count", *given], cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=deadline_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise DeadlineExceeded(f"{peer} had not read {messages:,} messages after {deadline_s:.0f} s") from late
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise Unavailable(f"{peer} failed: {done.stderr.strip()[-800:]}")
    told = json.loads(lines[-1])
    found: Counts = {(project, minute_ms): (count,) for project, minute_ms, count in told["counts"]}
    rate = messages / (told["end_s"] - told["begin_s"])
    return Timed(rate, wrong_rows(reference, found), told["rss_mb"])
