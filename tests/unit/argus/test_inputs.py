"""The options of ingest and replay, and what they say when they make no sense."""

from pathlib import Path

import pytest

from argus.commands.inputs import InputFormat, Listed, reading_of, sources
from argus.commands.replay import speed_of
from contracts.errors import Misconfigured
from contracts.settings import read_settings
from gateway.ingest.refusal import refusal


def test_maps_may_be_repeated_or_joined_by_commas() -> None:
    how = reading_of(InputFormat.CSV, ["a=run, b=job", "c=project"], None)
    assert {"a", "b", "c"} <= how.needed


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ({"project": "acme/a"}, "--run: Object missing required field"),
        ({"project": "acme", "run": "1", "job": "t"}, "--project: "),
    ],
)
def test_a_report_of_nobody_is_refused(report: dict, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        reading_of(InputFormat.JUNIT, None, None, **report)


def test_a_map_without_an_equals_sign_is_refused() -> None:
    with pytest.raises(Misconfigured, match="COLUMN=FIELD"):
        reading_of(InputFormat.CSV, ["run"], None)


def test_a_folder_of_github_s_answers_takes_the_place_of_files(tmp_path: Path) -> None:
    file, settings = tmp_path / "runs.json", read_settings(author_key="key")
    file.write_text("[]")
    report: dict[str, str | int | None] = {"project": "acme/app", "run": None, "attempt": 1}
    paths, how = sources(None, tmp_path, settings, InputFormat.AUTO, None, None, **report)
    assert paths == [file]
    assert how.export is not None
    assert how.export.project == "acme/app"
    assert how.export.authors("acme/app", "ann") is not None
    paths, how = sources([file], None, settings, InputFormat.JSONL, None, None)
    assert (paths, how.format, how.export) == ([file], "jsonl", None)


@pytest.mark.parametrize("named", ["neither", "both", "job", "preset"])
def test_options_that_github_s_answers_have_no_use_for_are_refused(tmp_path: Path, named: str) -> None:
    (tmp_path / "runs.json").write_text("[]")
    files = [tmp_path / "runs.json"] if named == "both" else []
    folder = None if named == "neither" else tmp_path
    preset, job = "pytorch" if named == "preset" else None, "unit" if named == "job" else None
    with pytest.raises(Misconfigured, match="--github-export"):
        sources(files, folder, read_settings(), InputFormat.AUTO, None, preset, job=job)


@pytest.mark.parametrize("text", ["", "fast", "0x", "-1x", "60xx", "1e9", "infx"])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        speed_of(text)


def test_refusals_are_counted_and_the_first_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    refusals = Listed()
    for number in range(25):
        refusals.add(refusal("f.csv", f"line {number}", "outcome", "\x1b[31m", "is none"))
    refusals.show()
    told = capsys.readouterr().err.splitlines()
    assert refusals.count == 25
    assert told[0] == "refused f.csv, line 0: outcome '\\x1b[31m' is none"
    assert told[-1] == "refused 5 more: --json lists them"
