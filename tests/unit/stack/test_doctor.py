"""The doctor finds the usual troubles and names the remedy of each."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from argus.stack import doctor
from argus.stack.doctor import Finding
from argus.stack.folder import Known, opened, write_known
from argus.stack.leftovers import Left, remember
from argus.stack.process import Account, start_ticks
from argus.stack.status import ChildStatus, JobStatus, Status


def named(data: Path, about: str) -> Finding:
    """The folder's finding of that name."""
    return next(finding for finding in doctor.folder(data) if finding.about == about)


def test_another_python_is_wrong() -> None:
    assert doctor.python((3, 12, 1)).remedy
    assert not doctor.python((3, 11, 0)).remedy


def test_a_wheel_that_differs_from_the_lock_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text(
        '[[package]]\nname = "argus"\ndependencies = [{ name = "rich" }]\n'
        '[[package]]\nname = "rich"\nversion = "14.0"\n'
    )
    assert not doctor.wheels(lock, {"rich": "14.0"}).remedy
    found = doctor.wheels(lock, {"rich": "13.0"})
    assert (found.told, found.remedy) == ("rich 13.0, locked 14.0", "run `make setup`")
    assert "missing" in doctor.wheels(lock, {}).told


def test_missing_jars_are_to_be_fetched(tmp_path: Path) -> None:
    assert doctor.jars_as_locked(tmp_path).remedy == "run `argus jars`"


def test_a_path_without_bash_is_named(tmp_path: Path) -> None:
    assert doctor.programs(str(tmp_path)).told == "missing: bash, tee, python"


@pytest.mark.parametrize(("free_gb", "wrong"), [(0.5, True), (50, False)])
def test_a_full_disk_is_wrong(tmp_path: Path, free_gb: float, wrong: bool) -> None:
    assert bool(doctor.disk(free_gb, tmp_path).remedy) == wrong


def test_memory_is_what_machine_and_container_both_leave() -> None:
    meminfo = "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n"
    assert doctor.available_gb(meminfo, []) == pytest.approx(8.192)
    assert doctor.available_gb(meminfo, [("3000000000\n", "1000000000\n")]) == pytest.approx(2.0)
    assert doctor.available_gb(meminfo, [("max\n", "1\n")]) == pytest.approx(8.192)
    assert doctor.memory(2.0, running=False).remedy
    assert not doctor.memory(2.0, running=True).remedy


def test_few_open_files_are_wrong() -> None:
    assert "ulimit" in doctor.open_files(256).remedy


def test_a_variable_that_hides_the_stack_is_named(tmp_path: Path) -> None:
    assert not doctor.environment({"ARGUS_KAFKA": "x:1"}, tmp_path).remedy
    (tmp_path / "argus.env").touch()
    assert doctor.environment({"ARGUS_KAFKA": "x:1"}, tmp_path).remedy.startswith("unset ARGUS_KAFKA")


def test_as_nobody_a_private_folder_above_is_wrong(tmp_path: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    assert str(private) in doctor.account(Account(65534, 65534), private / "data").told
    assert not doctor.account(Account(65534, 65534, namespace=True), private / "data").remedy


def test_a_folder_that_is_not_there_yet_is_no_trouble(tmp_path: Path) -> None:
    assert [finding.remedy for finding in doctor.folder(tmp_path / "data")] == [""]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert named(tmp_path, "data folder").remedy


def test_a_secret_that_others_can_read_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "argus.env").touch(0o644)
    assert named(tmp_path, "secrets").remedy == f"chmod 600 {tmp_path}/argus.env"


def test_left_over_children_are_named(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        remember(tmp_path, [Left("kafka", process.pid, start_ticks(process.pid) or 0, signal.SIGTERM)])
        found = named(tmp_path, "left-overs")
    finally:
        process.kill()
        process.wait()
    assert (found.told, found.remedy[:16]) == (f"left over: kafka (pid {process.pid})", "run `argus down`")
    assert not named(tmp_path, "left-overs").remedy


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write_known(opened(tmp_path), Known({"kafka": port}))
        assert named(tmp_path, "ports").told == f"taken: kafka {port}"
    assert not named(tmp_path, "ports").remedy


def test_a_damaged_memory_of_the_stack_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    assert named(tmp_path, "memory of the stack").remedy


def test_a_clock_that_is_off_or_went_back_is_wrong() -> None:
    assert not doctor.clock(1_000_000, {"Postgres": 1_001_000}, 1_000_500).remedy
    assert "Postgres is +5.0 s off" in doctor.clock(1_000_000, {"Postgres": 1_005_000}).told
    assert doctor.clock(1_000_000, {}, 9_000_000).remedy


def test_what_does_not_run_is_told_with_its_reason() -> None:
    children = [ChildStatus("kafka", "ready"), ChildStatus("valkey", "restarting", reason="exited with 1")]
    jobs = [JobStatus("project", "", state="RESTARTING", reason="no slots")]
    (found,) = doctor.stack(Status(phase="ready", data="/d", children=children, jobs=jobs))
    assert found.told == "valkey restarting: exited with 1; project RESTARTING: no slots"
    assert found.remedy == "see the logs in /d/log"
    assert not list(doctor.stack(Status(phase="stopped")))
    (failed,) = doctor.stack(Status(phase="failed", reason="kafka was not ready"))
    assert failed.remedy
