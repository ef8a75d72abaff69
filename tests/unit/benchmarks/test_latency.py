"""Which reading shows the effect of which run."""

import random
from itertools import pairwise

from benchmarks.latency_path import Sent, Tally, match


def sent(*rates: float) -> list[Sent]:
    """Runs of one project that make these rates one after another."""
    return [Sent("acme/app", rate, 0, 0) for rate in rates]


def readable_ns(runs: list[Sent]) -> list[int]:
    """When each run's effect was read."""
    return [one.readable_ns for one in runs]


def test_a_reading_shows_the_run_that_made_its_rate() -> None:
    runs = sent(1.0, 0.5, 0.25)
    assert match(runs, [(10, 1.0), (20, 0.5), (30, 0.25)]) == 0
    assert readable_ns(runs) == [10, 20, 30]


def test_a_rate_shows_all_runs_before_it_too() -> None:
    runs = sent(1.0, 0.5, 0.25)
    assert match(runs, [(10, 1.0), (30, 0.25)]) == 0
    assert readable_ns(runs) == [10, 30, 30]


def test_a_rate_read_again_is_not_the_same_rate_of_a_later_run() -> None:
    runs = sent(1.0, 0.5, 0.25, 0.5, 0.25)
    assert match(runs, [(10, 1.0), (20, 0.5), (21, 0.5), (30, 0.25), (40, 0.5)]) == 0
    assert readable_ns(runs) == [10, 20, 30, 40, 0], "the last was never seen"


def test_a_rate_that_never_was_is_counted() -> None:
    assert match(sent(1.0, 0.5), [(10, 1.0), (11, 0.75)]) == 1


def test_every_run_but_the_first_moves_the_rate() -> None:
    rng, tally = random.Random(1), Tally()
    rates = [tally.count(tally.next_fails(rng.random())) for _ in range(2_000)]
    assert rates[:2] == [1.0, 0.5]
    assert all(one != other for one, other in pairwise(rates))
    assert 0.05 < rates[-1] < 0.2
