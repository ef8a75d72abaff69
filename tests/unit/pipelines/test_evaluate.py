"""The evaluation: one model in two forms, comparators on series counted by hand, fixed points of the judge."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hours import hours_of_week
from models.velocity import Fleet, begin, count, decide, fires, score
from pipelines.evaluate import arrivals, many, nab, simulated
from pipelines.evaluate.alarms import Scores, alarms, apart, best, dense, judge
from pipelines.evaluate.comparators import COMPARATORS, INFINITE, ears_c2, rolling_ratio, seasonal_z, three_sigma
from pipelines.evaluate.population import WEEK_MIN, Incidents, Population, side_by_side
from pipelines.evaluate.recordings import find

FIRST = simulated.FIRST_MIN
SMALL = simulated.Fleet(projects=4, weeks=3, warm_weeks=2)


def column(*counts: int, minutes: int = 0) -> np.ndarray:
    """One series, filled with silence in front up to `minutes`."""
    return np.array([0] * (minutes - len(counts)) + list(counts))[:, None]


def incidents(*known: tuple[int, int, int]) -> Incidents:
    """Of (series, start, minutes)."""
    return Incidents(*np.array(known, np.int64).reshape(-1, 3).T)


def scores_at(*points: tuple[int, int, float]) -> Scores:
    """Of (series, minute, score)."""
    series, minute, value = zip(*points, strict=True)
    return Scores(np.array(series), np.array(minute), np.array(value))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2500), st.integers(1, 20)), max_size=40),
    st.floats(0.001, 0.5),
)
def test_one_series_and_many_at_once_believe_the_same(events: list[tuple[int, int, int]], rate: float) -> None:
    counts = np.zeros((2600, 3), np.int64)
    for series, minute, runs in events:
        counts[minute, series] += runs
    fleet = Fleet(rate, tuple(1 + 0.5 * np.sin(np.arange(168))))
    told = many.follow(counts, hours_of_week(FIRST, len(counts), "UTC"), fleet)
    together = dict(zip(zip(told.minute.tolist(), told.series.tolist(), strict=True), told.p, strict=True))
    opened = list(zip(told.minute[told.opens].tolist(), told.series[told.opens].tolist(), strict=True))
    alone, opened_alone = {}, []
    for series in range(3):
        state = begin(FIRST, "UTC", fleet)
        for minute in np.flatnonzero(counts[:, series]):
            state = decide(count(state, FIRST + int(minute), int(counts[minute, series]), "UTC", fleet))
            may = [window.p for window in score(state) if fires(window.evidence, window.expected, 0.0)]
            if may:
                alone[int(minute), series] = min(may)
            if state.opened == state.minute:
                opened_alone.append((int(minute), series))
    assert together == pytest.approx(alone, rel=1e-6)
    assert opened == sorted(opened_alone)


def test_a_rolling_mean_after_an_empty_hour_takes_any_failure_for_an_incident() -> None:
    scored = rolling_ratio(column(1, minutes=100))
    assert (scored[99, 0], scored[:99].sum()) == (INFINITE, 0)
    assert rolling_ratio(column(*[1] * 60, 3))[60, 0] == 3


def test_three_sigma_counts_deviations_of_the_hour_before() -> None:
    assert three_sigma(column(*[0, 2] * 30, 4))[60, 0] == pytest.approx(3)
    assert three_sigma(column(*[1] * 60, 1))[60, 0] == 0
    assert three_sigma(column(*[1] * 60, 2))[60, 0] >= INFINITE


def test_ears_c2_leaves_out_the_half_hour_before_and_needs_a_deviation_of_one() -> None:
    silence = column(*[0] * 200, *[1] * 5)
    assert ears_c2(silence)[204, 0] == 5
    steady = column(*[1] * 200)
    assert ears_c2(steady)[199, 0] == 0
    shielded = column(*[0] * 165, *[2] * 30, *[1] * 15)  # the two sums before are no part of the mean
    assert ears_c2(shielded)[209, 0] == 15


def test_seasonal_z_compares_with_the_same_minutes_of_the_weeks_before() -> None:
    counts = np.zeros((2 * WEEK_MIN, 1), np.int64)
    counts[1000:1060] = 1
    counts[WEEK_MIN + 1000 : WEEK_MIN + 1060] = 1
    counts[WEEK_MIN + 5000] = 6
    scored = seasonal_z(counts)
    assert scored[:WEEK_MIN].max() == 0
    assert scored[WEEK_MIN + 1059, 0] == pytest.approx(0)
    assert scored[WEEK_MIN + 5000, 0] == 6


@pytest.mark.parametrize("name", COMPARATORS)
def test_a_comparator_knows_nothing_of_the_future(name: str) -> None:
    counts = np.random.default_rng(1).poisson(0.2, (WEEK_MIN + 3000, 2))
    later = counts.copy()
    later[WEEK_MIN + 2000 :] = 50
    scorer, _ = COMPARATORS[name]
    np.testing.assert_allclose(scorer(counts)[: WEEK_MIN + 2000], scorer(later)[: WEEK_MIN + 2000])


def test_minutes_above_the_threshold_are_one_alarm_until_thirty_without() -> None:
    scored = scores_at((0, 10, 5), (0, 40, 5), (0, 71, 5), (0, 72, 1), (1, 72, 5))
    series, minute = alarms(scored, 4)
    assert list(zip(series.tolist(), minute.tolist(), strict=True)) == [(0, 10), (0, 71), (1, 72)]


def test_the_judge_has_fixed_points() -> None:
    population = Population(FIRST, np.zeros((2880, 2), np.int64), incidents((0, 1500, 20), (1, 2000, 20)), 1440)
    nothing = judge(population, scores_at((0, 1500, 0.0)), 1)
    assert (nothing.false_per_day, nothing.recall, str(nothing.latency_min)) == (0, 0, "nan")
    perfect = judge(population, scores_at((0, 1500, 2), (1, 2000, 2)), 1)
    assert (perfect.false_per_day, perfect.recall, perfect.latency_min) == (0, 1, 1)
    wrong = judge(population, scores_at((0, 1499, 2), (0, 1535, 2), (1, 1500, 2)), 1)
    assert (wrong.false_per_day, wrong.recall) == (1.5, 0)
    late = judge(population, scores_at((0, 1534, 2)), 1)
    assert (late.false_per_day, late.recall, late.latency_min) == (0, 0.5, 35)


def test_the_best_threshold_keeps_to_its_budget() -> None:
    population = Population(FIRST, np.zeros((2 * 1440, 1), np.int64), incidents((0, 1500, 20)), 1440)
    scored = scores_at((0, 1500, 3), (0, 2000, 2), (0, 2200, 4))
    assert best(population, scored, 1).recall == 1
    assert best(population, scored, 0.5).recall == 0


def test_populations_scored_in_one_pass_are_told_apart() -> None:
    one, two = (Population(FIRST, np.full((10, width), width), incidents(), 0) for width in (1, 2))
    together = side_by_side([one, two])
    first, second = apart(dense(together.counts, together), [one, two])
    assert set(first.score) == {1}
    assert (set(second.score), set(second.series)) == ({2}, {0, 1})


def test_only_judged_minutes_are_scored() -> None:
    population = Population(FIRST, np.ones((100, 2), np.int64), incidents(), 60)
    assert dense(np.ones((100, 2)), population).minute.min() == 60


def test_the_simulator_gives_the_same_fleet_for_a_seed_and_its_incidents_are_there() -> None:
    one, again, other = (simulated.simulate(seed, SMALL) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.counts, again.counts)
    assert not np.array_equal(one.counts, other.counts)
    assert len(one.incidents.series) == SMALL.projects * (SMALL.weeks - SMALL.warm_weeks)
    assert one.incidents.start.min() >= one.judged
    inside = [
        one.counts[start : start + lasts, series].mean()
        for series, start, lasts in zip(one.incidents.series, one.incidents.start, one.incidents.minutes, strict=True)
    ]
    assert np.mean(inside) > 0.3


def commits(path: Path, rows: str, *, head: str = "date,bug") -> Path:
    """A file of commits with these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}\n{rows}" if path.suffix == ".csv" else rows)
    return path


