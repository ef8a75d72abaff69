"""A measurement is told whole or not at all."""

import json
import math

import pytest

from benchmarks.report import Measured, checked
from contracts.errors import Unavailable

MEASURED = Measured("velocity", {"ours_p1": 1234.5, "wrong_rows": 0}, {"bare": {"ratio": 0.9}}, {"messages": 10})


def test_a_measurement_is_one_json_object_on_one_line() -> None:
    told = MEASURED.to_json()
    assert "\n" not in told
    assert json.loads(told) == {
        "name": "velocity",
        "figures": {"ours_p1": 1234.5, "wrong_rows": 0},
        "against": {"bare": {"ratio": 0.9}},
        "setup": {"messages": 10},
    }


def test_a_table_has_every_number_and_whom_it_is_compared_with() -> None:
    assert MEASURED.rows() == [("ours_p1", "1,234.5"), ("wrong_rows", "0"), ("ratio, bare", "0.9")]


def test_a_measurement_with_all_that_was_promised_passes() -> None:
    assert checked(MEASURED, ["ours_p1"]) is MEASURED


def test_a_missing_figure_is_named() -> None:
    with pytest.raises(Unavailable, match="no ours_p2"):
        checked(MEASURED, ["ours_p1", "ours_p2"])


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "7", True])
def test_what_is_no_number_is_no_figure(value: object) -> None:
    with pytest.raises(Unavailable, match="p99_ms is"):
        checked(Measured("latency", {"p99_ms": value}), ["p99_ms"])  # type: ignore[dict-item]
