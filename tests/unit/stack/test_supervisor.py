"""The supervisor with small programs for children: order, restarts, reasons, deadlines, no orphans."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argus.stack.child import Child, Step
from argus.stack.folder import opened
from argus.stack.leftovers import left
from argus.stack.process import start_ticks
from argus.stack.supervisor import Supervisor, first_told
from contracts.errors import ArgusError, DeadlineExceeded, Misconfigured


def child(data: Path, name: str, script: str = "", **more: Any) -> Child:
    """A shell script that says when it is ready by making a file, then waits to be stopped."""
    flag = data / f"{name}.ready"
    body = script or f"echo {name} >> {data}/order; touch {flag}; sleep 60"
    probe: Callable[[], str | None] = lambda: None if flag.exists() else "its file"  # noqa: E731
    return Child(name=name, stage=0, command=("bash", "-c", body), probe=probe, cwd=data, **more)


def supervised(
    data: Path,
    children: list[Child],
    during: Callable[[Supervisor], Coroutine[Any, Any, None]],
    steps: tuple[Step, ...] = (),
) -> None:
    """Run the children, do `during`, stop them; raises the ArgusError that ended them."""

    async def scene() -> None:
        supervisor = Supervisor(data, children, steps, lambda: None)
        running = asyncio.create_task(supervisor.run())
        doing = asyncio.create_task(during(supervisor))
        try:
            await asyncio.wait({running, doing}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            assert running.done() or doing.done(), "nothing happened in 20 s"
            if doing.done():
                doing.result()
            else:
                running.result()
        finally:
            for task in (running, doing):
                task.cancel()
            await asyncio.gather(running, doing, return_exceptions=True)
            await supervisor.stop()

    opened(data)
    try:
        asyncio.run(scene())
    except BaseExceptionGroup as group:
        told = first_told(group)
        if told is None:
            raise
        raise told from group


async def until(condition: Callable[[], bool]) -> None:
    """Until it holds; the scene has the deadline."""
    while not condition():
        await asyncio.sleep(0.01)


def order(data: Path) -> list[str]:
    """Who has started, in order."""
    return (data / "order").read_text().split()


def test_a_child_starts_after_what_it_needs(tmp_path: Path) -> None:
    done = []
    step = Step("topics", lambda: done.append(order(tmp_path)), after=("kafka",))
    children = [child(tmp_path, "writer", after=("topics",)), child(tmp_path, "kafka")]
    supervised(tmp_path, children, lambda supervisor: supervisor.ready(), (step,))
    assert (done, order(tmp_path)) == ([["kafka"]], ["kafka", "writer"])


def test_a_child_that_dies_is_started_again_with_the_reason(tmp_path: Path) -> None:
    async def during(supervisor: Supervisor) -> None:
        await supervisor.ready()
        status = supervisor.statuses()[0][0]
        (tmp_path / "fail").touch()
        os.kill(status.pid or 0, signal.SIGKILL)
        await until(lambda: status.restarts == 2)
        assert status.reason == "exited with 3; no disk left"
        (tmp_path / "fail").unlink()
        await until(lambda: status.state == "ready")

    script = f"[ -e {tmp_path}/fail ] && {{ echo no disk left; exit 3; }}; touch {tmp_path}/valkey.ready; sleep 60"
    supervised(tmp_path, [child(tmp_path, "valkey", script)], during)


def test_a_death_takes_down_what_cannot_go_on_without_and_nothing_else(tmp_path: Path) -> None:
    async def during(supervisor: Supervisor) -> None:
        await supervisor.ready()
        statuses = {status.name: status for status in supervisor.statuses()[0]}
        os.kill(statuses["jobmanager"].pid or 0, signal.SIGKILL)
        await until(lambda: statuses["jobmanager"].restarts == statuses["taskmanager"].restarts == 1)
        assert statuses["kafka"].restarts == 0

    children = [child(tmp_path, name) for name in ("kafka", "taskmanager")]
    children.append(child(tmp_path, "jobmanager", drags_down=("taskmanager",)))
    supervised(tmp_path, children, during)


def test_a_child_that_is_never_ready_ends_the_start_and_says_what_it_waited_for(tmp_path: Path) -> None:
    waiting = child(tmp_path, "kafka", "sleep 60", ready_within_s=0.3)
    with pytest.raises(DeadlineExceeded, match=r"kafka was not ready within 0 s \(waits for its file\)"):
        supervised(tmp_path, [waiting], lambda supervisor: supervisor.ready())


def test_a_child_that_always_dies_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    dying = child(tmp_path, "kafka", "echo port taken; exit 7", ready_within_s=0.5)
    with pytest.raises(DeadlineExceeded, match=r"(?s)exited with 7; port taken.*kafka\.log"):
        supervised(tmp_path, [dying], lambda supervisor: supervisor.ready())


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = replace(child(tmp_path, "kafka"), command=("/no/such/java",))
    with pytest.raises(Misconfigured, match=r"kafka cannot be started: .*/no/such/java"):
        supervised(tmp_path, [missing], lambda supervisor: supervisor.ready())


def test_a_failed_step_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    def refuse() -> None:
        raise Misconfigured("topic argus.cicd.runs has 3 partitions")

    with pytest.raises(ArgusError, match="3 partitions"):
        supervised(tmp_path, [], lambda supervisor: supervisor.ready(), (Step("topics", refuse),))


def test_a_bug_in_a_step_is_no_message_but_a_crash(tmp_path: Path) -> None:
    def bug() -> None:
        raise KeyError("x")

    with pytest.raises(BaseExceptionGroup):
        supervised(tmp_path, [], lambda supervisor: supervisor.ready(), (Step("topics", bug),))


def test_children_stop_from_the_highest_stage_down_and_the_stubborn_are_killed(tmp_path: Path) -> None:
    def stopping(name: str, stage: int, then: str = "exit 0") -> Child:
        trap = f"trap 'echo {name} >> {tmp_path}/stopped; {then}' TERM"
        script = f"{trap}; touch {tmp_path}/{name}.ready; while :; do sleep 0.05; done"
        return replace(child(tmp_path, name, script), stage=stage, stops_within_s=0.5)

    children = [stopping("kafka", 0), stopping("writer", 2), stopping("taskmanager", 1, then=":")]
    supervised(tmp_path, children, lambda supervisor: supervisor.ready())
    assert (tmp_path / "stopped").read_text().split() == ["writer", "taskmanager", "kafka"]
    assert left(tmp_path) == []


def test_what_a_child_started_dies_with_it(tmp_path: Path) -> None:
    async def during(supervisor: Supervisor) -> None:
        await supervisor.ready()
        os.kill(supervisor.statuses()[0][0].pid or 0, signal.SIGKILL)
        await until(lambda: start_ticks(int((tmp_path / "worker").read_text())) is None)

    script = (
        f"[ -e {tmp_path}/worker ] && exit 1; sleep 60 & echo $! > {tmp_path}/worker; touch {tmp_path}/tm.ready; wait"
    )
    supervised(tmp_path, [child(tmp_path, "tm", script)], during)


def test_no_child_survives_a_supervisor_killed_with_9(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from argus.stack.child import Child
from argus.stack.folder import opened
from argus.stack.supervisor import Supervisor
data = opened(pathlib.Path({str(tmp_path)!r}))
child = Child("kafka", 0, ("bash", "-c", "touch {tmp_path}/up; sleep 60"), lambda: None, data)
asyncio.run(Supervisor(data, [child], [], lambda: None).run())
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    ends = time.monotonic() + 15
    try:
        while not (tmp_path / "up").exists() or not left(tmp_path):
            assert time.monotonic() < ends, "the child has not started"
            time.sleep(0.02)
    finally:
        supervisor.kill()
        supervisor.wait()
    while left(tmp_path):
        assert time.monotonic() < ends, "the child is still there"
        time.sleep(0.02)
