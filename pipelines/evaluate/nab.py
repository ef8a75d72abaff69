"""The Numenta Anomaly Benchmark: its series and its standard score, 0 for no detection and 100 for a perfect one.

Source: Lavin and Ahmad 2015, Evaluating Real-time Anomaly Detection Algorithms: the first detection in a window earns
more the earlier it is, one outside costs .11 as it lies farther behind a window, a window without one costs 1.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Misconfigured
from models.hours import CELLS

FALSE_WEIGHT = 0.11
PROBATION_SHARE, PROBATION_MOST = 0.15, 750
GAUSSIAN_WINDOW, GAUSSIAN_STEP, GAUSSIAN_ALPHA = 6400, 100, 1e-12
MOST = 1e12  # a value as a count stays far within 64 bits
THURSDAY = 72  # the hour of the week at which the epoch begins
FAR = 3.0  # window lengths behind a window from which on a false detection costs all it can


Labels = Mapping[str, list[list[str]]]


@dataclass(frozen=True)
class Series:
    """Values in their order, when each was (UTC, whole seconds), and anomalous windows [first, last] of positions."""

    name: str
    values: NDArray[np.float64]
    times: NDArray[np.datetime64]
    windows: tuple[tuple[int, int], ...]

    @property
    def hours(self) -> NDArray[np.int64]:
        """The hour of the week of each value; 0 is Monday 00:00."""
        since_monday: NDArray[np.int64] = self.times.astype("datetime64[h]").astype(np.int64) + THURSDAY
        return since_monday % CELLS

    @property
    def probation(self) -> int:
        """So many values at the start are not judged."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_MOST)


def read_labels(path: Path) -> Labels:
    """The windows of each file, by its path below the labels or below data/ beside them.

    Raises Misconfigured when it is not {"file.csv": [["2014-04-10 16:00:00", "2014-04-12 09:00:00"]]}.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as bad:
        raise Misconfigured(f"{path}: cannot be read as JSON ({bad})") from bad
    wanted = f'{path}: labels are an object of windows by file, as {{"a.csv": [["<first time>", "<last time>"]]}}'
    if not isinstance(told, dict):
        raise Misconfigured(wanted)
    for name, windows in told.items():
        for window in windows if isinstance(windows, list) else [None]:
            if not (isinstance(window, list) and len(window) == 2 and all(isinstance(time, str) for time in window)):
                raise Misconfigured(f"{wanted}; {name!r} has {str(window)[:80]}")
    return told


def read(path: Path, name: str, windows: Sequence[Sequence[str]]) -> Series:
    """One series. Raises Misconfigured, naming file, line and column, when it is of another form."""
    times, values = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                times.append(_time(f"{path}, line {number}: timestamp", row.get("timestamp")))
                values.append(_value(f"{path}, line {number}: value", row.get("value")))
    except (OSError, UnicodeDecodeError, csv.Error) as told:
        raise Misconfigured(f"{path}: cannot be read as CSV ({told})") from told
    if not values:
        raise Misconfigured(f"{path}: holds no values")
    at = np.array(times, "datetime64[s]")
    return Series(name, np.array(values), at, tuple(sorted(_window(path, at, window) for window in windows)))


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


def _window(path: Path, times: NDArray[np.datetime64], window: Sequence[str]) -> tuple[int, int]:
    """Positions of the first and the last value in a labelled window."""
    first, last = (np.datetime64(_time(f"{path}: its label", time), "s") for time in window)
    inside = np.flatnonzero((times >= first) & (times <= last))
    if not len(inside):
        raise Misconfigured(f"{path}: no timestamp lies in its labelled window {window[0]} to {window[1]}")
    return int(inside[0]), int(inside[-1])


def _time(where: str, told: str | None) -> datetime:
    """In UTC, without a zone; what names none is taken as UTC."""
    try:
        time = datetime.fromisoformat(told or "")
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError) as bad:
        raise Misconfigured(f"{where} {told!r} is no time such as 2014-04-10 07:15:00") from bad


def _value(where: str, told: str | None) -> float:
    try:
        value = float(told or "")
    except ValueError as bad:
        raise Misconfigured(f"{where} {told!r} is no number") from bad
    if not abs(value) <= MOST:
        raise Misconfigured(f"{where} {told!r} is not between -{MOST:g} and {MOST:g}")
    return value
