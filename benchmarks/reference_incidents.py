"""The insights that a log must give: the model alone, told one project's executions after the other, without a job.

Whether the model is right is shown elsewhere (`argus evaluate velocity`, tests of what a person would want); here it is
whether a stream that was cut, delayed, killed and read again says the same.
"""

from collections.abc import Mapping

import pandas as pd

from contracts.errors import BadRecord
from contracts.insights import Insight
from contracts.records import JobExecution, decode, encode
from contracts.settings import Settings
from contracts.zones import zone_of
from models.incidents import Arrival, Told, Watch, learn, pass_time


def insights(
    executions: pd.DataFrame, bodies: Mapping[tuple[int, int], bytes | None], clock_ms: int, settings: Settings
) -> dict[str, str]:
    """The JSON of each insight by its id; `executions` as in reference.Read, `bodies` by partition and offset."""
    told: dict[str, str] = {}
    for project, rows in executions.groupby("project", sort=False):
        watch = Watch(zone_of(project, settings.time_zone, settings.time_zones))
        cells: dict[str, str] = {}
        known: set[tuple[str, str]] = set()
        found: list[Told] = []
        for row in rows.itertuples(index=False):
            failing = row.failing and (row.run, "failing") not in known
            erring = row.erring and (row.run, "error") not in known
            known |= {(row.run, name) for name, is_new in (("failing", failing), ("error", erring)) if is_new}
            execution = _read(bodies[row.partition, row.offset]) if row.failing or row.erring else None
            minutes = (row.minute if failing else None, row.minute if erring else None)
            found += learn(cells, Arrival(project, row.run, row.arrived_ms, *minutes, execution), watch)
        found += pass_time(cells, project, clock_ms, watch)
        told |= {one.insight: encode(one).decode() for one in found if isinstance(one, Insight)}
    return told


def _read(body: bytes | None) -> JobExecution | None:
    try:
        return decode(JobExecution, body or b"")
    except BadRecord:
        return None
