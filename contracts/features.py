"""The feature catalogue: every key that is served, declared once. Writers, reader, tables and docs follow from it."""

import re
from dataclasses import dataclass

from contracts.errors import BadRecord
from contracts.jobs import PROJECT_JOB, Job
from contracts.records import PROJECT_PATTERN
from contracts.topics import FAILURE_EXPECTATION, PROJECT_HEALTH, Topic

GUARD_LIFE_S = 30 * 86_400
"""How long it is remembered that an entity was ever seen."""


@dataclass(frozen=True)
class View:
    """One topic of values, one per entity, written by one job; `table` is its history in Postgres."""

    name: str
    topic: Topic
    job: Job
    entity: str
    table: str

    def entity_key(self, entity: str, namespace: str) -> str:
        """The hash that remembers when this entity was last seen: field `_ts:<view>`."""
        return ":".join(part for part in (namespace, self.entity, entity) if part)


@dataclass(frozen=True)
class Feature:
    """One key: `{entity}:{id}:{name}`, the field `name` of the view's record, alive for `ttl_s`."""

    name: str
    view: View
    ttl_s: int
    kind: str
    unit: str
    meaning: str

    def key(self, entity: str, namespace: str) -> str:
        """Its Valkey key for one entity."""
        return f"{self.view.entity_key(entity, namespace)}:{self.name}"


PROJECT_HEALTH_VIEW = View("project-health", PROJECT_HEALTH, PROJECT_JOB, "project", "feature_project_health")

FAILURE_EXPECTATION_VIEW = View(
    "failure-expectation", FAILURE_EXPECTATION, PROJECT_JOB, "project", "feature_failure_expectation"
)

VIEWS = (PROJECT_HEALTH_VIEW, FAILURE_EXPECTATION_VIEW)

FEATURES = (
    Feature(
        "failure_rate_24h", PROJECT_HEALTH_VIEW, 300, "float", "failing runs / runs",
        "share of the runs of the last 24 h that are failing",
    ),
    Feature(
        "failure_rate_7d", PROJECT_HEALTH_VIEW, 3600, "float", "failing runs / runs",
        "share of the runs of the last 7 d that are failing",
    ),
    Feature(
        "failure_velocity", PROJECT_HEALTH_VIEW, 300, "json", "runs per minute",
        "runs, failing runs and error runs of the last full minute and of the current one, zeros included",
    ),
    Feature(
        "failure_expectation", FAILURE_EXPECTATION_VIEW, 300, "json", "failing runs",
        "failing runs and error runs of the last 1, 5 and 15 min beside what this hour explains: ratio, p, severity "
        "and the incident that is open",
    ),
)  # fmt: skip

_KEY = re.compile(r"(?P<entity>[a-z]+):(?P<id>.+):(?P<feature>[a-z0-9_]+)")


def parse_key(key: str) -> tuple[Feature, str]:
    """The feature and the entity that a key (without namespace) names.

    >>> feature, entity = parse_key("project:acme/app:failure_rate_24h")
    >>> feature.ttl_s, entity
    (300, 'acme/app')

    Raises BadRecord when no such feature is in the catalogue or the entity is malformed.
    """
    match = _KEY.fullmatch(key)
    if match:
        for feature in FEATURES:
            if (feature.view.entity, feature.name) == (match["entity"], match["feature"]):
                if not re.fullmatch(PROJECT_PATTERN, match["id"]):
                    raise BadRecord("key", key, "names no project of the form <tenant>/<name>")
                return feature, match["id"]
    known = ", ".join(f"{feature.view.entity}:{{id}}:{feature.name}" for feature in FEATURES)
    raise BadRecord("key", key, f"is not in the feature catalogue; it has {known}")
