"""The history of a view as rows of Postgres: which of its values are worth a row, and how they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg import sql

from contracts.features import FEATURES, View
from feature_store.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {"float": "double precision", "json": "jsonb"}


@dataclass(frozen=True)
class Row:
    """One value of one entity, its features in the catalogue's order."""

    entity: str
    at: datetime
    features: tuple[object, ...]
    version: int


def timestamp(as_of_ms: int) -> datetime:
    """An instant as Postgres keeps it, to the millisecond.

    >>> timestamp(1_795_253_400_123).isoformat()
    '2026-11-21T09:30:00.123000+00:00'
    """
    return _EPOCH + timedelta(milliseconds=as_of_ms)


def changes(rows: Iterable[Row], before: dict[str, Row]) -> list[tuple[Row, bool]]:
    """Each row, and whether it tells more than the one before it: another value, another version or another day.

    `rows` may come in any order; `before` has each entity's last row before them. Of several rows of one entity and
    instant the last counts.
    """
    newest = {(row.entity, row.at): row for row in rows}
    last = dict(before)
    told = []
    for row in sorted(newest.values(), key=lambda row: (row.entity, row.at)):
        known = last.get(row.entity)
        tells = known is None or (known.features, known.version, known.at.date()) != (
            row.features, row.version, row.at.date(),
        )  # fmt: skip
        if tells:
            last[row.entity] = row
        told.append((row, tells))
    return told


class Table:
    """One view's table: its columns follow from the catalogue."""

    def __init__(self, view: View) -> None:
        self._features = [feature for feature in FEATURES if feature.view is view]
        names = [sql.Identifier(feature.name) for feature in self._features]
        columns = sql.SQL(", ").join([*names, sql.Identifier("model_version")])
        types = ["text", "timestamptz", *(_TYPES[feature.kind] for feature in self._features), "integer"]
        parts = {"table": sql.Identifier(view.table), "columns": columns}
        self._before = sql.SQL(
            "SELECT b.entity, h.event_timestamp, {columns} FROM unnest(%s::text[], %s::timestamptz[]) "
            "AS b (entity, first) CROSS JOIN LATERAL (SELECT * FROM {table} WHERE entity = b.entity "
            "AND event_timestamp < b.first ORDER BY event_timestamp DESC LIMIT 1) AS h"
        ).format(**parts)
        # What tells nothing new has no row. Where its instant has one, from an earlier batch that ended between two
        # values of one instant, that one goes: which rows there are must not depend on how the log was cut.
        self._drop = sql.SQL(
            "DELETE FROM {table} AS h USING unnest(%s::text[], %s::timestamptz[]) AS b (entity, at) "
            "WHERE (h.entity, h.event_timestamp) = (b.entity, b.at)"
        ).format(**parts)
        self._write = sql.SQL(
            "INSERT INTO {table} AS h (entity, event_timestamp, {columns}) SELECT * FROM unnest({types}) "
            "ON CONFLICT (entity, event_timestamp) DO UPDATE "
            "SET ({columns}, created_timestamp) = ({excluded}, now()) "
            "WHERE ({known}) IS DISTINCT FROM ({excluded})"
        ).format(
            **parts,
            types=sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kind)) for kind in types),
            excluded=_qualified("excluded", [*names, sql.Identifier("model_version")]),
            known=_qualified("h", [*names, sql.Identifier("model_version")]),
        )

    def row(self, value: Value) -> Row:
        """The row of a value."""
        features = [getattr(value.record, feature.name) for feature in self._features]
        return Row(value.entity, timestamp(value.as_of_ms), self._cells(features), value.version)

    def store(self, connection: psycopg.Connection, rows: Sequence[Row]) -> int:
        """Write what `rows` tell and commit; returns the number of rows written, changed or taken back.

        Raises psycopg errors.
        """
        if not rows:
            return 0
        first: dict[str, datetime] = {}
        for row in rows:
            first[row.entity] = min(row.at, first.get(row.entity, row.at))
        with connection.transaction():
            found = connection.execute(self._before, [list(first), list(first.values())]).fetchall()
            before = {entity: Row(entity, at, self._cells(cells), version) for entity, at, *cells, version in found}
            told = changes(rows, before)
            silent = [row for row, tells in told if not tells]
            dropped = connection.execute(self._drop, [[row.entity for row in silent], [row.at for row in silent]])
            written = connection.execute(self._write, self._columns([row for row, tells in told if tells]))
            return dropped.rowcount + written.rowcount

    def _columns(self, rows: Sequence[Row]) -> list[list[object]]:
        """By column, in the order of the statement that writes."""
        features = [[row.features[at] for row in rows] for at in range(len(self._features))]
        return [[row.entity for row in rows], [row.at for row in rows], *features, [row.version for row in rows]]

    def _cells(self, values: Sequence[object]) -> tuple[object, ...]:
        """JSON as one text per value, its keys in order: Postgres keeps them in its own."""
        return tuple(
            msgspec.json.encode(value, order="sorted").decode()
            if feature.kind == "json" and value is not None
            else value
            for feature, value in zip(self._features, values, strict=True)
        )


def _qualified(table: str, names: Sequence[sql.Identifier]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(table), name) for name in names)
