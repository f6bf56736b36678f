"""What was told beside leads, a row for each raw message; a row may be there before its lead is.

The first row of a lead has place 1, whoever writes it: a transaction that brings the lead and one that brings
knowledge of it cannot both miss the other. Those who come later hold that row.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Warning_
from leadbus.db import Connection, Part
from pydantic_core import to_json

from normalizer.domain.enriching import Piece, Proof
from normalizer.domain.knowledge import Told
from normalizer.store.leads import LeadAppearedError


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece in its place among those of its lead; `waiting`: the lead has not come.

    `key` is that of the raw message which told it.
    """

    lead_id: UUID
    place: int
    key: UUID
    source: str
    piece: Piece
    waiting: bool
    test: bool

    @property
    def wire_id(self) -> str:
        """Of the raw message."""
        return self.piece.proof.raw_id


_LOOK_FOR = "learned AS (SELECT lead_id FROM knowledge WHERE lead_id = ANY($1::uuid[]))"
_HOLD = """
SELECT lead_id FROM knowledge WHERE lead_id = ANY($1::uuid[]) AND place = 1 ORDER BY lead_id FOR UPDATE
"""
_OF_LEADS = """
SELECT lead_id, place, raw_key, raw_id, source, received_at, alone, waiting, test,
       parameters::text, extras::text, warnings::text
  FROM knowledge WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id, place
"""
_ADD = """
    INSERT INTO knowledge (lead_id, place, raw_key, raw_id, source, received_at, alone, waiting, test,
                           parameters, extras, warnings)
    SELECT lead_id, place, raw_key, raw_id, source, received_at, alone, waiting, test,
           parameters::jsonb, extras::jsonb, warnings::jsonb
      FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[],
                  $7::boolean[], $8::boolean[], $9::boolean[], $10::text[], $11::text[], $12::text[])
           AS m (lead_id, place, raw_key, raw_id, source, received_at, alone, waiting, test,
                 parameters, extras, warnings)
     ORDER BY lead_id, place
"""
_INSERT = f"learned AS ({_ADD} ON CONFLICT (lead_id, place) DO NOTHING RETURNING lead_id)"
_INSERT_NEW = f"learned AS ({_ADD} RETURNING lead_id)"
_CHANGE = """
UPDATE knowledge SET alone = m.alone, parameters = m.parameters::jsonb, extras = m.extras::jsonb,
                     warnings = m.warnings::jsonb
  FROM unnest($1::uuid[], $2::integer[], $3::boolean[], $4::text[], $5::text[], $6::text[])
       AS m (lead_id, place, alone, parameters, extras, warnings)
 WHERE knowledge.lead_id = m.lead_id AND knowledge.place = m.place
"""
_END_WAIT = "UPDATE knowledge SET waiting = false WHERE lead_id = ANY($1::uuid[]) AND waiting"
_WAITING = """
SELECT source, count(DISTINCT lead_id) AS leads, min(received_at) AS since
  FROM knowledge WHERE waiting AND NOT test GROUP BY source
"""


def looking_for(lead_ids: Collection[UUID]) -> Part:
    """Whether anything was told beside one of these leads (`knowledge_known`)."""
    return Part(_LOOK_FOR, (list(lead_ids),), "EXISTS(SELECT FROM learned) AS knowledge_known")


async def hold(conn: Connection, lead_ids: Iterable[UUID]) -> dict[UUID, list[Kept]]:
    """All that was told beside these leads, in its order; nobody adds to it before the transaction ends."""
    wanted = sorted(set(lead_ids))
    found = [row["lead_id"] for row in await conn.fetch(_HOLD, wanted)] if wanted else []
    if not found:
        return {}
    # A statement of its own, after the lock: one statement would not see what it has waited for.
    kept: dict[UUID, list[Kept]] = {}
    for row in await conn.fetch(_OF_LEADS, found):
        kept.setdefault(row["lead_id"], []).append(_kept(row))
    return kept


def adding(pieces: Sequence[Kept]) -> Part:
    """Add each in its place; `knowledge_made` tells how many of the places were free."""
    return Part(_INSERT, _columns(pieces), "(SELECT count(*) FROM learned) AS knowledge_made")


def check_added(row: asyncpg.Record, pieces: Sequence[Kept]) -> None:
    """Raises LeadAppearedError when another transaction has taken one of their places."""
    if row["knowledge_made"] != len(pieces):
        raise LeadAppearedError


def adding_new(pieces: Sequence[Kept]) -> Part:
    """`adding` to places that nobody has taken; where somebody has, the statement fails as a whole."""
    return Part(_INSERT_NEW, _columns(pieces), "(SELECT count(*) FROM learned) AS knowledge_made")


async def change(conn: Connection, pieces: Sequence[Kept]) -> None:
    """Have pieces say what is read from their raw messages by now."""
    if pieces:
        lead_ids, places, *_ = _columns(pieces)
        told = [_told(one.piece) for one in pieces]
        alone = [one.piece.alone for one in pieces]
        await conn.execute(_CHANGE, lead_ids, places, alone, *map(list, zip(*told, strict=True)))


async def end_wait(conn: Connection, lead_ids: Collection[UUID]) -> None:
    """These leads have come."""
    if lead_ids:
        await conn.execute(_END_WAIT, list(lead_ids))


async def waiting(conn: Connection) -> Mapping[str, tuple[int, datetime]]:
    """{source: (leads that did not come so far, since when the first is told of)}, tests left out."""
    return {row["source"]: (row["leads"], row["since"]) for row in await conn.fetch(_WAITING)}


def _columns(pieces: Sequence[Kept]) -> tuple[list[Any], ...]:
    told = [_told(one.piece) for one in pieces]
    return (
        [one.lead_id for one in pieces],
        [one.place for one in pieces],
        [one.key for one in pieces],
        [one.wire_id for one in pieces],
        [one.source for one in pieces],
        [one.piece.proof.received_at for one in pieces],
        [one.piece.alone for one in pieces],
        [one.waiting for one in pieces],
        [one.test for one in pieces],
        *([columns[place] for columns in told] for place in range(3)),
    )


def _told(piece: Piece) -> tuple[str, str, str]:
    parameters = {key: [told.value, told.as_of] for key, told in piece.parameters.items()}
    warnings = [warning.model_dump(exclude_none=True) for warning in piece.warnings]
    return tuple(to_json(one).decode() for one in (parameters, piece.extras, warnings))  # type: ignore[return-value]


def _kept(row: asyncpg.Record) -> Kept:
    parameters: Mapping[str, tuple[str, str | None]] = json.loads(row["parameters"])
    return Kept(
        lead_id=row["lead_id"],
        place=row["place"],
        key=row["raw_key"],
        source=row["source"],
        piece=Piece(
            Proof(row["raw_id"], row["received_at"]),
            {
                key: Told(value, datetime.fromisoformat(as_of) if as_of else None)
                for key, (value, as_of) in parameters.items()
            },
            json.loads(row["extras"]),
            tuple(Warning_.model_validate(one) for one in json.loads(row["warnings"])),
            row["alone"],
        ),
        waiting=row["waiting"],
        test=row["test"],
    )
