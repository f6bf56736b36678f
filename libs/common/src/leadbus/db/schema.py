"""Which schema a database has, seen from this release. Without alembic: who runs needs none of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum
from importlib import resources

from leadbus.db.pool import Database

_NAMES = ("revision", "down_revision")


class Schema(Enum):
    """The database's schema seen from this release."""

    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"


async def schema_state(package: str, database: Database) -> Schema:
    """Compare the database's revision with the newest of ``<package>/migrations``.

    A revision this release does not know was put there by a newer one: AHEAD.
    """
    async with database.acquire() as connection:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return Schema.BEHIND
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    if found is None:
        return Schema.BEHIND
    before = dict(_revisions(package))
    newest = before.keys() - before.values()
    if found in newest:
        return Schema.CURRENT
    return Schema.BEHIND if found in before else Schema.AHEAD


def _revisions(package: str) -> Iterator[tuple[str, str | None]]:
    """Every revision and the one before it, as their files name them."""
    for file in resources.files(package).joinpath("migrations", "versions").iterdir():
        if file.name.endswith(".py") and file.name != "__init__.py":
            named = _constants(file.read_text("utf-8"))
            yield str(named["revision"]), named["down_revision"]


def _constants(source: str) -> dict[str, str | None]:
    return {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in _NAMES
    }
