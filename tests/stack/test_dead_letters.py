"""`argus dead-letters` on a real broker: the newest letter of each key, shown and not obeyed."""

import json
import subprocess
import sys
import time
from typing import Any

from argus.topics import ensure
from contracts.records import DeadLetter
from contracts.topics import DEAD_LETTERS, RUNS, message
from feature_store.log import producer
from tests.conftest import Stack
from tests.stack.topic_reading import everything

NAMESPACE = "dead-letters"


def letter(offset: int, reason: str, reader: str = "failure_velocity") -> DeadLetter:
    """A letter about a record with hostile parts."""
    return DeadLetter(
        reader=reader,
        reason=reason,
        topic=f"{NAMESPACE}.argus.cicd.runs",
        partition=1,
        offset=offset,
        key=b"acme/app",
        headers={"run": b"\x1b[2J", "outcome": b"\xff\xfe", "gone": None},
        value='{"message": "\u202eevil"}'.encode(),
    )


def run(stack: Stack, *options: str) -> "subprocess.CompletedProcess[str]":
    """The command."""
    return subprocess.run(
        [sys.executable, "-m", "argus", "dead-letters", *options],
        env=stack.environment(NAMESPACE), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def listed(stack: Stack, *options: str) -> dict[str, Any]:
    """What `list` tells programs."""
    found: dict[str, Any] = json.loads(run(stack, "list", "--json", *options).stdout)
    return found


def test_letters_are_listed_by_reader_and_reason_and_shown_whole(stack: Stack) -> None:
    settings = stack.settings(NAMESPACE)
    ensure(settings, deadline_s=30)
    sender = producer(settings.kafka)
    letters = [letter(1, "first"), letter(1, "no-run"), letter(2, "future"), letter(1, "no-run", "project")]
    for one in [*letters, letter(9, "mended")]:
        sent = message(DEAD_LETTERS, one, namespace=NAMESPACE, source="/test")
        sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
        last = sent
    sender.produce(last.topic, None, last.key)
    sender.produce(last.topic, b"\x1b[31mnot a letter", b"odd")
    assert sender.flush(10) == 0

    everything = listed(stack)
    found = {(one["reader"], one["reason"], one["origin"].rpartition(":")[2]) for one in everything["letters"]}
    assert found == {
        ("failure_velocity", "no-run", "1"),
        ("failure_velocity", "future", "2"),
        ("project", "no-run", "1"),
    }
    assert (everything["total"], len(everything["unreadable"])) == (3, 1)
    assert listed(stack, "--reader", "project")["total"] == 1
    assert listed(stack, "--reason", "future")["total"] == 1
    assert len(listed(stack, "--limit", "1")["letters"]) == 1

    told = run(stack, "show", f"{NAMESPACE}.argus.cicd.runs:1:1", "--reader", "project").stdout
    assert all(line.isprintable() for line in told.splitlines())
    assert "header   run: \\x1b[2J" in told
    assert "header   outcome: base64://4=" in told
    assert 'value    {"message": "\\u202eevil"}' in told
    both = json.loads(run(stack, "show", f"{NAMESPACE}.argus.cicd.runs:1:1", "--json").stdout)
    assert {one["reader"] for one in both} == {"failure_velocity", "project"}
    nothing = run(stack, "show", f"{NAMESPACE}.argus.cicd.runs:3:77")
    assert (nothing.returncode, nothing.stdout[:14]) == (1, "no dead letter")


def test_what_a_broken_producer_left_out_is_there_when_it_is_sent_again(stack: Stack) -> None:
    """And what cannot be mended stays, with the reason."""
    namespace = "letters-again"
    settings = stack.settings(namespace)
    ensure(settings, deadline_s=30)
    now_ms = time.time_ns() // 1_000_000
    body = {"project": "acme/app", "run": "7", "job": "unit", "outcome": "failure", "finished_ms": now_ms}
    body["message"] = "password=hunter2"
    bodies = [body, body | {"finished_ms": now_ms - 90_000_000}, body | {"outcome": "odd"}, None]
    sender = producer(settings.kafka)
    for offset, one in enumerate(bodies):
        value = None if one is None else json.dumps(one).encode()
        dead = DeadLetter(
            reader="project", reason="no-run", topic=RUNS.named(namespace), partition=0, offset=offset, value=value
        )
        sent = message(DEAD_LETTERS, dead, namespace=namespace, source="/test")
        sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
    assert sender.flush(10) == 0

    def command(*options: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "argus", "dead-letters", *options, "--json"],
            env=stack.environment(namespace), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return json.loads(done.stdout)

    assert command("replay", "--reason", "no-run", "--dry-run")["sent"] == [f"{namespace}.argus.cicd.runs:0:0"]
    assert everything(settings, RUNS) == []
    told = command("replay", "--reason", "no-run")
    assert told["sent"] == [f"{namespace}.argus.cicd.runs:0:0"]
    reasons = {one["origin"].rpartition(":")[2]: one["reason"] for one in told["kept"]}
    assert {offset: word in reasons[offset] for offset, word in (("1", "24 h"), ("2", "outcome"), ("3", "no"))} == {
        "1": True, "2": True, "3": True,
    }  # fmt: skip
    (mended,) = everything(settings, RUNS)
    assert (mended.key(), dict(mended.headers())["run"], json.loads(mended.value())["outcome"]) == (
        b"acme/app", b"7", "failure",
    )  # fmt: skip
    assert json.loads(mended.value())["message"] == "password=[redacted:password]"
    assert command("list")["total"] == 3
    assert command("replay", "x:0:1")["kept"] == [{"origin": "x:0:1", "reason": "there is no such dead letter"}]
