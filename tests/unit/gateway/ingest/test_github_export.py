"""Saved answers of GitHub's API: told apart, told alike by webhooks, refused by name."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Misconfigured
from contracts.records import Change, ChangedFile, DeployStep, Event, JobExecution
from gateway.ingest.authors import hashed_by
from gateway.ingest.files import Reading, rows
from gateway.ingest.github_export import LARGEST, Export, export, found, read
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from tests.unit.gateway.ingest.payloads import (
    ANN,
    API,
    DEPLOYMENT,
    DEPLOYMENT_STATUS,
    GITHUB,
    JOB,
    PULL,
    PUSH_COMMIT,
    RUN,
    SHA,
    WEB,
)
from tests.unit.gateway.ingest.test_github import told as by_webhook

AUTHORS = hashed_by("key")
ALONE = Export(None, AUTHORS, {})
COMMIT = {
    "sha": SHA, "url": f"{API}/commits/{SHA}", "html_url": f"{WEB}/commit/{SHA}", "parents": [], "author": ANN,
    "committer": {"login": "web-flow"},
    "commit": {
        "author": {"name": "Ann", "email": "ann@example.org", "date": "2026-11-20T08:00:00Z"},
        "committer": {"name": "GitHub", "email": "noreply@github.com", "date": "2026-11-21T08:00:00Z"},
        "message": PUSH_COMMIT["message"],
    },
}  # fmt: skip


def of(document: object, how: Export = ALONE) -> list[Row | Refusal]:
    return list(read(io.BytesIO(json.dumps(document).encode()), "f.json", how))


def records(document: object, how: Export = ALONE) -> list[Event]:
    found_rows = of(document, how)
    assert all(isinstance(one, Row) for one in found_rows), found_rows
    return [one.record for one in found_rows if isinstance(one, Row)]


def test_a_run_and_a_deployment_are_told_as_their_webhooks_tell_them() -> None:
    assert records({"total_count": 1, "workflow_runs": [RUN]}) == by_webhook("workflow_run")
    assert records([DEPLOYMENT]) == by_webhook("deployment")


def test_a_job_is_told_as_its_webhook_tells_it_but_for_who_sent_it() -> None:
    (job,) = records({"total_count": 1, "jobs": [JOB, {**JOB, "status": "in_progress", "conclusion": None}]})
    (wanted,) = by_webhook("workflow_job")
    assert isinstance(job, JobExecution)
    assert isinstance(wanted, JobExecution)
    assert (job.project, job.run, job.job, job.attempt, job.outcome, job.finished_ms) == (
        wanted.project, wanted.run, wanted.job, wanted.attempt, wanted.outcome, wanted.finished_ms
    )  # fmt: skip
    assert job.trigger is None


def test_pull_requests_and_commits_are_changes() -> None:
    listed = {name: value for name, value in PULL.items() if name not in ("additions", "deletions", "changed_files")}
    (pull,), (pushed,) = records([listed]), by_webhook("push")
    assert isinstance(pull, Change)
    assert (pull.change, pull.commit, pull.lines_added) == ("12", SHA, None)
    (commit,) = records([COMMIT])
    assert isinstance(commit, Change)
    assert isinstance(pushed, Change)
    for field in ("project", "commit", "change", "committed_ms", "author", "trigger", "is_fix", "url"):
        assert getattr(commit, field) == getattr(pushed, field), field
    assert commit.files is None


def test_a_commit_by_itself_has_its_files_and_lines() -> None:
    changed = [
        {"filename": "a.py", "status": "modified", "additions": 3, "deletions": 1, "changes": 4},
        {"filename": "b.py", "status": "renamed", "previous_filename": "c.py", "additions": 0, "deletions": 0},
        {"filename": "d.py", "status": "unchanged", "additions": 0, "deletions": 0},
    ]
    (commit,) = records({**COMMIT, "stats": {"additions": 3, "deletions": 1, "total": 4}, "files": changed})
    assert isinstance(commit, Change)
    assert commit.files == [
        ChangedFile(path="a.py", status="modified", added=3, removed=1),
        ChangedFile(path="b.py", status="renamed", added=0, removed=0), ChangedFile(path="d.py", added=0, removed=0),
    ]  # fmt: skip
    assert (commit.files_changed, commit.lines_added, commit.lines_removed) == (3, 3, 1)


def test_a_status_of_a_deployment_finds_it_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a-statuses.json").write_text(json.dumps([DEPLOYMENT_STATUS, {**DEPLOYMENT_STATUS, "state": "queued"}]))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "deep" / "deployments.json").write_text(json.dumps([DEPLOYMENT]))
    paths = found(tmp_path)
    read_rows = list(rows(paths, Reading(export=export(paths, None, AUTHORS)), lambda _: None))
    steps = [one.record for one in read_rows if isinstance(one, Row)]
    wanted = by_webhook("deployment")
    assert steps == [*by_webhook("deployment_status"), *wanted, *wanted]
    (refused,) = [one for one in read_rows if isinstance(one, Refusal)]
    assert (Path(refused.file).name, refused.field) == ("broken.json", "body")


def test_a_status_whose_deployment_was_not_saved_is_a_step_all_the_same() -> None:
    started, requested = records([{**DEPLOYMENT_STATUS, "state": state} for state in ("in_progress", "queued")])
    for step, state in ((started, "started"), (requested, "requested")):
        assert isinstance(step, DeployStep)
        assert (step.deploy, step.state, step.environment, step.head) == ("145988746", state, "production", None)


def test_pages_may_be_arrays_of_pages() -> None:
    assert len(records([[COMMIT], [COMMIT, COMMIT]])) == 3
    assert len(records([{"total_count": 2, "jobs": [JOB]}, {"total_count": 2, "jobs": [JOB]}])) == 2
    assert records([]) == records({"total_count": 0, "workflow_runs": []}) == []


def test_whose_it_is_is_told_by_its_address_else_by_the_option() -> None:
    elsewhere = {**JOB, "url": "https://github.example.org/api/v3/repos/acme/lib/actions/jobs/1"}
    (job,), (nowhere,) = records(elsewhere, Export("acme/app", AUTHORS, {})), of({**JOB, "url": None})
    assert job.project == "acme/lib"
    assert isinstance(nowhere, Refusal)
    assert "--project" in nowhere.reason
    assert records({**JOB, "url": None}, Export("acme/opt", AUTHORS, {}))[0].project == "acme/opt"


def test_what_cannot_be_told_is_refused_by_name_and_costs_no_other() -> None:
    refused = of([{"message": "Not Found"}, 7, {**DEPLOYMENT_STATUS, "deployment_url": 1}, {**JOB, "name": 1}, JOB])
    assert [type(one) for one in refused] == [Refusal] * 4 + [Row]
    assert [one.place for one in refused] == [f"element {number}" for number in range(1, 6)]
    assert [one.field for one in refused if isinstance(one, Refusal)] == ["element", "element", "deployment_url", "job"]


def test_a_document_too_large_is_refused() -> None:
    (refused,) = read(io.BytesIO(b" " * (LARGEST + 1)), "f.json", ALONE)
    assert isinstance(refused, Refusal)
    assert refused.field == "size"


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no \*\.json"):
        found(tmp_path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
OBJECTS: list[dict[str, Any]] = [
    RUN, JOB, PULL, {**COMMIT, "files": [], "stats": {}}, DEPLOYMENT, DEPLOYMENT_STATUS, {"jobs": []},
    GITHUB["push"],
]  # fmt: skip


@given(st.sampled_from([(one, key) for one in OBJECTS for key in one]), anything)
def test_no_document_breaks_the_reader(at: tuple[dict[str, Any], str], value: object) -> None:
    one, key = at
    assert all(isinstance(row, Row | Refusal) for row in of([{**one, key: value}, {**one, key: [value]}]))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert all(isinstance(row, Refusal) for row in read(io.BytesIO(body), "f.json", ALONE))
