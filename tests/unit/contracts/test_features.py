"""Keys: what the catalogue serves, and what it refuses to guess."""

import pytest

from contracts.errors import BadRecord
from contracts.features import FEATURES, GUARD_LIFE_S, VIEWS, Feature, View, parse_key
from contracts.jobs import JOBS


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
@pytest.mark.parametrize("project", ["acme/app", "acme/group/app", "a.b_c-d/1"])
def test_a_key_names_its_feature_and_its_entity(feature: Feature, project: str) -> None:
    assert parse_key(feature.key(project, "")) == (feature, project)


def test_a_namespace_goes_before_the_key() -> None:
    (feature,) = (feature for feature in FEATURES if feature.name == "failure_rate_24h")
    assert feature.key("acme/app", "day-1") == "day-1:project:acme/app:failure_rate_24h"
    assert feature.view.entity_key("acme/app", "day-1") == "day-1:project:acme/app"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "project",
        "project:acme/app",
        "project:acme/app:",
        "project:acme/app:failure_rate",
        "project:app:failure_rate_24h",
        "project:acme/a b:failure_rate_24h",
        "project:acme/app:x:failure_rate_24h",
        "project:acme/app\n:failure_rate_24h",
        "test:acme/app:failure_rate_24h",
        "day-1:project:acme/app:failure_rate_24h",
        "project:acme/app:failure_rate_24h\n",
    ],
)
def test_a_key_that_is_not_served_is_refused_with_what_is(key: str) -> None:
    with pytest.raises(BadRecord) as refused:
        parse_key(key)
    assert refused.value.field == "key"


def test_whoever_asks_for_an_unknown_feature_is_told_the_known_ones() -> None:
    with pytest.raises(BadRecord, match=r"project:\{id\}:failure_rate_24h"):
        parse_key("project:acme/app:failure_rate_1y")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_is_written_by_its_job_and_its_features_are_fields_of_its_record(view: View) -> None:
    assert view.topic in view.job.writes
    assert JOBS[view.job.name] is view.job
    fields = set(view.topic.record.__struct_fields__)
    assert {feature.name for feature in FEATURES if feature.view is view} <= fields
    assert {"as_of_ms", "model_version", view.entity} <= fields


def test_the_guard_outlives_every_key() -> None:
    assert all(feature.ttl_s < GUARD_LIFE_S for feature in FEATURES)
