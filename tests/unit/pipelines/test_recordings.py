"""Any folder of commits or labelled series: what is there is judged, what is not is told by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from argus.__main__ import app
from contracts.errors import Misconfigured
from pipelines.evaluate import arrivals, simulated
from pipelines.evaluate.recordings import find
from pipelines.evaluate.velocity import REAL, SIMULATED, Evaluated, Traces, evaluate, promised

MONDAY_S = simulated.FIRST_MIN * 60
WEEKS = [(MONDAY_S + week * 604_800, week % 2) for week in range(arrivals.WEEKS + 1)]
IN_CSV = "date,bug\n" + "\n".join(f"{date},{bug}" for date, bug in WEEKS)
IN_JSONL = "\n".join(json.dumps({"date": date, "bug": bool(bug), "la": 3}) for date, bug in WEEKS)
SERIES = "timestamp,value\n" + "\n".join(f"2026-01-05 {hour:02}:00:00,{hour}" for hour in range(24))
NOTHING = Traces((), (), (), ())
WINDOW = ["2026-01-05 10:00:00", "2026-01-05 12:30:00"]


def put(folder: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name stands for a full stop, `___` for a slash."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_commits_of_both_forms_are_found_in_the_folder_and_in_its_jit(tmp_path: Path) -> None:
    found = find(put(tmp_path, mine__csv=IN_CSV, jit___yours__jsonl=IN_JSONL))
    assert list(found.commits) == ["mine commits", "mine buggy commits", "yours commits", "yours buggy commits"]
    np.testing.assert_array_equal(found.commits["mine commits"], found.commits["yours commits"])
    np.testing.assert_array_equal(found.commits["mine buggy commits"], found.commits["yours buggy commits"])
    assert len(found.commits["mine buggy commits"]) == 10
    assert (found.benchmark, len(found.told)) == ((), 1)
    assert "no labelled series" in found.told[0]


def test_labelled_series_are_found_with_labels_of_any_name(tmp_path: Path) -> None:
    found = find(
        put(tmp_path, a__csv=SERIES, b__csv=SERIES, marks__json=json.dumps({"a.csv": [WINDOW], "gone.csv": []}))
    )
    (one,) = found.benchmark
    assert (one.name, one.windows, one.hours.tolist()) == ("a.csv", ((10, 12),), list(range(24)))
    assert found.told[0] == f"{tmp_path / 'b.csv'}: has timestamp and value, and no labels name it"
    assert found.told[1].startswith("no commits: ")


def test_a_time_with_a_zone_is_told_in_utc(tmp_path: Path) -> None:
    text = "timestamp,value\n2026-01-05T01:30:00+01:00,1\n2026-01-05T02:30:00+01:00,2"
    found = find(put(tmp_path, nab___a__csv=text, nab___l__json='{"a.csv": [["2026-01-05T01:00:00Z", "2026-01-06"]]}'))
    assert (found.benchmark[0].hours.tolist(), found.benchmark[0].windows) == ([0, 1], ((1, 1),))


def test_one_bad_file_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    labels = json.dumps({"a.csv": [WINDOW], "b.csv": [WINDOW]})
    bad = SERIES.replace(",7", ",seven")
    found = find(put(tmp_path, a__csv=SERIES, b__csv=bad, l__json=labels, c__csv=IN_CSV, d__csv=IN_CSV + "\nsoon,1"))
    assert (list(found.commits), [one.name for one in found.benchmark]) == (["c commits", "c buggy commits"], ["a.csv"])
    assert found.told == (
        f"{tmp_path / 'b.csv'}, line 9: value 'seven' is no number",
        f"{tmp_path / 'd.csv'}, line 23: date 'soon' is no number",
    )


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c__csv", "date,other\n1,2", "c.csv, line 2: has no bug"),
        ("c__csv", "la\n1", "c.csv, line 2: has no date and no bug"),
        ("c__csv", "date,bug\nsoon,1", "c.csv, line 2: date 'soon' is no number"),
        ("c__csv", "date,bug\n1451578374000,1", "date '1451578374000' is no time in seconds"),
        ("c__csv", "date,bug\nnan,1", "date 'nan' is no time in seconds"),
        ("c__csv", "date,bug\n1,2", "bug '2' is neither 0 nor 1"),
        ("c__csv", "date,bug\n", "c.csv: holds no commits"),
        (
            "c__csv",
            "date,bug\n1000000,0\n2000000,1",
            r"c.csv: holds 1.7 weeks of commits by the column date, less than 20",
        ),
        ("c__jsonl", '{"date": 1}', "c.jsonl, line 1: has no bug"),
        ("c__jsonl", "[1]", "c.jsonl, line 1: is no object with date and bug"),
        ("c__jsonl", '{"date": [], "bug": 1}', "line 1: date '\\[\\]' is no number"),
        ("c__jsonl", '{"date": 1,\n', "c.jsonl: cannot be read as JSONL"),
        ("c__jsonl", "[" * 100_000, "c.jsonl: cannot be read as JSONL"),
        ("a__csv", "timestamp,other\n2026-01-05,1", "a.csv, line 2: value None is no number"),
        ("a__csv", "when,value\n2026-01-05,1", "a.csv, line 2: timestamp None is no time"),
        ("a__csv", "timestamp,value\n2026-01-05,inf", "value 'inf' is not between"),
        ("a__csv", "timestamp,value\n2026-01-07,1", "a.csv: no timestamp lies in its labelled window"),
        ("a__csv", "timestamp,value\n", "a.csv: holds no values"),
        ("l__json", '{"a.csv": ["2026-01-05"]}', "l.json: labels are an object of windows by file, .*'a.csv' has"),
        ("l__json", "[]", "l.json: labels are an object of windows by file"),
        ("l__json", "{", "l.json: cannot be read as JSON"),
    ],
)
def test_what_is_of_another_form_is_told_by_file_and_column(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        find(put(tmp_path, **{"l__json": json.dumps({"a.csv": [WINDOW]}), name: text}))


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.jsonl", "l.json"]))
def test_whatever_the_bytes_are_nothing_but_a_refusal_is_raised(
    tmp_path_factory: pytest.TempPathFactory, told: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "l.json").write_text(json.dumps({"a.csv": [WINDOW]}))
    (folder / name).write_bytes(told)
    with pytest.raises(Misconfigured, match="no commits"):
        find(folder)


@pytest.mark.parametrize(("folder", "told"), [("none", "is no folder"), (".", "no commits: .*no labelled series: ")])
def test_a_folder_with_nothing_usable_is_told_and_is_exit_code_1(tmp_path: Path, folder: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        find(tmp_path / folder)
    result = CliRunner().invoke(app, ["evaluate", "velocity", "--data", str(tmp_path / folder), "--json"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output


SMALL = simulated.Fleet(projects=2, weeks=2, warm_weeks=1, least_rate=0.002, most_rate=0.01)


def test_what_was_not_recorded_has_no_figures(tmp_path: Path) -> None:
    recorded = find(put(tmp_path, a__csv=SERIES, l__json=json.dumps({"a.csv": [WINDOW]})))
    found = evaluate(recorded, told=lambda _: None, seeds=(1,), fleet=SMALL)
    assert set(found.figures) >= {SIMULATED, "nab.standard"}
    assert not [name for name in found.figures if name.startswith("real.")]
    assert "real" not in found.setup
    assert found.setup["left_out"] == list(recorded.told)
    assert promised(recorded, found) == (SIMULATED, "nab.standard")


def test_commits_promise_their_figures_and_a_latency_when_an_incident_was_found(tmp_path: Path) -> None:
    recorded = find(put(tmp_path, mine__csv=IN_CSV.replace(",1", ",0")))
    assert list(recorded.commits) == ["mine commits"], "none of them brought a bug"
    found, silent = (Evaluated({"real.recall": recall}, {}, {}, NOTHING) for recall in (0.5, 0.0))
    assert promised(recorded, found) == (*REAL, SIMULATED)
    assert promised(recorded, silent) == (*REAL[:2], SIMULATED)
