"""Flink's REST interface, the few calls that the embedded stack needs. Standard library only."""

import json
import urllib.error
import urllib.request
from typing import Any

from contracts.errors import Unavailable


def get(address: str, path: str, *, timeout_s: float = 2.0) -> Any:
    """The JSON at a path of the cluster's REST address. Raises Unavailable when it does not answer with one."""
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}{path}", timeout=timeout_s) as answer:  # noqa: S310  http by its type
            return json.load(answer)
    except (OSError, ValueError) as failed:  # refused, timed out, an error's status, not JSON
        raise Unavailable(f"Flink at {address} does not answer {path}: {failed}") from failed
