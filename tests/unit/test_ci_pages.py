"""What CI systems are given to upload with fits the script that does it."""

import re
from pathlib import Path

import yaml

CI = Path(__file__).parents[2] / "docs" / "ci"
SCRIPT = (CI / "upload-junit.sh").read_text()
NEEDED = set(re.findall(r"\$\{?([A-Z_]{3,})", SCRIPT))


def test_the_action_sets_every_variable_of_the_script_from_an_input_or_the_run() -> None:
    action = yaml.safe_load((CI / "github-action" / "action.yml").read_text())
    (step,) = action["runs"]["steps"]
    assert set(step["env"]) == NEEDED
    inputs = set(re.findall(r"inputs\.([a-z]+)", " ".join(step["env"].values())))
    assert inputs == set(action["inputs"])
    assert (CI / "github-action" / re.search(r"PATH/(\S+)\"", step["run"])[1]).resolve() == CI / "upload-junit.sh"


def test_the_template_sets_every_variable_but_those_of_the_group() -> None:
    job = yaml.safe_load((CI / "argus.gitlab-ci.yml").read_text())[".argus-junit"]
    told = "\n".join(job["after_script"])
    here = set(job["variables"]) | set(re.findall(r"([A-Z]+)=\"\$CI_", told))
    assert here == NEEDED - {"ARGUS_URL", "ARGUS_TOKEN", "ATTEMPT"}


def test_every_variable_is_told_of() -> None:
    comment = " ".join(line for line in SCRIPT.splitlines() if line.startswith("#"))
    assert {name for name in NEEDED if f"${name}" not in comment} == {"ARGUS_TOKEN"}
