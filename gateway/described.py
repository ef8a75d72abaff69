"""What /openapi.json says of answers, troubles and bodies, from the same structs that are read and written.

FastAPI knows pydantic's models alone; the schemas of ours are added to the document as its components.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from msgspec import Struct

Described = dict[int | str, dict[str, Any]]
"""What an operation answers, by status."""

_COMPONENTS = "#/components/schemas/{name}"


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong, as RFC 9457 has it; `detail` names the field and the value, or whom to ask."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


def reference(kind: type[Struct]) -> dict[str, Any]:
    """Where the schema of a struct stands."""
    return {"$ref": _COMPONENTS.format(name=kind.__name__)}


def told(description: str, kind: type[Struct], *, or_problem: bool = False) -> dict[str, Any]:
    """An answer whose body is a struct, or for the same status a problem."""
    content = {"application/json": {"schema": reference(kind)}}
    if or_problem:
        content |= problem("")["content"]
    return {"description": description, "content": content}


def problem(description: str) -> dict[str, Any]:
    """An answer whose body is a problem."""
    return {"description": description, "content": {"application/problem+json": {"schema": reference(Problem)}}}


def request_body(description: str, schemas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A request's body, by content type."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"description": description, "required": True, "content": content}


def header(name: str, description: str, *, required: bool = False) -> dict[str, Any]:
    """A header of a request."""
    schema = {"type": "string", "pattern": r"^[!-~]+$", "maxLength": 255}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def document(app: FastAPI, kinds: tuple[type[Struct], ...]) -> Callable[[], dict[str, Any]]:
    """What makes the document of `app`, once, with the schemas of `kinds` and of what they hold."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            _, schemas = msgspec.json.schema_components((Problem, *kinds), ref_template=_COMPONENTS)
            components = made.setdefault("components", {})
            components["schemas"] = {**components.get("schemas", {}), **schemas}
            app.openapi_schema = made
        return app.openapi_schema

    return openapi
