"""The generated documents are those of the code, and the schemas keep what they promised."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from argus.__main__ import app
from argus.docs import broken_promises, documents, outdated, write
from argus.pages import constraint, table
from contracts.errors import Misconfigured

DOCS = Path(__file__).parents[3] / "docs"
RUNS_SCHEMA = "schemas/argus.cicd.runs.json"


def test_the_documents_are_current() -> None:
    assert outdated(DOCS, documents(app)) == [], "run `.venv/bin/argus docs` and commit what it writes"


def test_the_records_keep_the_promises_of_the_committed_schemas() -> None:
    assert broken_promises(DOCS, documents(app)) == []


def test_a_schema_that_breaks_its_promise_is_not_written(tmp_path: Path) -> None:
    wanted = documents(app)
    write(tmp_path, wanted)
    promised = json.loads(wanted[RUNS_SCHEMA])
    promised["$defs"]["JobExecution"]["properties"]["runner"] = {"type": "string"}
    (tmp_path / RUNS_SCHEMA).write_text(json.dumps(promised))
    (tmp_path / "settings.md").write_text("old")
    with pytest.raises(Misconfigured, match="runner: removed"):
        write(tmp_path, wanted)
    assert (tmp_path / "settings.md").read_text() == "old"


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    wanted = documents(app)
    assert write(tmp_path, wanted) == list(wanted)
    (tmp_path / "settings.md").write_text("old")
    assert write(tmp_path, wanted) == ["settings.md"]
    assert write(tmp_path, wanted) == []


def test_the_schema_of_a_topic_that_is_gone_goes_too(tmp_path: Path) -> None:
    wanted = documents(app)
    write(tmp_path, wanted)
    gone = tmp_path / "schemas/argus.gone.json"
    gone.write_text("{}")
    assert write(tmp_path, wanted) == ["schemas/argus.gone.json"]
    assert not gone.exists()


def test_check_writes_nothing_and_names_what_is_stale(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["docs", "--check", "--folder", str(tmp_path)])
    assert isinstance(told.exception, Misconfigured)
    assert "settings.md" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_page_follows_from_the_command_line() -> None:
    other = typer.Typer()

    @other.command()
    def weigh(grams: int = typer.Option(7, help="how heavy, in grams")) -> None:
        """Weigh a thing."""

    told = documents(other)["commands.md"]
    assert "Weigh a thing." in told
    assert "how heavy, in grams" in told


def test_no_secret_is_printed_masked_as_if_it_were_a_default() -> None:
    assert "****" not in documents(app)["settings.md"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"type": "integer", "minimum": 1}, "integer, at least 1"),
        ({"type": "number", "maximum": 1}, "number, at most 1"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "string, at most 9 characters or null"),
        ({"enum": ["a", "b"]}, "`a` `b`"),
        ({"type": "array", "items": {"$ref": "#/$defs/TestExecution"}}, "list of TestExecution"),
    ],
)
def test_a_constraint_is_told_in_words(told: dict[str, object], words: str) -> None:
    assert constraint(told) == words


def test_a_bar_in_a_cell_does_not_split_it() -> None:
    assert table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |"
