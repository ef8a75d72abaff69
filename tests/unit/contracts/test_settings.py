"""What a process is told from outside: where it comes from, and what it refuses."""

import re
from pathlib import Path

import pytest

from contracts.errors import Misconfigured
from contracts.settings import read_settings


def told(tmp_path: Path, **environ: str) -> dict[str, str]:
    """An environment that points to this folder."""
    return {"ARGUS_DATA": str(tmp_path), **environ}


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "argus.env").write_text("ARGUS_KAFKA=file:1\nARGUS_NAMESPACE=file\nARGUS_PARTITIONS=3\n")
    environ = told(tmp_path, ARGUS_KAFKA="environment:2", ARGUS_NAMESPACE="environment")
    settings = read_settings(environ, namespace="line")
    assert (settings.namespace, settings.kafka, settings.partitions, settings.replication) == (
        "line", "environment:2", 3, 1,
    )  # fmt: skip


def test_an_environment_that_is_given_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGUS_KAFKA", "elsewhere:9")
    assert read_settings(told(tmp_path)).kafka == "127.0.0.1:9092"
    monkeypatch.chdir(tmp_path)
    assert read_settings().kafka == "elsewhere:9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARGUS_NAMESPACE", "Day.1"),
        ("ARGUS_NAMESPACE", "-day"),
        ("ARGUS_CLOCK", "mine"),
        ("ARGUS_KAFKA", "no-port"),
        ("ARGUS_FLINK", "jobmanager:8081"),
        ("ARGUS_PARTITIONS", "0"),
        ("ARGUS_CHECKPOINT_INTERVAL_S", "60"),
        ("ARGUS_METRICS_PORT", "70000"),
        ("ARGUS_METRICS_HOST", "127.0.0.1:9100"),
        ("ARGUS_LOG_FORMAT", "xml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_its_value(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read_settings(told(tmp_path, **{name: value}))
    assert f"{name}={value!r}" in str(refused.value)


@pytest.mark.parametrize("name", ["ARGUS_KAFKAS", "ARGUS_kafka", "ARGUS_"])
def test_a_setting_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match=f"no such setting: {name};"):
        read_settings(told(tmp_path, **{name: "x"}))


def test_a_line_in_the_file_that_is_no_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "argus.env").write_text("ARGUS_KAFKAS=x\n")
    with pytest.raises(Misconfigured, match="KAFKAS"):
        read_settings(told(tmp_path))


def test_variables_of_others_are_none_of_our_business(tmp_path: Path) -> None:
    assert read_settings(told(tmp_path, PATH="/bin", KAFKA="x")).kafka == "127.0.0.1:9092"


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    environ = told(
        tmp_path,
        ARGUS_VALKEY="valkey://:geheim@h:1/0",
        ARGUS_POSTGRES="password=geheim",
        ARGUS_ADMIN_TOKEN="geheim",
    )
    assert "geheim" not in repr(read_settings(environ)) + str(read_settings(environ))


def test_time_zones_are_those_that_exist() -> None:
    known = read_settings({"ARGUS_TIME_ZONE": "Europe/Berlin", "ARGUS_TIME_ZONES": '{"acme": "Asia/Tokyo"}'})
    assert (known.time_zone, known.time_zones) == ("Europe/Berlin", {"acme": "Asia/Tokyo"})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ARGUS_TIME_ZONE", "Mars", "ARGUS_TIME_ZONE='Mars'"),
        ("ARGUS_TIME_ZONE", "../../etc/passwd", "no time zone"),
        ("ARGUS_TIME_ZONES", '{"acme": "Mars"}', "ARGUS_TIME_ZONES_ACME='Mars'"),
        ("ARGUS_TIME_ZONES", "acme", "is no JSON"),
    ],
)
def test_other_time_zones_are_refused_by_name(name: str, value: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(told)):
        read_settings({name: value})
