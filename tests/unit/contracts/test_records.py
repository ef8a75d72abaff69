"""Records read what their schema allows, refuse the rest by name, and give the same bytes each time."""

import json
import subprocess
import sys
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadRecord
from contracts.records import DeadLetter, FailureVelocity, JobExecution, ProjectHealth, checked, decode, encode
from contracts.topics import TOPICS

RUN: dict[str, Any] = {
    "project": "acme/app", "run": "17", "job": "unit", "outcome": "failure", "finished_ms": 1_790_000_000_000,
}  # fmt: skip
NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet="ab/. é\x1f", max_size=8),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["acme/app", "a", "", "success", "x\ny", "acme/", "/app", "a/b/c", 1_577_836_799_999, 10_001]),
)


def test_what_is_left_out_is_null_and_what_is_unknown_is_ignored() -> None:
    run = decode(JobExecution, json.dumps({**RUN, "runner": {"os": "linux"}}).encode())
    assert (run.attempt, run.branch, run.outcome) == (1, None, "failure")


def test_the_same_record_gives_the_same_bytes_and_comes_back() -> None:
    run = checked(JobExecution, RUN)
    assert encode(run) == encode(checked(JobExecution, dict(reversed(RUN.items()))))
    assert decode(JobExecution, encode(run)) == run


FIRST_USE = """
import sys, threading
sys.setswitchinterval(1e-6)
from contracts.errors import BadRecord
from contracts.records import decode
from contracts.topics import TOPICS

def use(kind):
    together.wait()
    try:
        decode(kind, b'{"project": "acme/app", "tests": [{"test": ""}], "files": [{"path": ""}]}')
    except BadRecord:
        refused.append(kind)

refused = []
for kind in {topic.record for topic in TOPICS}:
    together = threading.Barrier(8)
    threads = [threading.Thread(target=use, args=(kind,)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(len(refused))
"""


def test_threads_may_be_the_first_to_use_a_record_together() -> None:
    """In a process of its own, for what goes wrong is a crash."""
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=60)
    kinds = {topic.record for topic in TOPICS}
    assert (done.returncode, done.stdout) == (0, f"{8 * len(kinds)}\n"), done.stderr


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "app"),
        ("project", "acme/ap p"),
        ("project", "acme//app"),
        ("project", "acme/app\n"),
        ("project", None),
        ("run", ""),
        ("run", "17\x1f1"),
        ("run", "17\n"),
        ("job", "x" * 501),
        ("outcome", "broken"),
        ("finished_ms", 1_790_000_000),
        ("finished_ms", "1790000000000"),
        ("attempt", 0),
        ("trigger", "cron"),
        ("message", "x" * 16_385),
    ],
)
def test_a_field_that_breaks_its_contract_is_named(field: str, value: object) -> None:
    with pytest.raises(BadRecord) as refused:
        checked(JobExecution, {**RUN, field: value})
    assert refused.value.field == field
    with pytest.raises(BadRecord, match=field):
        decode(JobExecution, json.dumps({**RUN, field: value}).encode())


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'"x"', b"\xff", b"null", json.dumps(RUN).encode() + b"x"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(JobExecution, value)


def validator(schema: dict[str, Any]) -> jsonschema.protocols.Validator:
    draft = jsonschema.Draft202012Validator
    types = draft.TYPE_CHECKER.redefine("integer", lambda _, told: type(told) is int)
    return jsonschema.validators.extend(draft, type_checker=types)(schema)


@given(st.dictionaries(st.sampled_from([*RUN, "attempt", "branch", "started_ms", "trigger"]), NASTY))
def test_the_schema_and_the_code_accept_the_same_messages(changes: dict[str, object]) -> None:
    """The JSON Schema is a promise to those who write without our code; integers are written without a fraction."""
    message = {**RUN, **changes}
    by_schema = validator(msgspec.json.schema(JobExecution)).is_valid(message)
    try:
        decode(JobExecution, json.dumps(message).encode())
    except BadRecord:
        assert not by_schema
    else:
        assert by_schema


def test_counts_below_zero_and_shares_above_one_are_refused() -> None:
    minute = {"project": "acme/app", "minute_ms": 1_790_000_040_000, "runs": 1, "failing_runs": 0, "error_runs": 0}
    assert checked(FailureVelocity, minute).runs == 1
    with pytest.raises(BadRecord, match="error_runs"):
        checked(FailureVelocity, {**minute, "error_runs": -1})
    health = {
        "project": "acme/app", "failure_rate_24h": 1.5, "failure_rate_7d": None, "as_of_ms": 1_790_000_000_000,
        "failure_velocity": {"last_minute": {}, "current_minute": {}}, "model_version": 1,
    }  # fmt: skip
    with pytest.raises(BadRecord, match="failure_rate_24h"):
        checked(ProjectHealth, health)


@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=20)))
def test_a_dead_letter_keeps_the_bytes_whatever_they_are(value: bytes, key: bytes | None) -> None:
    letter = DeadLetter(
        reader="r", reason="tombstone", topic="t", partition=0, offset=7, key=key, value=value,
        headers={"run": b"\xff", "outcome": None},
    )  # fmt: skip
    assert decode(DeadLetter, encode(letter)) == letter
    assert letter.origin == "t:0:7"


def test_a_message_to_a_person_stays_short() -> None:
    assert len(str(BadRecord("message", "x" * 10_000, "is too long"))) < 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"project": "acme/app", "x": ' + b"[" * 5_000,
        b'{"project": "acme/app", "run": "\xff"}',
        b"\xff",
        b"[]",
        b"7",
        b"",
    ],
)
def test_whatever_a_body_holds_it_is_a_record_or_refused(body: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(JobExecution, body)
