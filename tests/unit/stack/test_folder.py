"""What a data folder promises: one supervisor, private files, ports and secrets that stay, logs that end."""

import os
import random
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from argus.stack.folder import Known, holder_of, lock, opened, read_known, write_known, write_private
from argus.stack.leftovers import Left, left, reap, remember
from argus.stack.logs import cap, log_path, opened_log, tail
from argus.stack.ports import chosen
from argus.stack.process import start_ticks
from contracts.errors import Misconfigured


def test_a_folder_has_one_supervisor_at_a_time(tmp_path: Path) -> None:
    data = opened(tmp_path / "data")
    assert holder_of(data) is None
    with lock(data):
        assert holder_of(data) == os.getpid()
        with pytest.raises(Misconfigured, match=f"pid {os.getpid()}.*argus down"):
            lock(data)
    assert holder_of(data) is None


def test_a_data_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="ARGUS_DATA"):
        opened(tmp_path / "file" / "data")


def test_ports_and_secrets_are_known_again_and_private(tmp_path: Path) -> None:
    known = Known({"kafka": 21_000})
    secret = known.secret("postgres")
    write_known(tmp_path, known)
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600
    assert (read_known(tmp_path).ports, read_known(tmp_path).secret("postgres")) == ({"kafka": 21_000}, secret)


def test_two_secrets_differ() -> None:
    known = Known()
    assert known.secret("valkey") != known.secret("admin_token")


def test_a_damaged_memory_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(Misconfigured, match="remove it"):
        read_known(tmp_path)


def test_a_private_file_was_never_readable_by_others_even_when_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "argus.env"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)


def test_a_remembered_port_is_used_again_and_a_taken_one_replaced() -> None:
    first = chosen(["kafka", "valkey"], {}, random.Random(1))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["kafka"]))
        taken.listen()
        second = chosen(["kafka", "valkey"], first, random.Random(2))
    assert second["valkey"] == first["valkey"]
    assert second["kafka"] not in first.values()


def test_no_port_lies_where_outgoing_connections_get_theirs() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if lowest <= 21_000:
        pytest.skip("this kernel hands out nearly all ports")
    assert all(port < lowest for port in chosen([str(n) for n in range(50)], {}, random.Random(3)).values())


def test_left_over_children_are_stopped_and_strangers_with_their_pids_are_not(tmp_path: Path) -> None:
    ours, stranger = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    try:
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        remember(tmp_path, [
            Left("ours", ours.pid, start_ticks(ours.pid) or 0, signal.SIGTERM),
            Left("reused", stranger.pid, ticks - 1, signal.SIGTERM),
        ])  # fmt: skip
        assert [child.name for child in left(tmp_path)] == ["ours"]
        assert reap(tmp_path, grace_s=5) == ["ours"]
        assert ours.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()


def test_a_left_over_that_will_not_go_is_killed_with_what_it_started(tmp_path: Path) -> None:
    stubborn = subprocess.Popen(
        ["bash", "-c", "trap '' TERM; sleep 60 & echo ready; wait; wait"],
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    try:
        assert stubborn.stdout
        stubborn.stdout.readline()
        remember(tmp_path, [Left("stubborn", stubborn.pid, start_ticks(stubborn.pid) or 0, signal.SIGTERM)])
        reap(tmp_path, grace_s=0.2)
        assert stubborn.wait(5) == -signal.SIGKILL
        assert stubborn.stdout.read() == b"", "its own child holds the pipe still"
    finally:
        stubborn.kill()
        stubborn.communicate()


def test_a_log_over_its_cap_is_put_aside_and_its_writer_goes_on_at_the_start(tmp_path: Path) -> None:
    data = opened(tmp_path)
    with opened_log(data, "kafka") as log:
        log.write(b"x" * 100 + b"\n")
        log.flush()
        assert cap(log_path(data, "kafka"), 50)
        log.write(b"after\n")
        log.flush()
    assert log_path(data, "kafka").read_bytes() == b"after\n"
    assert not cap(log_path(data, "kafka"), 50)


def test_the_tail_of_a_log_leaves_out_what_an_earlier_run_wrote(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    since = path.stat().st_size
    path.write_text("old\none\ntwo\nthree\n")
    assert tail(path, 2, since=since) == "two\nthree"
    assert tail(path, 9, since=since) == "one\ntwo\nthree"
    assert tail(tmp_path / "none") == ""
