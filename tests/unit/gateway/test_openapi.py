"""The document at /openapi.json: what a stranger needs to call the gateway."""

from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from contracts.records import Event
from tests.unit.gateway.test_app import Client

DOCUMENT: dict[str, Any] = Client().get("/openapi.json").json()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def test_it_says_whose_it_is_how_one_gets_in_and_what_trouble_looks_like() -> None:
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("Argus", "0.1.0")
    assert "argus token create" in DOCUMENT["info"]["description"]
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_says_what_it_does_who_may_and_what_it_answers(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert all(one["description"] for one in operation["parameters"])
    is_webhook = any(one["name"] == "tenant" for one in operation["parameters"])
    assert ("security" in operation) != is_webhook
    for status, answer in operation["responses"].items():
        assert answer["description"], status
        assert answer["content"], f"{status} has no body"
        assert int(status) < 400 or status == "410" or "application/problem+json" in answer["content"]


def test_what_is_referred_to_is_there_and_what_is_there_is_referred_to() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert references(DOCUMENT) == {f"#/components/schemas/{name}" for name in schemas}
    assert {kind.__name__ for kind in get_args(Event)} < set(schemas)


EXECUTION = {"project": "acme/app", "run": "1", "job": "b", "outcome": "success", "finished_ms": 1_796_000_000_000}
DEPLOY = {"project": "acme/app", "deploy": "9", "environment": "live", "state": "started", "at_ms": 1_796_000_000_000}


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        (EXECUTION, True),
        ([EXECUTION, {**DEPLOY, "type": "argus.cicd.deploys"}], True),
        (DEPLOY, False),
        ({**EXECUTION, "outcome": "perhaps"}, False),
        ({**EXECUTION, "type": "argus.cicd.deploys"}, False),
        ([EXECUTION, 7], False),
    ],
)
def test_the_schema_of_records_takes_what_is_taken_and_no_more(sent: object, fits: bool) -> None:
    schema = OPERATIONS["POST /api/v1/ingest/events"]["requestBody"]["content"]["application/json"]["schema"]
    within = {**schema, "components": DOCUMENT["components"]}
    assert Draft202012Validator(within).is_valid(sent) == fits


def test_reports_come_as_a_body_or_as_files_of_a_form() -> None:
    bodies = OPERATIONS["POST /api/v1/ingest/junit"]["requestBody"]["content"]
    assert set(bodies) == {"application/xml", "multipart/form-data"}
