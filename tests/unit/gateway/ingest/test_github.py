"""What each event of GitHub tells."""

from typing import Any

import pytest

from contracts.records import Change, ChangedFile, DeployStep, Event, JobExecution, encode
from gateway.ingest.authors import hashed_by
from gateway.ingest.claims import rows
from gateway.ingest.github import claims
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import LARGEST_VALUE, Row
from tests.unit.gateway.ingest.payloads import ANN, DEPLOYMENT, GITHUB, SHA, WEB

AUTHORS = hashed_by("key")
AT_8_MS = 1_795_248_000_000
MINUTE_MS = 60_000


def read(fields: dict[str, Any]) -> list[Row | Refusal]:
    return list(rows(claims(fields, {}, AUTHORS), "delivery"))


def told(event: str, **changed: object) -> list[Event]:
    """What the event tells when fields of its object are changed."""
    fields = GITHUB[event]
    found = read({**fields, event: {**fields[event], **changed}} if changed else fields)
    assert all(isinstance(one, Row) for one in found), found
    return [one.record for one in found if isinstance(one, Row)]


def test_a_job_is_told_by_its_own_event_and_by_no_other_of_its_run() -> None:
    (job,) = told("workflow_job")
    assert isinstance(job, JobExecution)
    assert (job.run, job.job, job.attempt, job.outcome, job.trigger) == ("4711", "unit (3.11)", 2, "failure", "human")
    for conclusion in (
        "success",
        "failure",
        "cancelled",
        "timed_out",
        "action_required",
        "skipped",
        "stale",
        "neutral",
    ):
        assert told("workflow_run", conclusion=conclusion) == []
    assert told("check_run", app={"slug": "github-actions"}) == []


def test_a_run_that_failed_to_start_is_an_error_of_its_attempt_and_is_told_alike_whenever() -> None:
    (run,) = told("workflow_run")
    assert run == JobExecution(
        project="acme/app", run="4711", job="ci", attempt=2, outcome="error", workflow="ci", commit=SHA, branch="main",
        started_ms=AT_8_MS, finished_ms=AT_8_MS, trigger="human", message="startup_failure",
        url=f"{WEB}/actions/runs/4711",
    )  # fmt: skip
    assert told("workflow_run", updated_at="2026-11-22T08:00:00Z") == [run]
    (nameless,) = told("workflow_run", name="")
    assert isinstance(nameless, JobExecution)
    assert nameless.job == ".github/workflows/ci.yml"


def test_another_app_s_check_is_a_run_of_its_own_and_a_rerun_another() -> None:
    (check,) = told("check_run")
    assert check == JobExecution(
        project="acme/app", run="check-128620228", job="lint", outcome="failure", workflow="Octo Linter", commit=SHA,
        branch="main", started_ms=AT_8_MS, finished_ms=AT_8_MS + 10 * MINUTE_MS, message="2 problems\nunused import",
        url=f"{WEB}/runs/128620228",
    )  # fmt: skip
    (again,) = told("check_run", id=128620229)
    assert isinstance(again, JobExecution)
    assert again.run != check.run
    (refused,) = read({**GITHUB["check_run"], "check_run": {**GITHUB["check_run"]["check_run"], "id": None}})
    assert isinstance(refused, Refusal)


def test_every_commit_of_a_push_is_a_change_with_its_files() -> None:
    (change,) = told("push")
    assert change == Change(
        project="acme/app", commit=SHA, committed_ms=AT_8_MS, branch="main", author=AUTHORS("acme/app", "ann"),
        trigger="human", is_fix=True, files_changed=4, url=f"{WEB}/commit/{SHA}",
        files=[
            ChangedFile(path="src/new.py", status="added"), ChangedFile(path="src/a.py", status="modified"),
            ChangedFile(path="README.md", status="modified"), ChangedFile(path="src/gone.py", status="removed"),
        ],
    )  # fmt: skip


def test_one_bad_commit_of_a_push_costs_no_other() -> None:
    (commit,) = GITHUB["push"]["commits"]
    found = read({**GITHUB["push"], "commits": [{**commit, "id": None}, 7, {**commit, "timestamp": "soon"}, commit]})
    assert [type(one) for one in found] == [Refusal, Refusal, Refusal, Row]
    assert [one.place for one in found] == ["commits[0]", "commits[1]", "commits[2]", "commits[3]"]


@pytest.mark.parametrize("changed", [{"ref": "refs/tags/v1"}, {"commits": [], "deleted": True}, {"ref": None}])
def test_pushes_of_tags_and_deletions_tell_nothing(changed: dict[str, object]) -> None:
    assert read({**GITHUB["push"], **changed}) == []


