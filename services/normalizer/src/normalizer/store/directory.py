"""Which dealer a source's location is, by the `Location` and `Dealer` settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import asyncpg
from leadbus.contracts.lead import Dealer
from leadbus.db import Connection, Part, at_once

from normalizer.domain.phones import read_phone


@dataclass(frozen=True, slots=True)
class Place:
    """A source's own reference of a dealer, as it came through one account."""

    source: str
    account: str
    location: str


# A location of this very account goes before one of any account.
_FIND = """
dealers AS (
    SELECT place.source, place.account, place.location, dealer.name, dealer.spec::text AS spec
      FROM unnest($1::text[], $2::text[], $3::text[]) AS place (source, account, location)
     CROSS JOIN LATERAL (
           SELECT spec ->> 'dealer' AS dealer FROM setting
            WHERE kind = 'Location'
              AND spec ->> 'source' = place.source AND spec ->> 'external_id' = place.location
              AND coalesce(spec ->> 'account', place.account) = place.account
            ORDER BY spec ->> 'account' NULLS LAST LIMIT 1) AS location
      JOIN setting AS dealer ON dealer.kind = 'Dealer' AND dealer.name = location.dealer
)
"""
_FOUND = """
ARRAY(SELECT ARRAY[source, account, location, name, spec] FROM dealers) AS dealers
"""
_DEALERS_KEPT = 4096


async def find(conn: Connection, places: Iterable[Place]) -> dict[Place, Dealer]:
    """The dealers of those places that are mapped, as the directory knows them now."""
    return found(await at_once(conn, finding(places)))


def finding(places: Iterable[Place]) -> Part:
    """`find` as a part of a larger statement; `found` reads its answer."""
    wanted = list(set(places))
    arguments = (
        [place.source for place in wanted],
        [place.account for place in wanted],
        [place.location for place in wanted],
    )
    return Part(_FIND, arguments, _FOUND)


def found(row: asyncpg.Record) -> dict[Place, Dealer]:
    """What `find` returns, from the row of a statement with `finding` in it."""
    return {
        Place(source, account, location): _dealer(name, spec)
        for source, account, location, name, spec in row["dealers"]
    }


@lru_cache(_DEALERS_KEPT)
def _dealer(name: str, written: str) -> Dealer:
    """Read once for as long as it stays as written."""
    spec = json.loads(written)
    phone = read_phone(spec["phone"], spec.get("country")).e164 if spec.get("phone") else None
    return Dealer.model_validate({**spec, "dealer_id": name, "phone": phone})
