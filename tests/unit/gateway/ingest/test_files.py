"""Files and folders: found, told apart, and read one after the other."""

from pathlib import Path

import pytest

from contracts import records
from contracts.errors import Misconfigured
from gateway.ingest.files import found, newest_ms, reading, rows
from gateway.ingest.row import Row

LINE = '{"project":"acme/a","run":"1","job":"b","outcome":"success","finished_ms":%d}\n'
CSV = "project,run,job,outcome,finished_ms\nacme/a,1,b,success,1790000000000\n"
XML = '<testsuite name="s"><testcase name="n"/></testsuite>'
REPORT = records.TestReportPart(project="acme/a", run="1", job="t", report="x", k=1, n=1, tests=[])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of each kind, with and without a suffix that tells."""
    for name, text in {"a.jsonl": LINE % 1_790_000_000_000, "a.csv": CSV, "a.xml": XML}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b.xml").write_text(XML)
    return tmp_path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.xml"])
@pytest.mark.parametrize("suffix", ["", ".txt"])
def test_formats_are_told_apart_by_suffix_or_content(folder: Path, name: str, suffix: str) -> None:
    (row,) = rows([folder / (name + suffix)], reading(report=REPORT), lambda _: None)
    assert isinstance(row, Row)
    assert isinstance(row.record, records.TestReportPart) == (name == "a.xml")


def test_a_folder_is_all_its_junit_files_and_each_is_a_report_of_its_own(folder: Path) -> None:
    files = found([folder])
    assert [path.name for path in files] == ["a.xml", "b.xml"]
    reports = [row.record.report for row in rows(files, reading(report=REPORT), lambda _: None) if isinstance(row, Row)]
    assert len(set(reports)) == 2


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no file"):
        found([tmp_path / "nothing.csv"])
    with pytest.raises(Misconfigured, match=r"no \*\.xml"):
        found([tmp_path])


def test_junit_needs_to_be_told_whose_it_is(folder: Path) -> None:
    with pytest.raises(Misconfigured, match="--project, --run and --job"):
        list(rows([folder / "a.xml"], reading(), lambda _: None))


def test_progress_ends_at_the_size_of_all_files(folder: Path) -> None:
    seen: list[int] = []
    files = [folder / "a.jsonl", folder / "a.csv"]
    list(rows(files, reading(), seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == sum(path.stat().st_size for path in files)


def test_the_newest_row_of_all_files_is_found(folder: Path) -> None:
    (folder / "a.jsonl").write_text(LINE % 1_790_000_000_500 + "{broken\n" + LINE % 1_790_000_000_007)
    assert newest_ms(rows([folder / "a.csv", folder / "a.jsonl"], reading(), lambda _: None)) == 1_790_000_000_500
    assert newest_ms(iter([])) is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"preset": "nosuch"}, "there is pytorch"),
        ({"preset": "pytorch", "mapping": {"a": "run"}}, "give one of them"),
        ({"preset": "pytorch", "format": "junit"}, "reads CSV"),
    ],
)
def test_options_that_contradict_one_another_are_refused(options: dict, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        reading(**options)
