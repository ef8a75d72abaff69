"""The load of the velocity measurement, what is right for it, and how a result is held against that."""

import json

import numpy as np

from benchmarks.report import Measured, checked
from benchmarks.velocity import BODIES, CONTESTANTS, FIGURES, figures_of, in_turn, times_as_fast
from benchmarks.velocity_drain import Result
from benchmarks.velocity_flink import Timed
from benchmarks.velocity_load import PROJECTS, Load, history, messages
from benchmarks.velocity_reference import messages_by_minute, runs_by_minute, wrong_rows
from contracts.records import FailureVelocity, JobExecution, decode, encode
from contracts.topics import RUNS

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000


def test_a_load_has_as_many_messages_as_asked_over_all_projects() -> None:
    load = history(20_000, now_ms=NOW_MS)
    assert len(load.order) == 20_000
    assert len(np.unique(load.project)) == PROJECTS
    assert len(np.unique(load.order)) < 20_000, "some are sent twice"
    assert load.finished_ms.max() < NOW_MS
    assert load.finished_ms.min() >= NOW_MS - 6 * 3_600_000, "nothing is too late to count"


def test_the_same_seed_makes_the_same_load() -> None:
    one, other = (history(1_000, now_ms=NOW_MS, seed=3) for _ in range(2))
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("run", "outcome", "order"))


def test_messages_are_as_the_contract_makes_them_and_of_the_size_asked() -> None:
    load = history(1_000, now_ms=NOW_MS)
    for body in (300, 1_000):
        sent = list(messages(load, body=body, namespace="bench"))
        assert abs(sum(len(one.value) for one in sent) / len(sent) - body) < 10
        headers = dict(sent[0].headers)
        assert RUNS.headers.keys() < headers.keys()
        assert decode(JobExecution, sent[0].value).project == sent[0].key.decode()
        assert int(headers["event_ms"]) == json.loads(sent[0].value)["finished_ms"]


def load_of(*rows: tuple[int, int, str, int, int], again: tuple[int, ...] = ()) -> Load:
    """Rows of (project, run, outcome, attempt, minute)."""
    project, run, outcome, attempt, minute = map(np.array, zip(*rows, strict=True))
    return Load(project, run, outcome, attempt, minute * MINUTE_MS + 59_999, np.array([*range(len(rows)), *again]))


def test_a_run_counts_in_its_least_minutes_however_often_it_is_sent() -> None:
    load = load_of(
        (1, 7, "success", 1, 12),
        (1, 7, "timeout", 1, 11),
        (1, 7, "failure", 2, 10),
        (1, 8, "error", 1, 12),
        (2, 9, "success", 1, 12),
        again=(3, 3),
    )
    assert runs_by_minute(load) == {
        ("org1/proj001", 10 * MINUTE_MS): (1, 0, 0),
        ("org1/proj001", 11 * MINUTE_MS): (0, 1, 0),
        ("org1/proj001", 12 * MINUTE_MS): (1, 0, 1),
        ("org2/proj002", 12 * MINUTE_MS): (1, 0, 0),
    }
    assert messages_by_minute(load)["org1/proj001", 12 * MINUTE_MS] == (4,)


def test_rows_that_differ_are_missing_or_too_many_are_wrong() -> None:
    assert (
        wrong_rows({("a", 1): (1,), ("a", 2): (2,), ("a", 3): (3,)}, {("a", 1): (1,), ("a", 2): (9,), ("b", 1): (1,)})
        == 3
    )


def written(minute_ms: int, runs: int) -> tuple[bytes, bytes]:
    """Key and value as the job writes them."""
    row = FailureVelocity(project="acme/app", minute_ms=minute_ms, runs=runs, failing_runs=0, error_runs=0)
    return f"acme/app\x1f{minute_ms}".encode(), encode(row)


def test_a_result_is_right_once_the_last_row_is_and_tells_when_that_was() -> None:
    minute_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    result = Result({("acme/app", minute_ms): (2, 0, 0)})
    assert result.wrong == 1
    result.take(*written(minute_ms, 1), at_ms=10)
    assert result.wrong == 1
    result.take(*written(minute_ms, 2), at_ms=20)
    result.take(*written(minute_ms, 2), at_ms=30)
    assert (result.wrong, result.end_ms, result.written) == (0, 20, 3), "a repeat changes nothing"


def test_a_row_too_many_is_wrong_until_it_is_withdrawn() -> None:
    minute_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    result = Result({})
    key, value = written(minute_ms, 1)
    result.take(key, value, at_ms=10)
    assert result.wrong == 1
    result.take(key, None, at_ms=20)
    assert (result.wrong, result.end_ms) == (0, 20)


def test_a_row_of_zeros_is_no_row() -> None:
    minute_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    result = Result({})
    result.take(*written(minute_ms, 0), at_ms=10)
    assert (result.wrong, result.end_ms) == (0, 0)
    result.take(*written(minute_ms, 1), at_ms=20)
    result.take(*written(minute_ms, 0), at_ms=30)
    assert (result.wrong, result.end_ms) == (0, 30)


def test_contestants_take_turns_and_a_long_run_is_not_repeated() -> None:
    order: list[str] = []

    def contestant(name: str, rate: float) -> Timed:
        order.append(name)
        return Timed(rate, 0, 0)

    runs = {"quick": lambda: contestant("quick", 1000), "slow": lambda: contestant("slow", 10)}
    taken = in_turn(runs, 1000, lambda _: None)
    assert order == ["quick", "slow", "quick"]
    assert [len(all_) for all_ in taken.values()] == [2, 1]


def test_every_contestant_has_its_rate_its_wrong_rows_and_its_memory_for_both_bodies() -> None:
    assert {"ours_p1", "bare_json_p2_1kb", "wrong_rows_quix", "rss_mb_bytewax_1kb"} < set(FIGURES)
    assert len(FIGURES) == 2 * 3 * len(CONTESTANTS)


def test_of_two_runs_the_faster_counts_the_more_wrong_rows_and_the_more_memory() -> None:
    taken = {"ours_p1": [Timed(100, 0, 500), Timed(90, 2, 600)]}
    assert figures_of(taken, "_1kb") == {"ours_p1_1kb": 100, "wrong_rows_ours_p1_1kb": 2, "rss_mb_ours_p1_1kb": 600}


def test_a_full_round_gives_all_that_is_promised_and_compares_with_everybody() -> None:
    rates = {name: 50.0 if name.startswith("ours") else 100.0 for name in CONTESTANTS}
    figures = {}
    for suffix in BODIES:
        figures |= figures_of({name: [Timed(rate, 0, 1)] for name, rate in rates.items()}, suffix)
    times = times_as_fast(figures)
    assert checked(Measured("velocity", figures, times), FIGURES)
    assert {name: set(values.values()) for name, values in times.items()} == {
        "bare_json": {0.5}, "bytewax": {0.5}, "quix": {0.5}
    }  # fmt: skip
