"""`argus ingest` on a real broker: everything taken is on the log, where its key belongs, with its headers."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argus.topics import ensure
from contracts import records
from contracts.delivery import Delivery
from contracts.errors import Unavailable
from contracts.topics import RUNS, TEST_RESULTS
from feature_store.log import producer
from gateway.ingest.publish import publish
from gateway.ingest.row import Row
from tests.conftest import Stack
from tests.stack.topic_reading import everything, headers, java_partition


def ingest(stack: Stack, namespace: str, *options: object, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "argus", "ingest", *map(str, options)],
        env=stack.environment(namespace) | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def told(stack: Stack, namespace: str, *options: object) -> dict[str, Any]:
    """What the command tells programs."""
    _, output, errors = ingest(stack, namespace, *options, "--json")
    assert output, errors
    found: dict[str, Any] = json.loads(output)
    return found


def line(finished_ms: int, project: str = "acme/app", **changed: object) -> str:
    """A job execution as a line."""
    fields = {"project": project, "run": "1", "job": "b", "outcome": "failure", "finished_ms": finished_ms}
    return json.dumps(fields | changed) + "\n"


def test_the_pytorch_recording_is_taken_whole_and_shifted_by_one_constant(stack: Stack, shared_data: Path) -> None:
    settings = stack.settings("ingest-pytorch")
    ensure(settings, deadline_s=30)
    began_ms = time.time_ns() // 1_000_000
    file = shared_data / "pytorch-jobs" / "job_results_2024-08-14.csv"
    answer = told(stack, settings.namespace, file, "--preset", "pytorch", "--shift-to-now")
    assert (answer["accepted"], answer["refused"]) == (19_199, 0)
    assert answer["shifted_ms"] % 60_000 == 0
    found = everything(settings, RUNS)
    assert len(found) == 19_199
    executions = [records.decode(records.JobExecution, record.value()) for record in found]
    newest_ms = max(execution.finished_ms for execution in executions)
    assert newest_ms == 1_723_675_081_000 + answer["shifted_ms"]
    assert began_ms - 60_000 < newest_ms <= time.time_ns() // 1_000_000
    assert Counter(execution.outcome for execution in executions) == {"success": 18_486, "failure": 713}
    assert len({headers(record)["ce_id"] for record in found}) == 19_198, "one row is an exact duplicate"
    for record, execution in zip(found, executions, strict=True):
        assert record.key() == execution.project.encode()
        assert record.partition() == java_partition(record.key(), 4)
        told_in = headers(record)
        assert int(told_in["event_ms"]) == execution.finished_ms
        assert (told_in["outcome"], told_in["run"]) == (execution.outcome.encode(), execution.run.encode())
        assert (told_in["attempt"], told_in["ce_type"]) == (b"1", b"argus.cicd.runs")
        assert "arrived_ms" not in told_in


def test_saved_answers_of_github_are_taken_and_shifted(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings("ingest-github")
    ensure(settings, deadline_s=30)
    url = "https://api.github.com/repos/acme/app/actions/jobs/1"
    job = {
        "run_id": 7, "run_url": url, "url": url, "run_attempt": 2, "name": "unit", "status": "completed",
        "conclusion": "failure", "completed_at": "2024-08-14T08:00:00Z",
    }  # fmt: skip
    (tmp_path / "jobs.json").write_text(json.dumps({"total_count": 2, "jobs": [job, {**job, "name": None}]}))
    answer = told(stack, settings.namespace, "--github-export", tmp_path, "--shift-to-now")
    assert (answer["accepted"], answer["refused"], answer["refusals"][0]["place"]) == (1, 1, "element 2")
    (record,) = everything(settings, RUNS)
    found = records.decode(records.JobExecution, record.value())
    assert (found.project, found.run, found.job, found.attempt) == ("acme/app", "7", "unit", 2)


def test_without_a_shift_a_recording_is_refused_and_replay_is_named(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings("ingest-old")
    ensure(settings, deadline_s=30)
    now_ms = time.time_ns() // 1_000_000
    file = tmp_path / "in.jsonl"
    file.write_text(line(now_ms - 90_000_000) + line(now_ms, run="2") + line(now_ms + 400_000) + "{broken\n")
    code, output, errors = ingest(stack, settings.namespace, file)
    assert code == 1
    assert "accepted 1, refused 3" in output
    refusals = errors.splitlines()
    assert f"{file}, line 1: finished_ms {now_ms - 90_000_000} is older than 24 h" in refusals[0]
    assert "argus replay" in refusals[0]
    assert "line 3" in refusals[1]
    assert "5 minutes in the future" in refusals[1]
    assert "line 4: line" in refusals[2]
    assert [headers(record)["run"] for record in everything(settings, RUNS)] == [b"2"]


def test_keys_lie_where_java_would_put_them_and_order_within_a_key_is_kept(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings("ingest-keys")
    ensure(settings, deadline_s=30)
    now_ms = time.time_ns() // 1_000_000
    file = tmp_path / "in.jsonl"
    projects = [f"acme/app-{number}" for number in range(40)]
    file.write_text("".join(line(now_ms, project, run=str(run)) for run in range(50) for project in projects))
    assert told(stack, settings.namespace, file)["accepted"] == 2_000
    runs: dict[bytes, list[int]] = {}
    for record in everything(settings, RUNS):
        assert record.partition() == java_partition(record.key(), 4)
        runs.setdefault(record.key(), []).append(int(headers(record)["run"]))
    assert {project.encode() for project in projects} == set(runs)
    assert all(order == list(range(50)) for order in runs.values())


def test_a_folder_of_junit_files_becomes_reports_in_parts(stack: Stack, tmp_path: Path) -> None:
    settings = stack.settings("ingest-junit")
    ensure(settings, deadline_s=30)
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.xml").write_text("<testsuite name='s'>" + "<testcase name='n'/>" * 700 + "</testsuite>")
    (tmp_path / "deep" / "b.xml").write_text("<testsuite name='s'><testcase/><testcase name='n'/></testsuite>")
    (tmp_path / "c.xml").write_text("<!DOCTYPE a><testsuite/>")
    options = ("--project", "acme/app", "--run", "7", "--job", "test", "--attempt", "2", "--environment", "linux")
    answer = told(stack, settings.namespace, tmp_path, *options)
    assert (answer["accepted"], answer["refused"]) == (3, 2)
    found = everything(settings, TEST_RESULTS)
    assert {record.key() for record in found} == {b"acme/app\x1f7"}
    parts = [records.decode(records.TestReportPart, record.value()) for record in found]
    assert sorted((part.report[-5:], part.k, part.n, len(part.tests)) for part in parts) == [
        ("a.xml", 1, 2, 500),
        ("a.xml", 2, 2, 200),
        ("b.xml", 1, 1, 1),
    ]
    assert {(part.job, part.attempt, part.environment) for part in parts} == {("test", 2, "linux")}


@pytest.mark.parametrize(
    ("namespace", "changed", "told"),
    [
        ("ingest-missing", {}, "argus topics ensure"),
        ("ingest-missing", {"ARGUS_CLOCK": "replay"}, "argus replay"),
        ("ingest-missing", {"ARGUS_KAFKA": "127.0.0.1:1"}, "no broker answers at 127.0.0.1:1"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    stack: Stack, tmp_path: Path, namespace: str, changed: dict[str, str], told: str
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(line(1))
    code, output, errors = ingest(stack, namespace, file, "--deadline-s", 5, **changed)
    assert (code, output) == (2, "")
    assert told in errors
    assert len(errors.splitlines()) == 1


def test_a_broker_that_falls_silent_is_told_with_what_it_took_and_a_repeat_completes(stack: Stack) -> None:
    settings = stack.settings("ingest-silent")
    ensure(settings, deadline_s=30)
    now_ms = time.time_ns() // 1_000_000
    executions = [
        records.JobExecution(
            project=f"acme/app-{run % 7}", run=str(run), job="b", outcome="success", finished_ms=now_ms
        )
        for run in range(2_000)
    ]
    sender = producer(settings.kafka)
    delivery = Delivery(sender, stall_s=2, clock=time.monotonic)

    def silenced_halfway() -> Iterator[Row]:
        for number, record in enumerate(executions):
            if number == 1_000:
                sender.flush(10)
                stack.kill("kafka", signal.SIGSTOP)
            yield Row(file="f", place=f"line {number + 1}", record=record)

    began = time.monotonic()
    try:
        with pytest.raises(Unavailable, match=r"^1000 of 2000 messages handed over were acknowledged"):
            publish(
                silenced_halfway(),
                delivery=delivery,
                aliases=lambda _: None,
                namespace=settings.namespace,
                on_refusal=print,
            )
        assert time.monotonic() - began < 10
    finally:
        stack.kill("kafka", signal.SIGCONT)
    rows = [Row(file="f", place="line", record=record) for record in executions]
    again = Delivery(producer(settings.kafka), stall_s=30, clock=time.monotonic)
    assert (
        publish(rows, delivery=again, aliases=lambda _: None, namespace=settings.namespace, on_refusal=print) == 2_000
    )
    found = {headers(record)["ce_id"] for record in everything(settings, RUNS)}
    assert len(found) == 2_000, "a repeat has the ids of the first time"
