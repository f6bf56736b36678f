"""Routes, as the settings of this service hold them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import asyncpg
from leadbus.db import Connection, Part, at_once, in_turn

from adf_mailer.domain.route import AdfRoute, Route

KIND = "AdfRoute"

_KEPT = 4096
_OF_DEALERS = """
dealers_routes AS (
    SELECT name, spec::text AS spec FROM setting
    WHERE kind = 'AdfRoute' AND spec ->> 'dealer' = ANY($1::text[])
)
"""
_FOUND = "ARRAY(SELECT ARRAY[name, spec] FROM dealers_routes ORDER BY name) AS dealers_routes"


async def of_dealers(conn: Connection, dealers: Iterable[str]) -> list[Route]:
    """Every route of these dealers, enabled or not, by name."""
    return found(await at_once(conn, finding(dealers)))


def finding(dealers: Iterable[str]) -> Part:
    """`of_dealers` as a part of a larger statement; `found` reads its answer."""
    return Part(_OF_DEALERS, (list(set(dealers)),), _FOUND)


def found(row: asyncpg.Record) -> list[Route]:
    """What `of_dealers` returns, from the row of a statement with `finding` in it."""
    return [_route(name, spec) for name, spec in row["dealers_routes"]]


async def by_name(conn: Connection, name: str) -> Route | None:
    spec = await conn.fetchval("SELECT spec::text FROM setting WHERE kind = 'AdfRoute' AND name = $1", name)
    return None if spec is None else _route(name, spec)


@lru_cache(_KEPT)
def _route(name: str, written: str) -> Route:
    """Read once for as long as it stays as written."""
    return Route(name, AdfRoute.model_validate_json(written))


async def enabled_beside(conn: Connection, route: Route) -> list[Route]:
    """The other enabled routes of the route's dealer, by name.

    Whoever asks about the same dealer waits until the caller's transaction ends, and sees what came of it.
    """
    await in_turn(conn, f"adf routes {route.spec.dealer}")
    return [
        one
        for one in await of_dealers(conn, [route.spec.dealer])
        if one.spec.enabled and one.name != route.name
    ]
