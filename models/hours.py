"""Hours of the week, as people in a time zone live them."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

VERSION = 1
CELLS = 168  # hours of the week, 0 is Monday 00:00: what models keep by them


def hour(minute: int, zone: str) -> tuple[int, int]:
    """The cell of a minute, and the minutes of its hour from it on: offsets of time zones are quarters of an hour."""
    cell, left = _hour_of(minute // 15, zone)
    return cell, left - minute % 15


def hours_of_week(first: int, minutes: int, zone: str) -> NDArray[np.int64]:
    """The cell of each of `minutes` minutes from `first` (since the epoch) on."""
    cells = np.empty(minutes, np.int64)
    at = 0
    while at < minutes:
        cell, left = hour(first + at, zone)
        cells[at : at + left] = cell
        at += left
    return cells


@lru_cache(maxsize=4096)
def _hour_of(quarter: int, zone: str) -> tuple[int, int]:
    """The cell of a quarter of an hour (since the epoch), and the minutes from its start to the end of the hour."""
    local = datetime.fromtimestamp(quarter * 900, ZoneInfo(zone))
    return local.weekday() * 24 + local.hour, 60 - local.minute
