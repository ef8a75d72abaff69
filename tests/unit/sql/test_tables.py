"""Every table under sql/tables has the columns of its topic's record, and reads no header that nobody writes."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct

from contracts import topics
from contracts.topics import ARRIVED_MS, EVENT_MS, Topic

SQL = Path(__file__).parents[3] / "sql"
TABLES = sorted((SQL / "tables").glob("*.sql"))
OF_EVERY_MESSAGE = {EVENT_MS, ARRIVED_MS, "ce_type", "ce_id", "ce_source", "ce_specversion", "content-type"}


@dataclass(frozen=True)
class Table:
    """One CREATE TABLE: its physical columns with their types, the columns of its key, its options."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    options: dict[str, str]

    @property
    def topic(self) -> Topic:
        """The topic of the same name."""
        assert self.options["topic"] == f"${{{self.name}_topic}}", "a table is named after its topic"
        found = {name.lower(): value for name, value in vars(topics).items() if isinstance(value, Topic)}
        return found[self.name]


def parse(sql: str) -> Table:
    """The table that a file creates; metadata and computed columns are no part of the record."""
    bare = re.sub(r"--[^\n]*", "", sql)
    found = re.fullmatch(r"\s*CREATE TABLE (\w+) \((.*)\) WITH \((.*)\)\s*;?\s*", bare, re.DOTALL)
    assert found, "one CREATE TABLE … WITH (…) a file"
    options = dict(re.findall(r"'([^']+)'\s*=\s*'([^']*)'", found[3]))
    columns, key = {}, tuple(filter(None, options.get("key.fields", "").split(";")))
    for part in re.split(r",(?![^(<]*[)>])", found[2]):
        column = part.strip()
        if primary := re.match(r"PRIMARY KEY \(([^)]*)\)", column):
            key = tuple(name.strip(" `") for name in primary[1].split(","))
        elif physical := re.fullmatch(r"`?(\w+)`? ([A-Z]+(?:<.*>|\(.*\))?)(?: NOT NULL)?", column):
            columns[physical[1]] = physical[2]
    return Table(found[1], columns, key, options)


def sql_types(annotation: Any) -> set[str]:
    """The SQL types that hold a field of this annotation."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return sql_types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return set().union(*(sql_types(option) for option in get_args(annotation) if option is not type(None)))
    if origin is dict:
        return {f"MAP<{key}, {value}>" for key in sql_types(str) for value in sql_types(get_args(annotation)[1])}
    plain = {int: {"BIGINT", "INT"}, float: {"DOUBLE"}, bool: {"BOOLEAN"}, bytes: {"BYTES"}}
    return plain.get(annotation, {"STRING"})


def differences(table: Table, record: type[Struct]) -> list[str]:
    """How the JSON that a table reads or writes differs from its record."""
    apart = () if table.options.get("value.fields-include") == "ALL" else table.key
    columns = {name: kind for name, kind in table.columns.items() if name not in apart}
    fields = {name: sql_types(kind) for name, kind in get_type_hints(record, include_extras=True).items()}
    told = [f"{name} is no field of {record.__name__}" for name in columns.keys() - fields.keys()]
    told += [f"{name} of {record.__name__} has no column" for name in fields.keys() - columns.keys()]
    told += [
        f"{name} is {kind}, not {' or '.join(sorted(fields[name]))}"
        for name, kind in columns.items()
        if name in fields and kind not in fields[name]
    ]
    return sorted(told)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_has_the_columns_of_its_record(path: Path) -> None:
    table = parse(path.read_text())
    assert table.name == path.stem
    if table.options["value.format"] == "raw":
        (kind,) = {kind for name, kind in table.columns.items() if name not in table.key}
        assert kind in {"BYTES", "STRING"}, "a raw value is one column: bytes as they lie there, or a record's JSON"
    else:
        assert differences(table, table.topic.record) == []


def test_every_header_that_sql_reads_is_written() -> None:
    """Every topic that a table reads raw declares them."""
    read = {name for path in SQL.rglob("*.sql") for name in re.findall(r"headers\['([^']+)'\]", path.read_text())}
    tables = [parse(path.read_text()) for path in TABLES]
    raw = [table for table in tables if table.options["value.format"] == "raw"]
    assert raw
    written = OF_EVERY_MESSAGE.union(*(table.topic.headers for table in raw))
    assert read <= written


EXAMPLE = """
-- things: a comment, with a comma
CREATE TABLE failure_velocity (
    {more}
    project STRING NOT NULL,
    minute_ms BIGINT,
    runs BIGINT,
    failing_runs {kind},
    {name} BIGINT,
    stamped TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    twice AS runs * COALESCE(2, 1),
    WATERMARK FOR stamped AS stamped - INTERVAL '1' SECOND,
    PRIMARY KEY ({key}) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '${{failure_velocity_topic}}',
    'value.format' = 'json',
    'value.fields-include' = '{included}'
)
"""


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("BIGINT", "error_runs", []),
        ("STRING", "error_runs", ["failing_runs is STRING, not BIGINT or INT"]),
        ("INT", "errors", ["error_runs of FailureVelocity has no column", "errors is no field of FailureVelocity"]),
    ],
)
def test_a_column_that_is_wrong_is_named(kind: str, name: str, told: list[str]) -> None:
    key = "project, minute_ms"
    both = parse(EXAMPLE.format(kind=kind, name=name, more="", key=key, included="ALL"))
    assert differences(both, both.topic.record) == told
    more = "entity STRING,  -- the key"
    apart = parse(EXAMPLE.format(kind=kind, name=name, more=more, key="entity", included="EXCEPT_KEY"))
    assert differences(apart, apart.topic.record) == told


def test_a_key_that_is_left_out_of_the_value_is_missed() -> None:
    filled = {"kind": "BIGINT", "name": "error_runs", "more": "", "key": "project, minute_ms"}
    table = parse(EXAMPLE.format(**filled, included="EXCEPT_KEY"))
    missed = ["minute_ms of FailureVelocity has no column", "project of FailureVelocity has no column"]
    assert differences(table, table.topic.record) == missed


def test_the_statements_that_run_are_those_of_the_repository_from_wherever_they_are_run(tmp_path: Path) -> None:
    asked = "from importlib.resources import files; print(files('sql') / 'failure_velocity.sql')"
    said = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(said.stdout.strip()).samefile(Path(__file__).parents[3] / "sql" / "failure_velocity.sql")
