"""A report in parts, each of which fits into one message."""

from collections.abc import Iterable, Iterator

import msgspec

from contracts.records import PART_TESTS, TestExecution
from gateway.ingest.row import LARGEST_PART


def parts(tests: Iterable[TestExecution]) -> Iterator[list[TestExecution]]:
    """The tests in parts as large as a part may be; the last has what is left, and may be empty."""
    part: list[TestExecution] = []
    size = 0
    for test in tests:
        own = len(msgspec.json.encode(test)) + 1
        if len(part) == PART_TESTS or (part and size + own > LARGEST_PART):
            yield part
            part, size = [], 0
        part.append(test)
        size += own
    yield part
