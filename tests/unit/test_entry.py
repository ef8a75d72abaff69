"""What a newcomer types first: make, and the commands that the documents name."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from argus.__main__ import app

ROOT = Path(__file__).parents[2]
TARGETS = ["setup", "demo", "up", "check", "test", "bench", "clean"]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile", *sorted((ROOT / "docs").rglob("*.md"))]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """Make, as a newcomer runs it: not as a child of another make."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_make_alone_tells_every_target_in_a_line() -> None:
    told = {line.split()[1]: line for line in make().stdout.splitlines()}
    assert [name for name in TARGETS if name not in told] == []
    assert all(len(line.split()) > 4 for line in told.values())


def test_setup_refuses_another_python_and_names_the_remedy() -> None:
    told = make("setup", "PYTHON=/bin/false", "UV_VERSION=0.0.0")
    assert told.returncode != 0
    assert "Python 3.11 with pip is needed" in told.stderr
    assert "make setup PYTHON=" in told.stderr


def test_ci_runs_what_a_person_runs() -> None:
    ci = ROOT / ".ci/run"
    assert os.access(ci, os.X_OK)
    assert "make test" in ci.read_text()
    assert make("--dry-run", "test").returncode == 0


def named(text: str) -> Iterator[list[str]]:
    """`argus word word` wherever it is code: in backticks, after a prompt, or in a recipe."""
    for found in re.finditer(r"(?:[`/ ]|\(BIN\)/)argus((?: [a-z][a-z-]+)+)", text):
        yield found[1].split()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_written_down_exists(path: Path) -> None:
    code = "\n".join(re.findall(r"`[^`\n]+`|^\$ .*|^\t.*", path.read_text(), re.MULTILINE))
    for words in named(code):
        node: Any = typer.main.get_command(app)
        for word in words:
            if not hasattr(node, "commands"):
                break  # what follows is an argument
            assert word in node.commands, f"argus {' '.join(words)}"
            node = node.commands[word]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", path.read_text())
    links = re.findall(r"\]\(([^)#\s]+)", prose)
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert broken == []
