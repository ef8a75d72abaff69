"""docker-compose.yml names nothing that does not exist: it is checked here, since no daemon runs it."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyflink
import pytest
import typer
import yaml

from argus.__main__ import app
from contracts.jobs import JOBS
from contracts.settings import read_settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("argus:")}
LISTENS_BY_DEFAULT = {"valkey": {6379}, "postgres": {5432}}
FLINK = Path(pyflink.__file__).parent


def words(service: dict[str, Any]) -> list[str]:
    """The words of a service's command."""
    return [str(word) for word in service["command"]]


def listens(name: str) -> set[int]:
    """The ports that a service's own command and settings name."""
    own = {key: value for key, value in SERVICES[name].get("environment", {}).items() if key == "ARGUS_GATEWAY"}
    text = " ".join([*words(SERVICES[name]), *own.values()]) if "command" in SERVICES[name] else ""
    told = re.findall(r"0\.0\.0\.0:(\d+)|rest\.port=(\d+)", text)
    return {int(port) for pair in told for port in pair if port} | LISTENS_BY_DEFAULT.get(name, set())


def argus_commands(name: str) -> Iterator[list[str]]:
    """Every `argus …` that a service runs, alone or in a shell."""
    command = words(SERVICES[name])
    lines = command[-1].splitlines() if command[0] == "sh" else [" ".join(command)]
    for line in lines:
        if line.startswith("argus "):
            yield line.split()[1:]


def test_the_file_is_a_compose_file() -> None:
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_command_exists() -> None:
    run = [command for name in OURS for command in argus_commands(name)]
    assert len(run) >= 7
    for command in run:
        node: Any = typer.main.get_command(app)
        for word in command:
            if not hasattr(node, "commands"):
                known = {option for one in node.params for option in one.opts}
                assert word in (known if word.startswith("-") else JOBS), f"argus {' '.join(command)}"
                continue
            assert word in node.commands, f"argus {' '.join(command)}"
            node = node.commands[word]


def test_every_job_is_submitted() -> None:
    assert {command[1] for command in argus_commands("setup") if command[0] == "submit"} == set(JOBS)


def test_setup_may_run_again_where_the_jobs_run() -> None:
    assert all("--if-absent" in command for command in argus_commands("setup") if command[0] == "submit")


def test_the_image_has_what_runs_python_in_a_taskmanager() -> None:
    (jar,) = (FLINK / "opt").glob("flink-python-*.jar")
    found = re.search(r"cp \S+/(pyflink/opt/\S+) \S+/pyflink/lib/", DOCKERFILE)
    assert found
    assert list(FLINK.parent.glob(found[1])) == [jar]


@pytest.mark.parametrize("name", ["jobmanager", "taskmanager"])
def test_flink_starts_from_the_wheel(name: str) -> None:
    script, mode, *options = words(OURS[name])
    assert (FLINK / "bin" / script).is_file()
    assert mode == "start-foreground"
    # the scripts take `-D key=value`; `-Dkey=value` as the first word would be read as a host
    assert set(options[::2]) == {"-D"}
    assert all(re.fullmatch(r"[a-z.-]+[A-Za-z-]+=\S+", option) for option in options[1::2])


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists_and_is_in_range(name: str) -> None:
    given = {key: re.sub(r"\$\{\w+[^}]*\}", "secret", value) for key, value in OURS[name]["environment"].items()}
    ours = {key: value for key, value in given.items() if key.startswith("ARGUS_")}
    assert given.keys() - ours.keys() <= {"FLINK_CONF_DIR", "FLINK_LOG_DIR"}
    read_settings(ours, **{key.removeprefix("ARGUS_").lower(): value for key, value in ours.items()})


def test_every_address_is_that_of_a_service() -> None:
    for name, service in OURS.items():
        text = " ".join(service["environment"].values()).replace("host=postgres port=", "postgres:")
        for host, port in re.findall(r"(?:^|[\s/@])([a-z]+):(\d+)", text):
            assert int(port) in listens(host), f"{name}: {host}:{port}"


def test_every_published_port_is_listened_on_and_on_loopback_alone() -> None:
    for name, service in SERVICES.items():
        for published in service.get("ports", []):
            host, _, inside = published.split(":")
            assert host == "127.0.0.1"
            assert int(inside) in listens(name), f"{name}: {inside}"


def test_every_service_that_is_waited_for_exists_and_says_when_it_is_ready() -> None:
    for service in SERVICES.values():
        for waited, how in service.get("depends_on", {}).items():
            assert waited in SERVICES
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[waited], waited


def test_every_path_exists() -> None:
    declared = yaml.safe_load(COMPOSE.read_text())["volumes"]
    for name, service in SERVICES.items():
        assert all(volume.split(":")[0] in declared for volume in service.get("volumes", [])), name
    for service in OURS.values():
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        if folder := service["environment"].get("FLINK_CONF_DIR"):
            assert (ROOT / folder.removeprefix("/opt/argus/")).is_dir(), folder
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in let_in, f".dockerignore keeps {source} out"


def test_the_image_holds_all_our_code_at_the_locked_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in (*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "sql"):
        assert f"COPY {package} {package}\n" in DOCKERFILE
    assert {service["image"] for service in OURS.values()} == {f"argus:{project['project']['version']}"}
    pinned = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert pinned
    assert f"uv=={pinned[1]}" in DOCKERFILE


def test_every_variable_that_must_be_given_is_told_in_the_docs() -> None:
    told = (ROOT / "docs/deploy.md").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    assert wanted == {"VALKEY_PASSWORD", "POSTGRES_PASSWORD", "ADMIN_TOKEN", "AUTHOR_KEY"}
    assert all(name in told for name in wanted)
