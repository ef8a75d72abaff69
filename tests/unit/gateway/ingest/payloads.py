"""Deliveries as GitHub and GitLab document them, cut to what is read and what could mislead a reader."""

from typing import Any

SHA, BASE = "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
API, WEB = "https://api.github.com/repos/acme/app", "https://github.com/acme/app"
REPOSITORY = {"id": 186853002, "name": "app", "full_name": "acme/app", "statuses_url": f"{API}/statuses/{{sha}}"}
ANN = {"login": "ann", "id": 21031067, "type": "User"}
PUSH_COMMIT = {
    "id": SHA, "tree_id": "31b1", "distinct": True, "message": "fix(parser): empty input", "url": f"{WEB}/commit/{SHA}",
    "timestamp": "2026-11-21T09:00:00+01:00",
    "author": {"name": "Ann", "email": "ann@example.org", "username": "ann"},
    "committer": {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"},
    "added": ["src/new.py"], "removed": ["src/gone.py"], "modified": ["src/a.py", "README.md"],
}  # fmt: skip
DEPLOYMENT = {
    "url": f"{API}/deployments/145988746", "id": 145988746, "sha": SHA, "ref": "main", "task": "deploy", "payload": {},
    "original_environment": "production", "environment": "production", "creator": ANN,
    "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:05:00Z",
    "statuses_url": f"{API}/deployments/145988746/statuses", "repository_url": API,
}  # fmt: skip
DEPLOYMENT_STATUS = {
    "url": f"{API}/deployments/145988746/statuses/2", "id": 2, "state": "success", "creator": ANN, "description": "",
    "environment": "production", "target_url": "", "log_url": "https://deploys.example.org/7",
    "created_at": "2026-11-21T08:05:00Z", "updated_at": "2026-11-21T08:05:00Z",
    "deployment_url": f"{API}/deployments/145988746", "repository_url": API,
}  # fmt: skip
RUN = {
    "id": 4711, "name": "ci", "path": ".github/workflows/ci.yml", "head_branch": "main", "head_sha": SHA,
    "run_number": 7, "run_attempt": 2, "event": "push", "status": "completed", "conclusion": "startup_failure",
    "workflow_id": 5, "check_suite_id": 9, "url": f"{API}/actions/runs/4711", "html_url": f"{WEB}/actions/runs/4711",
    "jobs_url": f"{API}/actions/runs/4711/jobs", "created_at": "2026-11-21T07:00:00Z",
    "run_started_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:09Z",
    "actor": ANN, "triggering_actor": ANN,
}  # fmt: skip
JOB = {
    "id": 1, "run_id": 4711, "run_url": f"{API}/actions/runs/4711", "run_attempt": 2, "name": "unit (3.11)",
    "workflow_name": "ci", "head_sha": SHA, "head_branch": "main", "status": "completed", "conclusion": "failure",
    "created_at": "2026-11-21T07:59:00Z", "started_at": "2026-11-21T08:00:00Z", "completed_at": "2026-11-21T08:10:00Z",
    "url": f"{API}/actions/jobs/1", "html_url": f"{WEB}/actions/runs/4711/job/1", "steps": [],
}  # fmt: skip
PULL = {
    "url": f"{API}/pulls/12", "html_url": f"{WEB}/pull/12", "number": 12, "state": "open",
    "title": "Handle empty input", "body": "Fixes #11", "user": ANN, "draft": False,
    "merged": False, "merged_at": None, "closed_at": None,
    "created_at": "2026-11-21T07:00:00Z", "updated_at": "2026-11-21T08:00:00Z", "merge_commit_sha": BASE,
    "statuses_url": f"{API}/statuses/{SHA}", "head": {"ref": "fix-11", "sha": SHA, "repo": {"full_name": "ann/app"}},
    "base": {"ref": "main", "sha": BASE, "repo": REPOSITORY}, "additions": 40, "deletions": 2, "changed_files": 3,
}  # fmt: skip

GITHUB: dict[str, dict[str, Any]] = {
    "workflow_job": {
        "action": "completed", "workflow_job": JOB, "deployment": DEPLOYMENT, "repository": REPOSITORY, "sender": ANN,
    },
    "workflow_run": {
        "action": "completed", "workflow_run": RUN, "workflow": {"id": 5}, "repository": REPOSITORY, "sender": ANN,
    },
    "check_run": {
        "action": "completed",
        "check_run": {
            "id": 128620228, "head_sha": SHA, "external_id": "", "url": f"{API}/check-runs/128620228",
            "html_url": f"{WEB}/runs/128620228", "details_url": "https://lint.example.org", "status": "completed",
            "conclusion": "failure", "started_at": "2026-11-21T08:00:00Z", "completed_at": "2026-11-21T08:10:00Z",
            "output": {"title": "2 problems", "summary": "unused import", "text": None, "annotations_count": 2},
            "name": "lint", "check_suite": {"id": 118578147, "head_branch": "main", "head_sha": SHA},
            "app": {"id": 29310, "slug": "octo-linter", "name": "Octo Linter"}, "pull_requests": [],
        },
        "repository": REPOSITORY, "sender": {"login": "octo-linter[bot]", "type": "Bot"},
    },
    "push": {
        "ref": "refs/heads/main", "before": BASE, "after": SHA, "created": False, "deleted": False, "forced": False,
        "commits": [PUSH_COMMIT], "head_commit": PUSH_COMMIT, "repository": REPOSITORY, "sender": ANN,
        "pusher": {"name": "ann", "email": "ann@example.org"},
    },
    "pull_request": {
        "action": "synchronize", "number": 12, "pull_request": PULL, "repository": REPOSITORY, "sender": ANN,
    },
    "deployment": {
        "action": "created", "deployment": DEPLOYMENT, "workflow": None, "workflow_run": RUN, "repository": REPOSITORY,
        "sender": ANN,
    },
    "deployment_status": {
        "action": "created", "deployment_status": DEPLOYMENT_STATUS, "deployment": DEPLOYMENT, "check_run": {"id": 1},
        "workflow_run": RUN, "repository": REPOSITORY, "sender": ANN,
    },
}  # fmt: skip

PROJECT = {"id": 15, "path_with_namespace": "acme/group/app", "web_url": "https://gitlab.example.org/acme/group/app"}
GITLAB_COMMIT = {
    "id": SHA, "message": "Repair readme\n", "title": "Repair readme", "timestamp": "2026-11-21T09:00:00+01:00",
    "url": f"https://gitlab.example.org/acme/group/app/-/commit/{SHA}",
    "author": {"name": "Ann", "email": "ann@example.org"},
    "added": ["CHANGELOG"], "modified": ["app/controller.rb"], "removed": [],
}  # fmt: skip
GITLAB: dict[str, dict[str, Any]] = {
    "build": {
        "object_kind": "build", "build_id": 1977, "build_name": "unit", "build_stage": "test", "build_status": "failed",
        "build_started_at": "2026-11-21 08:00:00 UTC", "build_finished_at": "2026-11-21 08:10:00 UTC",
        "build_failure_reason": "script_failure", "retries_count": 1, "pipeline_id": 2366, "sha": SHA, "ref": "main",
        "project": PROJECT,
    },
    "pipeline": {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": 31, "iid": 3, "name": "nightly", "ref": "main", "tag": False, "sha": SHA, "before_sha": BASE,
            "source": "push", "status": "failed", "stages": [], "created_at": "2026-11-21 08:00:00 UTC",
            "finished_at": None, "duration": None,
            "url": "https://gitlab.example.org/acme/group/app/-/pipelines/31",
        },
        "merge_request": None, "project": PROJECT, "commit": GITLAB_COMMIT, "builds": [],
    },
    "push": {
        "object_kind": "push", "event_name": "push", "before": BASE, "after": SHA, "ref": "refs/heads/main",
        "checkout_sha": SHA, "user_username": "ann", "user_email": "", "project_id": 15, "project": PROJECT,
        "commits": [GITLAB_COMMIT], "total_commits_count": 1,
    },
    "merge_request": {
        "object_kind": "merge_request", "event_type": "merge_request", "user": {"id": 1, "email": "[REDACTED]"},
        "project": PROJECT,
        "object_attributes": {
            "id": 99, "iid": 12, "target_branch": "main", "source_branch": "fix-11", "author_id": 51, "title": "Repair",
            "description": "Fixes #11", "created_at": "2026-11-21 07:00:00 UTC", "state": "opened", "action": "open",
            "updated_at": "2026-11-21 08:00:00 UTC", "last_commit": GITLAB_COMMIT,
            "url": "https://gitlab.example.org/acme/group/app/-/merge_requests/12",
        },
        "changes": {},
    },
    "deployment": {
        "object_kind": "deployment", "status": "success", "status_changed_at": "2026-11-21 09:05:00 +0100",
        "deployment_id": 15, "deployable_id": 796, "environment": "staging", "environment_tier": "staging",
        "deployable_url": "https://gitlab.example.org/acme/group/app/-/jobs/796", "environment_slug": "staging",
        "project": PROJECT, "short_sha": SHA[:8], "ref": "main",
        "commit_url": f"https://gitlab.example.org/acme/group/app/-/commit/{SHA}", "commit_title": "Repair readme",
    },
}  # fmt: skip
