"""Addresses that refuse our mails; one that takes them has no row."""

from __future__ import annotations

from datetime import datetime

import asyncpg
from leadbus.db import Connection

from adf_mailer.domain.address_standing import Standing

_COLUMNS = "address, refusals, reason, probes, refusing_since, refused_at, suspended_at, probe_at, bounced"

# Routes are read once for all addresses, and what is undelivered only for those that no route names.
_FORGET_UNNAMED = """
WITH unnamed AS MATERIALIZED (
    SELECT address FROM address_standing AS held
     WHERE NOT EXISTS (
        SELECT FROM setting, jsonb_path_query(
            jsonb_build_array(spec -> 'address', spec -> 'more_addresses', spec -> 'copies',
                              spec -> 'notify', spec -> 'alternate_address'), 'lax $[*][*]') AS named
         WHERE kind = 'AdfRoute' AND lower(named #>> '{}') = held.address)
)
DELETE FROM address_standing USING unnamed
 WHERE address_standing.address = unnamed.address
   AND NOT EXISTS (
        SELECT FROM delivery
          JOIN mail ON mail.delivery_id = delivery.id AND mail.repeat_number = delivery.repeat_number
         WHERE phase IN ('queued', 'sending', 'waiting') AND lower(mail.recipient) = unnamed.address)
"""


async def all_of(conn: Connection) -> list[Standing]:
    """Every one there is; they are few, as each waits for a person."""
    return [_standing(row) for row in await conn.fetch(f"SELECT {_COLUMNS} FROM address_standing")]  # noqa: S608


async def of(conn: Connection, address: str) -> Standing | None:
    """How one stands now; None where nothing is held against it."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM address_standing WHERE address = $1", address)  # noqa: S608
    return None if row is None else _standing(row)


async def held(conn: Connection, address: str) -> Standing:
    """Lock how an address stands until the transaction ends; one that never refused is made."""
    await conn.execute(
        "INSERT INTO address_standing (address, refusals, probes, bounced) VALUES ($1, 0, 0, false) "
        "ON CONFLICT DO NOTHING",
        address,
    )
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM address_standing WHERE address = $1 FOR UPDATE",  # noqa: S608
        address,
    )
    return Standing(address) if row is None else _standing(row)


async def write(conn: Connection, one: Standing) -> None:
    """What is to be remembered of an address that is held."""
    await conn.execute(
        "UPDATE address_standing SET refusals = $2, reason = $3, probes = $4, refusing_since = $5, "
        "refused_at = $6, suspended_at = $7, probe_at = $8, bounced = $9 WHERE address = $1",
        one.address,
        one.refusals,
        one.reason,
        one.probes,
        one.refusing_since,
        one.refused_at,
        one.suspended_at,
        one.probe_at,
        one.bounced,
    )


async def take_probe(conn: Connection, address: str, *, now: datetime, again_at: datetime) -> bool:
    """Whether one mail may find out now how the address is: of all who ask, one is told so."""
    taken: str | None = await conn.fetchval(
        "UPDATE address_standing SET probe_at = $3 "
        "WHERE address = $1 AND suspended_at IS NOT NULL AND probe_at <= $2 RETURNING address",
        address,
        now,
        again_at,
    )
    return taken is not None


async def forget(conn: Connection, address: str) -> bool:
    """A person says that it was mended; False where nothing was held against it."""
    gone: str | None = await conn.fetchval(
        "DELETE FROM address_standing WHERE address = $1 RETURNING address", address
    )
    return gone is not None


async def forget_taken(conn: Connection, address: str) -> None:
    """It took a mail; nothing is forgotten where mails that were taken came back."""
    await conn.execute("DELETE FROM address_standing WHERE address = $1 AND NOT bounced", address)


async def forget_bounces(conn: Connection, *, before: datetime) -> None:
    """Those of which nothing came back since `before`."""
    await conn.execute("DELETE FROM address_standing WHERE bounced AND refused_at < $1", before)


async def forget_unnamed(conn: Connection) -> None:
    """Those that no route names any more, and that nothing waits for that may still go there."""
    await conn.execute(_FORGET_UNNAMED)


async def make_due(conn: Connection, address: str, *, now: datetime) -> int:
    """Have what waits for this address tried at once; how many those are."""
    done = await conn.execute(
        "UPDATE delivery SET not_before = $2 FROM mail "
        "WHERE phase IN ('queued', 'waiting') AND reason = 'address_suspended' "
        "AND mail.delivery_id = delivery.id "
        "AND mail.repeat_number = delivery.repeat_number AND lower(mail.recipient) = $1",
        address,
        now,
    )
    return int(done.split()[-1])


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        address=row["address"],
        refusals=row["refusals"],
        reason=row["reason"],
        probes=row["probes"],
        refusing_since=row["refusing_since"],
        refused_at=row["refused_at"],
        suspended_at=row["suspended_at"],
        probe_at=row["probe_at"],
        bounced=row["bounced"],
    )
