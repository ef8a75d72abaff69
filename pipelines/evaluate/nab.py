"""The Numenta Anomaly Benchmark: its series and its standard score, 0 for no detection and 100 for a perfect one.

Source: Lavin and Ahmad 2015, Evaluating Real-time Anomaly Detection Algorithms: the first detection in a window earns
more the earlier it is, one outside costs .11 as it lies farther behind a window, a window without one costs 1.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Misconfigured

FALSE_WEIGHT = 0.11
PROBATION_SHARE, PROBATION_MOST = 0.15, 750
GAUSSIAN_WINDOW, GAUSSIAN_STEP, GAUSSIAN_ALPHA = 6400, 100, 1e-12
FAR = 3.0  # window lengths behind a window from which on a false detection costs all it can


@dataclass(frozen=True)
class Series:
    """Values in their order, the hour of the week (0 is Monday 00:00) of each, and anomalous windows [first, last]."""

    name: str
    values: NDArray[np.float64]
    hours: NDArray[np.int64]
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """So many values at the start are not judged."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_MOST)


def read(data: Path) -> list[Series]:
    """Every series of `data`/nab that has a label.

    Raises Misconfigured when the folder or a file is missing, or is of another form.
    """
    folder = data / "nab"
    try:
        labels = json.loads((folder / "combined_windows.json").read_text())
        series = [_series(folder, name, labels[name]) for name in sorted(labels) if (folder / "data" / name).exists()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as told:
        raise Misconfigured(f"{folder}: is not the Numenta Anomaly Benchmark ({told!r})") from told
    if not any(one.windows for one in series):
        raise Misconfigured(f"{folder}: is not the Numenta Anomaly Benchmark (no series with an anomaly)")
    return series


def standard(series: Sequence[Series], detections: Sequence[Sequence[int]]) -> float:
    """The standard score of the detections (positions in ascending order) in each of the series."""
    windows = sum(len(one.windows) for one in series)
    total = sum(_raw(one, found) for one, found in zip(series, detections, strict=True))
    return 100 * (total + windows) / (2 * windows)


def windowed_gaussian(series: Series) -> list[int]:
    """Positions of values that are hardly possible under a normal distribution of the 6,400 before, fitted every 100.

    The benchmark's own comparator; with this threshold the score of the 18 public files is 10.8.
    """
    found, mean, deviation = [], 0.0, 0.0
    for at, value in enumerate(series.values):
        if at and math.erfc(abs(value - mean) / deviation / math.sqrt(2)) / 2 <= GAUSSIAN_ALPHA:
            found.append(at)
        slides = at - GAUSSIAN_WINDOW + 1
        if slides <= 0 or slides % GAUSSIAN_STEP == 0:
            known = series.values[max(0, slides) : at + 1]
            mean, deviation = float(known.mean()), float(known.std()) or 1e-6
    return found


def as_counts(series: Series) -> NDArray[np.int64]:
    """The values as counts, one column: rounded, and nothing below 0."""
    counts: NDArray[np.int64] = np.rint(np.maximum(series.values, 0)).astype(np.int64)[:, None]
    return counts


def _raw(series: Series, detections: Sequence[int]) -> float:
    total, met = 0.0, set()
    for at in detections:
        if at < series.probation:
            continue
        window = next((window for window in series.windows if window[0] <= at <= window[1]), None)
        if window is None:
            total += FALSE_WEIGHT * _behind(series, at)
        elif window not in met:
            met.add(window)
            total += _worth(-(window[1] - at + 1) / (window[1] - window[0] + 1)) / _worth(-1)
    return total - (len(series.windows) - len(met))


def _behind(series: Series, at: int) -> float:
    """What a false detection is worth, from 0 right behind a window to -1 far from any."""
    before = [window for window in series.windows if window[1] < at]
    if not before:
        return -1.0
    first, last = before[-1]
    return _worth((at - last) / max(1, last - first))


def _worth(position: float) -> float:
    """Of a detection, by its position: -1 at the begin of a window, 0 at its end."""
    return -1.0 if position > FAR else 2 / (1 + math.exp(5 * position)) - 1


def _series(folder: Path, name: str, labels: list[list[str]]) -> Series:
    with (folder / "data" / name).open(newline="") as file:
        rows = [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
    windows = []
    for start, end in labels:
        inside = [
            at
            for at, (time, _) in enumerate(rows)
            if datetime.fromisoformat(start) <= time <= datetime.fromisoformat(end)
        ]
        windows.append((inside[0], inside[-1]))
    hours = np.array([time.weekday() * 24 + time.hour for time, _ in rows])
    return Series(name, np.array([value for _, value in rows]), hours, tuple(sorted(windows)))
