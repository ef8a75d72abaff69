"""Topics, messages and ticks: what a foreign client sees on the broker."""

from typing import Any

import pytest

from contracts.jobs import JOBS
from contracts.records import FailureVelocity, JobExecution, checked
from contracts.topics import (
    DAY_MS,
    DEAD_LETTERS,
    FAILURE_VELOCITY,
    RUNS,
    TOPICS,
    Topic,
    message,
    message_key,
    tick_headers,
)

RUN: dict[str, Any] = {
    "project": "acme/app", "run": "17", "job": "unit", "outcome": "failure", "finished_ms": 1_790_000_000_000,
}  # fmt: skip


def run(**changed: object) -> JobExecution:
    return checked(JobExecution, {**RUN, **changed})


def test_a_message_carries_what_hot_sql_reads_as_headers() -> None:
    sent = message(RUNS, run(attempt=2), namespace="", source="//test")
    headers = dict(sent.headers)
    assert (sent.topic, sent.key) == ("argus.cicd.runs", b"acme/app")
    assert {name: headers[name] for name in RUNS.headers} == {
        "event_ms": b"1790000000000", "outcome": b"failure", "run": b"17", "attempt": b"2",
    }  # fmt: skip
    assert (headers["ce_type"], headers["ce_source"], headers["ce_specversion"]) == (
        b"argus.cicd.runs",
        b"//test",
        b"1.0",
    )
    assert "arrived_ms" not in headers


def test_the_same_record_has_the_same_identity_whoever_sends_it_and_when() -> None:
    one = message(RUNS, run(), namespace="", source="//a")
    other = message(RUNS, run(), namespace="day-1", source="//b", arrived_ms=1_790_000_000_001)
    assert dict(one.headers)["ce_id"] == dict(other.headers)["ce_id"]
    assert (
        dict(message(RUNS, run(attempt=2), namespace="", source="//a").headers)["ce_id"] != dict(one.headers)["ce_id"]
    )


def test_a_replayer_says_when_a_record_arrived() -> None:
    assert dict(message(RUNS, run(), namespace="x", source="//a", arrived_ms=5).headers)["arrived_ms"] == b"5"
    assert tick_headers(7) == [("ce_type", b"argus.tick"), ("arrived_ms", b"7")]
    assert tick_headers() == [("ce_type", b"argus.tick")]


def test_a_key_of_several_parts_is_joined_by_the_separator() -> None:
    minute = FailureVelocity(project="acme/app", minute_ms=1_790_000_040_000, runs=1, failing_runs=0, error_runs=0)
    assert message_key(FAILURE_VELOCITY, minute) == b"acme/app\x1f1790000040000"


def test_text_outside_ascii_survives_as_utf_8() -> None:
    sent = message(RUNS, run(run="größe-✓"), namespace="", source="//a")
    assert dict(sent.headers)["run"].decode() == "größe-✓"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_can_be_declared_to_a_broker(topic: Topic) -> None:
    fields = {*topic.record.__struct_fields__, "origin"}
    assert set(topic.key) <= fields
    assert set(topic.headers.values()) <= fields
    config = topic.config()
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert ("retention.ms" in config) == ("delete" in topic.cleanup)
    assert topic.named("day-1") == f"day-1.{topic.name}"


def test_what_is_kept_is_kept_as_long_as_promised() -> None:
    assert RUNS.config()["retention.ms"] == str(7 * DAY_MS)
    assert DEAD_LETTERS.config()["cleanup.policy"] == "compact,delete"


def test_a_dead_letter_of_the_largest_message_fits() -> None:
    largest = max(topic.max_bytes for topic in TOPICS if topic is not DEAD_LETTERS)
    assert DEAD_LETTERS.max_bytes >= largest * 4 / 3 + 64_000


def test_a_view_has_one_job_and_every_job_has_its_own_group() -> None:
    writers = [topic.name for job in JOBS.values() for topic in job.writes if topic is not DEAD_LETTERS]
    assert len(writers) == len(set(writers))
    groups = {job.group(namespace) for job in JOBS.values() for namespace in ("", "day-1")}
    assert len(groups) == 2 * len(JOBS)


def test_no_job_with_timers_reads_what_a_job_writes() -> None:
    written = {topic.name for job in JOBS.values() for topic in job.writes}
    assert all(topic.name not in written for job in JOBS.values() for topic in job.reads)
