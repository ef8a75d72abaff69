"""Child processes: they die with their parent, are known by pid and start time, and may run under another account."""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


@dataclass(frozen=True)
class Account:
    """Who a child is: ourselves, another user, or that user inside a user namespace whose files stay ours."""

    uid: int | None = None
    gid: int | None = None
    namespace: bool = False

    def popen(self) -> dict[str, object]:
        """Arguments for Popen."""
        if self.uid is None or self.namespace:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


OURSELVES = Account()


def before_exec(death_signal: signal.Signals, account: Account = OURSELVES) -> Callable[[], None]:
    """What a child does between fork and exec: get `death_signal` when the thread that spawned it ends.

    To be spawned from a thread that lives as long as the parent.
    """
    parent, uid, gid = os.getpid(), os.geteuid(), os.getegid()  # in a new user namespace both ids are unknown at first

    def prepare() -> None:
        if account.namespace:
            if _LIBC.unshare(_CLONE_NEWUSER):
                raise OSError(ctypes.get_errno(), "unshare")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{account.uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{account.gid} {gid} 1")
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal)  # after any change of user, which would clear it
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


def unprivileged() -> Account:
    """For programs that refuse to be root or a uid without a name: ourselves, if we are neither; else `nobody`.

    A user namespace leaves the files ours and works below private folders; where the kernel or a container forbids
    it, root's process becomes nobody in earnest.
    """
    if os.geteuid() != 0 and _named(os.geteuid()):
        return OURSELVES
    nobody = pwd.getpwnam("nobody")
    inside = Account(nobody.pw_uid, nobody.pw_gid, namespace=True)
    try:
        subprocess.run(["true"], check=True, preexec_fn=before_exec(signal.SIGKILL, inside))
    except (OSError, subprocess.SubprocessError):  # the latter when the failure was between fork and exec
        return OURSELVES if os.geteuid() else Account(nobody.pw_uid, nobody.pw_gid)
    return inside


def _named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:  # as in a container that runs under a number
        return False
    return True


def run(
    command: Sequence[str | Path],
    *,
    deadline_s: float,
    account: Account = OURSELVES,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a short program to its end, output captured; raises subprocess.TimeoutExpired after `deadline_s`."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=deadline_s,
        preexec_fn=before_exec(signal.SIGKILL, account),
        **account.popen(),  # type: ignore[call-overload]
    )
    return done


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is none. With the pid it is an identity."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if after_name[0] in "ZX" else int(after_name[19])


def descendants(pid: int) -> list[int]:
    """The process and all that it and its children started, those that live."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:  # grows while it is walked
        found += parents.get(one, [])
    return found


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional set size of the process and its descendants, in MB: (RSS, PSS); 0 when it is gone."""
    rss = pss = 0
    for one in descendants(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        rss, pss = rss + sizes.get("Rss", 0), pss + sizes.get("Pss", 0)
    return rss / 1024, pss / 1024
