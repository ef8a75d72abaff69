"""What the pictures show, as numbers; and that each part of a run has its picture."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import Misconfigured
from pipelines.evaluate import nab, simulated
from pipelines.evaluate.alarms import Scores
from pipelines.evaluate.curves import busiest_week, detections, operating_curve, recall_by_rate, week_of, wilson
from pipelines.evaluate.plots import draw
from pipelines.evaluate.population import WEEK_MIN, Incidents, Population
from pipelines.evaluate.velocity import SIMULATED, Evaluated, Trace, Traces

FIRST = simulated.FIRST_MIN


def trace(counts: np.ndarray, incidents: list[tuple[int, int, int]], scores: list[tuple[int, int, float]]) -> Trace:
    """A population of which the first week teaches."""
    series, minute, score = zip(*scores, strict=True)
    known = Incidents(*np.array(incidents, np.int64).reshape(-1, 3).T)
    return Trace(
        Population(FIRST, counts, known, WEEK_MIN), Scores(np.array(series), np.array(minute), np.array(score))
    )


def counted(*rates: int, weeks: int = 2) -> np.ndarray:
    """Series with so many runs in every hour."""
    counts = np.zeros((weeks * WEEK_MIN, len(rates)), np.int64)
    counts[::60] = rates
    return counts


def test_an_interval_holds_its_share_and_narrows_with_more() -> None:
    for hits, of in ((0, 5), (5, 5), (40, 50)):
        low, high = wilson(hits, of)
        assert 0 <= low <= hits / of <= high <= 1
    assert wilson(400, 500)[1] - wilson(400, 500)[0] < wilson(40, 50)[1] - wilson(40, 50)[0]


def test_the_curve_has_a_point_for_each_threshold() -> None:
    at = WEEK_MIN
    one = trace(counted(1, weeks=2), [(0, at + 100, 20)], [(0, at + 101, 5.0), (0, at + 900, 3.0)])
    assert operating_curve([one], [one], [1e-2, 1e-4, 1e-6]) == [(1 / 7, 1.0), (0.0, 1.0), (0.0, 0.0)]


def test_incidents_are_counted_by_the_rate_of_their_series() -> None:
    at = WEEK_MIN
    counts = counted(1, 60, weeks=8)  # 49 days are judged of both: a budget of four false alarms
    scores = [(0, at + 100, 9.0), (0, at + 3000, 1.0), *((1, at + 5000 + 60 * n, 2.0) for n in range(9))]
    one = trace(counts, [(1, at + 100, 20), (0, at + 100, 20), (0, at + 3000, 20)], scores)
    bands = recall_by_rate([one], [0.001, 0.1, 0.5, 10])
    assert [(band.low, band.incidents, band.recall) for band in bands] == [(0.001, 2, 0.5), (0.5, 1, 0.0)]
    assert all(band.least <= band.recall < band.most for band in bands)


def test_the_busiest_week_is_shown_with_what_was_expected_and_told() -> None:
    counts = counted(1, 3, weeks=4)
    counts[2 * WEEK_MIN : 3 * WEEK_MIN : 30, 1] += 1
    at = 2 * WEEK_MIN
    one = trace(counts, [(0, at, 20), (1, at + 120, 20), (1, at + WEEK_MIN, 20)], [(1, at + 130, 9), (1, at + 600, 9)])
    assert busiest_week(one.population) == (1, at)
    week = week_of(one, 1, at, 1e-4)
    assert (week.first, len(week.observed), len(week.expected)) == (FIRST + at, 672, 672)
    assert week.observed.sum() == counts[at : at + WEEK_MIN, 1].sum()
    assert week.expected.sum() == pytest.approx(168 * 4, rel=0.2)
    assert (week.incidents, week.found, week.false) == (
        [(2.0, pytest.approx(2 + 1 / 3))],
        [pytest.approx(13 / 6)],
        [10.0],
    )


def test_detections_are_in_a_window_or_outside_and_probation_is_not_judged() -> None:
    series = nab.Series(
        "a", np.zeros(1000), np.datetime64("2026-01-05", "s") + np.arange(1000), ((300, 400), (500, 600))
    )
    found = detections(series, [10, 300, 350, 450])
    assert (found.inside, found.outside, found.met, found.judged) == ([300, 350], [450], 1, 3)


def test_every_part_of_a_run_has_its_picture_and_what_was_not_run_has_none(tmp_path: Path) -> None:
    at = WEEK_MIN
    one = trace(counted(1, 3), [(0, at + 60, 20), (1, at + 120, 20)], [(0, at + 90, 9.0), (1, at + 600, 9.0)])
    times = np.datetime64("2026-01-05", "s") + np.arange(600) * 300
    series = nab.Series("made.csv", np.ones(600), times, ((300, 320),))
    judged = {f"{part}.{name}": 0.5 for part in ("real", "sim") for name in ("false_alarms_per_day", "recall")}
    simulated_fleet = asdict(simulated.Fleet())
    setup = {"alpha": 1e-4, "simulated": simulated_fleet, "real": {"series": {"mine": 1, "yours": 2}}}
    both = Traces((one, one), (one,), (series,), ([305, 500],))
    figures = {**judged, SIMULATED: 0.5}
    drawn = draw(tmp_path / "both", Evaluated(figures, {"rolling_mean_3x": judged}, setup, both))
    names = ["week.png", "operating-curve.png", "recall-by-rate.png", "benchmark.png"]
    assert [path.name for path in drawn] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    alone = Evaluated(figures, {"rolling_mean_3x": judged}, setup, Traces((), (one,), (), ()))
    assert [path.name for path in draw(tmp_path / "alone", alone)] == names[1:3]
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"--plots .*file: cannot be written"):
        draw(tmp_path / "file", alone)
