"""Raw messages: keep, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from leadbus.db import Connection, Part

from normalizer.domain.raw import Raw

_COLUMNS = (
    "raw_key, source, account, wire_id, digest, body, content_type, attributes::text, received_at,"
    " test, trial, bare, lead_id, pruned_at IS NOT NULL AS pruned"
)
_INSERT = """
kept AS (
    INSERT INTO raw (raw_key, source, account, wire_id, digest, body, size_bytes, content_type, attributes,
                     received_at, stored_at, test, trial, bare, lead_id)
    SELECT raw_key, source, account, wire_id, digest, body, octet_length(body), content_type,
           attributes::jsonb, received_at, $1, test, trial, bare, lead_id
      FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[],
                  $9::text[], $10::timestamptz[], $11::boolean[], $12::boolean[], $13::boolean[], $14::uuid[])
           AS m (raw_key, source, account, wire_id, digest, body, content_type, attributes, received_at,
                 test, trial, bare, lead_id)
     ORDER BY raw_key
"""
# A raw message is kept once; whichever lead it made first stays its lead.
_KEEP = f"""{_INSERT}
    ON CONFLICT (raw_key) DO UPDATE SET lead_id = coalesce(raw.lead_id, excluded.lead_id)
    RETURNING raw_key, xmax = 0 AS inserted
)
"""
_KEEP_NEW = f"{_INSERT} RETURNING raw_key)"
_PIN = """
UPDATE raw SET lead_id = m.lead_id
  FROM unnest($1::uuid[], $2::uuid[]) AS m (raw_key, lead_id)
 WHERE raw.raw_key = m.raw_key AND raw.lead_id IS NULL
"""
_BY_KEY = f"SELECT {_COLUMNS} FROM raw WHERE raw_key = ANY($1::uuid[])"  # noqa: S608 -- constants only
_OF_LEADS = f"""
SELECT {_COLUMNS} FROM raw
 WHERE lead_id = ANY($1::uuid[]) AND NOT trial
   AND NOT EXISTS (SELECT FROM quarantine q WHERE q.raw_key = raw.raw_key AND q.state <> 'released')
   AND NOT EXISTS (SELECT FROM knowledge k
                    WHERE k.lead_id = raw.lead_id AND k.raw_key = raw.raw_key AND k.alone)
 ORDER BY received_at, raw_key
"""  # noqa: S608 -- constants only


def keeping(raws: Sequence[Raw], pins: Mapping[UUID, UUID], now: datetime) -> Part:
    """Store each with the lead it is pinned to, if any ({raw key: lead id}).

    `kept_before` tells the keys of those that were there already.
    """
    kept_before = "ARRAY(SELECT raw_key FROM kept WHERE NOT inserted) AS kept_before"
    return Part(_KEEP, _kept(raws, pins, now), kept_before)


def keeping_new(raws: Sequence[Raw], pins: Mapping[UUID, UUID], now: datetime) -> Part:
    """`keeping` of what nobody has kept before; where somebody has, the statement fails as a whole."""
    return Part(_KEEP_NEW, _kept(raws, pins, now), "(SELECT count(*) FROM kept) AS kept_new")


def _kept(raws: Sequence[Raw], pins: Mapping[UUID, UUID], now: datetime) -> tuple[object, ...]:
    return (
        now,
        [raw.key for raw in raws],
        [raw.source for raw in raws],
        [raw.account for raw in raws],
        [raw.wire_id for raw in raws],
        [raw.digest for raw in raws],
        [raw.body for raw in raws],
        [raw.content_type for raw in raws],
        [raw.attributes for raw in raws],
        [raw.received_at for raw in raws],
        [raw.test for raw in raws],
        [raw.trial for raw in raws],
        [raw.bare for raw in raws],
        [pins.get(raw.key) or raw.lead_id for raw in raws],
    )


async def pin(conn: Connection, leads: Mapping[UUID, UUID]) -> None:
    """Remember which lead a kept raw message made, unless it has one: {raw key: lead id}."""
    if leads:
        await conn.execute(_PIN, list(leads), list(leads.values()))


async def by_key(conn: Connection, keys: Iterable[UUID]) -> dict[UUID, Raw]:
    """Kept raw messages; `data`, `content_type` and `way` are to be decoded again from `body`."""
    return {row["raw_key"]: _raw(row) for row in await conn.fetch(_BY_KEY, list(keys))}


async def of_leads(conn: Connection, lead_ids: Iterable[UUID]) -> list[Raw]:
    """Everything that was told of these leads, oldest first; what told beside them only left out."""
    return [_raw(row) for row in await conn.fetch(_OF_LEADS, list(lead_ids))]


def _raw(row: asyncpg.Record) -> Raw:
    return Raw(
        key=row["raw_key"],
        source=row["source"],
        account=row["account"],
        wire_id=row["wire_id"],
        digest=row["digest"],
        body=row["body"],
        data=row["body"],
        attributes=row["attributes"],
        content_type=row["content_type"],
        received_at=row["received_at"],
        test=row["test"],
        trial=row["trial"],
        bare=row["bare"],
        lead_id=row["lead_id"],
        pruned=row["pruned"],
    )