def test_the_densest_weeks_are_found_and_begin_on_a_monday(tmp_path: Path) -> None:
    start = FIRST * 60
    rows = [f"{start + week * 604_800 + 90},{week % 2}" for week in range(40) for _ in range(1 + (week >= 15))]
    read = arrivals.read(commits(tmp_path / "qt_k_feature.csv", "\n".join(rows)))
    assert list(read) == ["qt commits", "qt buggy commits"]
    first, counts = arrivals.densest(read["qt commits"])
    assert (first - FIRST) // WEEK_MIN == 15
    assert (len(counts), counts.sum(), counts[1]) == (20 * WEEK_MIN, 40, 2)


def test_incidents_are_laid_over_the_judged_weeks_alone() -> None:
    quiet = Population(FIRST, np.zeros((arrivals.WEEKS * WEEK_MIN, 2), np.int64), incidents(), 12 * WEEK_MIN)
    burning = arrivals.burning(quiet, 1)
    assert quiet.counts.sum() == burning.counts[: quiet.judged].sum() == 0
    assert len(burning.incidents.start) == 2 * 28
    assert burning.counts.sum() == pytest.approx(56 * 8, rel=0.2)


def minutes(many: int) -> np.ndarray:
    """So many minutes from a Monday on."""
    return np.datetime64("2026-01-05T00:00:00") + np.arange(many) * np.timedelta64(60, "s")


def nab_series(*windows: tuple[int, int], values: int = 1000) -> nab.Series:
    """A silent series with these anomalous windows."""
    return nab.Series("made", np.zeros(values), minutes(values), windows)


def test_the_standard_score_has_its_fixed_points() -> None:
    two = [nab_series((300, 399), (600, 699)), nab_series()]
    assert nab.standard(two, [[], []]) == 0
    assert nab.standard(two, [[300, 600], []]) == pytest.approx(100)
    assert nab.standard(two, [[300, 301, 302, 600], []]) == pytest.approx(100)  # the first in a window counts
    assert 0 < nab.standard(two, [[399], []]) < nab.standard(two, [[350], []]) < 50
    assert nab.standard(two, [[149], [100]]) == 0  # in probation
    assert nab.standard(two, [[200], []]) == pytest.approx(-11 / 4)
    assert nab.standard(two, [[], [200]]) == pytest.approx(-11 / 4)
    assert -11 / 4 < nab.standard(two, [[410], []]) < 0  # right behind a window it costs less


def test_a_windowed_gaussian_finds_a_jump_after_noise() -> None:
    values = np.sin(np.arange(500.0))
    values[400] = 50
    found = nab.windowed_gaussian(nab.Series("made", values, minutes(500), ()))
    assert [at for at in found if at > 2] == [400]


def test_the_scorer_gives_a_windowed_gaussian_what_is_published_for_it(shared_data: Path) -> None:
    series = find(shared_data).benchmark
    assert len(series) == 18
    assert nab.standard(series, [nab.windowed_gaussian(one) for one in series]) == pytest.approx(10.8, abs=0.1)


def test_the_recorded_commits_are_mostly_silence(shared_data: Path) -> None:
    quiet = arrivals.quiet(find(shared_data).commits)
    assert quiet.counts.shape == (20 * WEEK_MIN, 4)
    assert np.mean(quiet.counts == 0) > 0.98
