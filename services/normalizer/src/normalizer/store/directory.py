"""Which dealer a source's location is, by the `Location` and `Dealer` settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from leadbus.contracts.lead import Dealer
from leadbus.db import Connection

from normalizer.domain.phones import read_phone


@dataclass(frozen=True, slots=True)
class Place:
    """A source's own reference of a dealer, as it came through one account."""

    source: str
    account: str
    location: str


# A location of this very account goes before one of any account.
_FIND = """
SELECT place.source, place.account, place.location, dealer.name, dealer.spec::text AS spec
  FROM unnest($1::text[], $2::text[], $3::text[]) AS place (source, account, location)
 CROSS JOIN LATERAL (
       SELECT spec ->> 'dealer' AS dealer FROM setting
        WHERE kind = 'Location'
          AND spec ->> 'source' = place.source AND spec ->> 'external_id' = place.location
          AND coalesce(spec ->> 'account', place.account) = place.account
        ORDER BY spec ->> 'account' NULLS LAST LIMIT 1) AS location
  JOIN setting AS dealer ON dealer.kind = 'Dealer' AND dealer.name = location.dealer
"""


async def find(conn: Connection, places: Iterable[Place]) -> dict[Place, Dealer]:
    """The dealers of those places that are mapped, as the directory knows them now."""
    wanted = list(set(places))
    if not wanted:
        return {}
    rows = await conn.fetch(
        _FIND,
        [place.source for place in wanted],
        [place.account for place in wanted],
        [place.location for place in wanted],
    )
    return {
        Place(row["source"], row["account"], row["location"]): _dealer(row["name"], json.loads(row["spec"]))
        for row in rows
    }


def _dealer(name: str, spec: dict[str, Any]) -> Dealer:
    phone = read_phone(spec["phone"], spec.get("country")).e164 if spec.get("phone") else None
    return Dealer.model_validate({**spec, "dealer_id": name, "phone": phone})
