"""The pandas reference beside the model: two ways that share no code say the same, value for value."""

from random import Random

import pandas as pd
import pytest

from benchmarks.reference import MINUTE_MS, read, velocity
from benchmarks.reference_health import DAY_MS, VALUES, health
from models.health import Finish, learn, pass_time

START_MS = 1_767_571_200_000  # Monday 2026-01-05, 00:00 UTC
HOUR_MS = 60 * MINUTE_MS


def executions(seed: int, *, count: int, hours: float, projects: int = 2, runs: int = 12) -> pd.DataFrame:
    """Executions at round and at ragged instants, late, early, repeated and of runs that spread over days."""
    chance = Random(seed)
    arrivals = [START_MS + chance.randrange(int(hours * HOUR_MS)) for _ in range(count)]
    rows = []
    for at_ms in arrivals:
        arrived_ms = at_ms // MINUTE_MS * MINUTE_MS if chance.random() < 0.3 else at_ms
        ages_ms = (0, 0, chance.randrange(MINUTE_MS), chance.randrange(DAY_MS), -chance.randrange(300_000))
        outcome = chance.choice(["success", "success", "failure", "timeout", "error", "skipped"])
        is_first = chance.random() < 0.8
        rows.append(
            {
                "project": f"acme/app-{chance.randrange(projects)}",
                "run": str(chance.randrange(runs)),
                "minute": (arrived_ms - chance.choice(ages_ms)) // MINUTE_MS,
                "failing": is_first and outcome in ("failure", "timeout"),
                "erring": is_first and outcome == "error",
                "arrived_ms": arrived_ms,
            }
        )
    return pd.DataFrame(rows).sort_values("arrived_ms", kind="stable", ignore_index=True)


def by_the_model(rows: pd.DataFrame, clock_ms: int) -> pd.DataFrame:
    """What the fold says of the same executions, until `clock_ms`."""
    told = []
    for project, of_project in rows.groupby("project"):
        cells: dict[str, str] = {}
        seen: dict[str, str] = {}
        for row in of_project.itertuples():
            finish = Finish(project, row.run, row.minute * MINUTE_MS, row.failing, row.erring, row.arrived_ms)
            told += learn(cells, seen, finish)
        told += pass_time(cells, project, clock_ms)
    return pd.DataFrame(
        [
            {
                "project": one.project,
                "as_of_ms": one.as_of_ms,
                "failure_rate_24h": one.failure_rate_24h,
                "failure_rate_7d": one.failure_rate_7d,
                **{
                    f"{when}.{name}": getattr(getattr(one.failure_velocity, when), name)
                    for when in ("last_minute", "current_minute")
                    for name in ("runs", "failing_runs", "error_runs")
                },
            }
            for one in told
        ]
    ).set_index(["project", "as_of_ms"])[VALUES]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("hours", "days_after"), [(3, 0), (30, 9), (24 * 9, 3)])
def test_model_and_reference_say_the_same_at_the_same_instants(seed: int, hours: float, days_after: float) -> None:
    rows = executions(seed, count=80, hours=hours)
    clock_ms = int(START_MS + hours * HOUR_MS + days_after * DAY_MS)
    told = health(rows, clock_ms).told
    pd.testing.assert_frame_equal(by_the_model(rows, clock_ms), told, check_dtype=False, check_index_type=False)


class Lying:
    """A message as a consumer gives it."""

    def __init__(self, offset: int, key: bytes | None, value: bytes | None, stamped_ms: int, **headers: bytes) -> None:
        self.place, self.kept, self.stamped_ms = (0, offset), (key, value), stamped_ms
        self.named = list(headers.items())

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def timestamp(self) -> tuple[int, int]:
        return 2, self.stamped_ms

    def key(self) -> bytes | None:
        return self.kept[0]

    def value(self) -> bytes | None:
        return self.kept[1]

    def headers(self) -> list[tuple[str, bytes]]:
        return self.named


def lying(offset: int, *, late_ms: int = 0, key: bytes | None = b"acme/app", **changed: bytes) -> Lying:
    """A good message, but for what is changed."""
    at_ms = START_MS + offset * 1000
    headers = {"run": b"1", "attempt": b"1", "outcome": b"failure", "event_ms": str(at_ms - late_ms).encode()}
    return Lying(offset, key, b"{}", at_ms, **{**headers, **changed})


def test_what_counts_is_decided_in_whole_seconds() -> None:
    ages_ms = (86_400_000, 86_400_999, 86_401_000, -300_000, -301_000)
    found = read([lying(at, late_ms=age) for at, age in enumerate(ages_ms)], partitions=1, clock="life")
    assert list(found.rejected.reason) == ["too-late", "too-late", "future"]
    assert list(found.executions.offset) == [0, 3]
    assert found.clock_ms == START_MS + 4000 - 1000


def test_the_first_reason_that_applies_is_told_and_ticks_are_nothing() -> None:
    broken = [
        lying(0, key=None), lying(1, key=b""), lying(2, key=b"\xff/a"), lying(3, run=b""), lying(4, attempt=b"0"),
        lying(5, attempt=b"10001"), lying(6, outcome=b"odd"), lying(7, event_ms=b"soon"), lying(8, event_ms=b"-1"),
        lying(9, key=b"", run=b""), Lying(10, None, b"", START_MS, ce_type=b"argus.tick"),
    ]  # fmt: skip
    found = read(broken, partitions=1, clock="life")
    told = ["no-key", "key", "key", "run", "attempt", "attempt", "outcome", "event-time", "event-time", "key"]
    assert list(found.rejected.reason) == told


def test_a_replays_clock_is_in_its_header() -> None:
    told = [lying(0, late_ms=-9_000_000, arrived_ms=str(START_MS + 9_000_000).encode()), lying(1)]
    told.append(Lying(2, b"acme/app", b"{}", START_MS + 900_000_000))  # without it no time passes
    found = read(told, partitions=1, clock="replay")
    assert list(found.executions.arrived_ms) == [START_MS + 9_000_000, START_MS + 1000]
    assert found.clock_ms == START_MS + 9_000_000 - 1000


def test_a_run_counts_once_in_its_least_minutes() -> None:
    told = [("1", 7, True, False), ("1", 5, False, False), ("1", 9, True, True), ("2", 5, False, False)]
    rows = pd.DataFrame(told, columns=["run", "minute", "failing", "erring"]).assign(project="a/b")
    minutes = {minute_ms // MINUTE_MS: tuple(row) for (_, minute_ms), *row in velocity(rows).itertuples()}
    assert minutes == {5: (2, 0, 0), 7: (0, 1, 0), 9: (0, 0, 1)}
