"""Flink's REST interface, the few calls that Argus needs. Standard library only."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

from contracts.errors import Unavailable


def get(address: str, path: str, *, timeout_s: float = 2.0) -> Any:
    """The JSON at a path of the cluster's REST address. Raises Unavailable when it does not answer with one."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}{path}", timeout=timeout_s) as answer:  # noqa: S310  http by its type
            return json.load(answer)
    except (OSError, ValueError) as failed:  # refused, timed out, an error's status, not JSON
        raise Unavailable(f"Flink at {address} does not answer {path}: {failed}") from failed


def send(
    address: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    method: Literal["POST", "PATCH"] = "POST",
    timeout_s: float = 10.0,
) -> Any:
    """Ask the cluster to do something; its JSON answer. Raises Unavailable, with Flink's words when it refuses."""
    request = urllib.request.Request(  # noqa: S310  http by its type
        f"{address.rstrip('/')}{path}",
        data=json.dumps(body or {}).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise Unavailable(f"Flink at {address} refused {path}: {_told(refused)}") from refused
    except (OSError, ValueError) as failed:
        raise Unavailable(f"Flink at {address} does not answer {path}: {failed}") from failed


def cause(trace: str) -> str:
    """The line of a Java trace that says why: its deepest cause, else its first line; at most 400 characters.

    >>> cause("java.lang.Error: a\\n\\tat x\\nCaused by: java.io.IOException: no such file\\n\\tat y")
    'java.io.IOException: no such file'
    """
    lines = [line for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes[-1:] or lines[:1] or [""])[0][:400]


def _told(refused: urllib.error.HTTPError) -> str:
    try:
        return cause("\n".join(map(str, json.load(refused)["errors"]))) or str(refused)
    except (OSError, ValueError, KeyError):
        return str(refused)
