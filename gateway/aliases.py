"""Tests that were renamed, in Postgres: told, listed, taken back, looked up; who did it is written beside it."""

from hashlib import blake2b

import psycopg

from contracts.errors import Misconfigured
from gateway.ingest.aliases import TestAlias, alias, check, ends
from gateway.ingest.redaction import name
from gateway.registry import Registry, no_tenant

MOST = 10_000
"""Aliases of one tenant: a gateway keeps them all."""


class TestAliases(Registry):
    """The registry of what a tenant's tests are called."""

    def add(self, project: str, old: str, new: str, actor: str) -> None:
        """In a project the test `old` is called `new` now.

        Raises BadRecord for what is no project or test, and Misconfigured where the tenant does not exist or has too
        many, `old` is an alias already, or `new` leads back to it.
        """
        one = alias(project, old, new, self.now())
        tenant = project.partition("/")[0]

        def run(connection: psycopg.Connection) -> None:
            # one at a time in a tenant: two could lead to one another
            if not connection.execute("SELECT FROM tenant WHERE name = %s FOR UPDATE", [tenant]).rowcount:
                raise no_tenant(tenant)
            known = self._pairs(connection, tenant)
            if sum(map(len, known.values())) >= MOST:
                raise Misconfigured(f"tenant {tenant!r} has {MOST} aliases, the most there may be")
            check(one, known.get(project, {}))
            connection.execute(
                "INSERT INTO test_alias VALUES (%s, %s, %s, %s, %s)", [tenant, project, one.old, one.new, one.since]
            )
            self.note(connection, tenant, actor, "test alias added", _noted(project, one.old, one.new))

        self.in_one(run)

    def remove(self, project: str, old: str, actor: str) -> None:
        """The test `old` of a project is one of its own again. Raises Misconfigured where it was no alias."""
        old = name(old)

        def run(connection: psycopg.Connection) -> None:
            row = connection.execute(
                "DELETE FROM test_alias WHERE project = %s AND old_test = %s RETURNING tenant, new_test", [project, old]
            ).fetchone()
            if row is None:
                raise Misconfigured(f"{old!r} is no alias in {project}: argus tests aliases {project}")
            self.note(connection, row[0], actor, "test alias removed", _noted(project, old, row[1]))

        self.in_one(run)

    def listed(self, project: str) -> list[TestAlias]:
        """The aliases of a project, the oldest first."""

        def run(connection: psycopg.Connection) -> list[TestAlias]:
            rows = connection.execute(
                "SELECT project, old_test, new_test, since FROM test_alias WHERE project = %s ORDER BY since, old_test",
                [project],
            )
            return [TestAlias(*row) for row in rows]

        return self.in_one(run)

    def known(self, tenant: str) -> dict[str, dict[str, str]]:
        """By project and old id, what a tenant's tests are called in the end; none where there is no table yet."""
        try:
            known = self.in_one(lambda connection: self._pairs(connection, tenant))
        except Misconfigured:
            return {}
        return {project: ends(new_of) for project, new_of in known.items()}

    def _pairs(self, connection: psycopg.Connection, tenant: str) -> dict[str, dict[str, str]]:
        known: dict[str, dict[str, str]] = {}
        rows = connection.execute("SELECT project, old_test, new_test FROM test_alias WHERE tenant = %s", [tenant])
        for project, old, new in rows:
            known.setdefault(project, {})[old] = new
        return known


def _noted(project: str, old: str, new: str) -> str:
    """The audit outlasts a tenant, so it does not have his ids: adding an alias and removing it are noted alike."""
    return f"{project} {blake2b(f'{old} -> {new}'.encode(), digest_size=8).hexdigest()}"