def test_a_push_too_large_for_a_record_has_the_files_that_fit_and_counts_all() -> None:
    (commit,) = GITHUB["push"]["commits"]
    for count, length in ((20_000, 20), (5_000, 80), (900, 1_000)):
        added = [f"{number:0{length}}" for number in range(count)]
        (found,) = read({**GITHUB["push"], "commits": [{**commit, "added": added}]})
        assert isinstance(found, Row)
        change = found.record
        assert isinstance(change, Change)
        assert change.files_changed == count + 3
        assert [one.path for one in change.files or ()] == added[: len(change.files or ())]
        assert 200 < len(change.files or ()) <= 3_000
        assert len(encode(change)) <= LARGEST_VALUE


def test_who_has_an_account_is_one_author_in_commits_and_pull_requests_and_a_bot_is_told() -> None:
    (change,), (pull,) = told("push"), told("pull_request")
    assert isinstance(change, Change)
    assert isinstance(pull, Change)
    assert change.author == pull.author != None  # noqa: E711 - neither is None
    (commit,) = GITHUB["push"]["commits"]
    robot = {**commit, "author": {"name": "d", "email": "49699333+dependabot[bot]@users.noreply.github.com"}}
    (found,) = read({**GITHUB["push"], "commits": [robot]})
    assert isinstance(found, Row)
    assert isinstance(found.record, Change)
    assert found.record.trigger == "bot"


def test_a_pull_request_is_a_change_at_its_head() -> None:
    wanted = Change(
        project="acme/app", commit=SHA, committed_ms=AT_8_MS, branch="fix-11", change="12", state="open", base="main",
        author=AUTHORS("acme/app", "ann"), trigger="human", is_fix=True, files_changed=3, lines_added=40,
        lines_removed=2, url=f"{WEB}/pull/12",
    )  # fmt: skip
    assert told("pull_request") == [wanted]
    ended = {"state": "closed", "closed_at": "2026-11-21T08:10:00Z", "updated_at": "2026-11-22T08:00:00Z"}
    (closed,) = told("pull_request", **ended)
    (merged,) = told("pull_request", **ended, merged_at="2026-11-21T08:09:00Z")
    assert isinstance(closed, Change)
    assert isinstance(merged, Change)
    assert (closed.state, closed.committed_ms) == ("closed", AT_8_MS + 10 * MINUTE_MS)
    assert (merged.state, merged.committed_ms) == ("merged", AT_8_MS + 9 * MINUTE_MS)
    assert read({**GITHUB["pull_request"], "action": "labeled"}) == []


def test_a_number_that_no_reader_could_hold_is_refused() -> None:
    pull = {**GITHUB["pull_request"]["pull_request"], "additions": 2**62}
    (refused,) = read({**GITHUB["pull_request"], "pull_request": pull})
    assert isinstance(refused, Refusal)
    assert refused.field == "lines_added"


def test_a_deployment_is_requested_once_whichever_event_tells_it() -> None:
    wanted = DeployStep(
        project="acme/app", deploy="145988746", environment="production", state="requested", at_ms=AT_8_MS, head=SHA,
        branch="main",
    )  # fmt: skip
    assert told("deployment") == [wanted]
    for state in ("queued", "pending", "waiting"):
        assert told("deployment_status", state=state) == [wanted]


@pytest.mark.parametrize(
    ("state", "wanted"),
    [("in_progress", "started"), ("success", "succeeded"), ("failure", "failed"), ("error", "failed")],
)
def test_a_status_of_a_deployment_is_a_step(state: str, wanted: str) -> None:
    (step,) = told("deployment_status", state=state)
    assert step == DeployStep(
        project="acme/app", deploy="145988746", environment="production", state=wanted,  # type: ignore[arg-type]
        at_ms=AT_8_MS + 5 * MINUTE_MS, head=SHA, branch="main", url="https://deploys.example.org/7",
    )  # fmt: skip


def test_what_a_deployment_does_not_tell() -> None:
    assert told("deployment_status", state="inactive") == [], "a later one took its place"
    (refused,) = read({**GITHUB["deployment_status"], "deployment_status": {"state": "glorious"}})
    assert isinstance(refused, Refusal)
    (step,) = told("deployment", ref=SHA)
    assert isinstance(step, DeployStep)
    assert step.branch is None, "a commit is no branch"
    (changed,) = told("deployment_status", environment="production-eu")
    assert isinstance(changed, DeployStep)
    assert changed.environment == "production-eu"


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "requested", "deployment": DEPLOYMENT, "event": "push", "environment": "production"},
        {"action": "approved", "workflow_job_runs": [], "workflow_run": GITHUB["workflow_run"]["workflow_run"]},
        {"action": "edited", "review": {}, "pull_request": GITHUB["pull_request"]["pull_request"]},
        {"action": "created", "check_suite": {}},
        {"zen": "Keep it logically awesome.", "hook_id": 1},
    ],
)
def test_other_events_that_carry_the_same_objects_tell_nothing(fields: dict[str, Any]) -> None:
    assert read({**fields, "repository": GITHUB["push"]["repository"], "sender": ANN}) == []
