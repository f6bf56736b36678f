"""Where contacts stand, for a batch at a time."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Customer, Lead
from leadbus.db import Connection, Part

from normalizer.domain.consents import Ledger, Standing, contacts_of, known_by

_LOOK = """
standing AS MATERIALIZED (
    SELECT contact, purpose, state, at, words FROM consent_standing WHERE contact = ANY($1::text[])
)
"""
_LAST_ACT = "(SELECT coalesce(max(act_no), 0) FROM consent_act)"
_COLUMNS = ("contact", "purpose", "state", "at", "words")
_FOUND = ", ".join(
    (*map("ARRAY(SELECT {0} FROM standing) AS standing_{0}".format, _COLUMNS), f"{_LAST_ACT} AS last_act_no")
)
# Whoever records an act holds a lock until it is committed, so that the last number says all there is.
_UNCHANGED = f"consented AS (SELECT {_LAST_ACT} = $1::bigint AS unchanged)"
_STOOD = "stood AS (SELECT EXISTS (SELECT FROM consent_standing WHERE contact = ANY($1::text[])) AS found)"
# What its contacts refused holds for a lead also when it is told of other contacts later.
_BIND = """
INSERT INTO consent_standing AS s (contact, purpose, state, at, words, act_no)
SELECT DISTINCT ON (m.lead, r.purpose) m.lead, r.purpose, r.state, r.at, r.words, r.act_no
  FROM unnest($1::text[], $2::text[]) AS m (lead, contact)
  JOIN consent_standing AS r ON r.contact = m.contact AND r.state = 'withdrawn'
 ORDER BY m.lead, r.purpose, r.at, r.words IS NULL, r.words COLLATE "C"
ON CONFLICT (contact, purpose) DO UPDATE
   SET state = excluded.state, at = excluded.at, words = excluded.words, act_no = excluded.act_no
 WHERE s.state = 'granted' OR excluded.at < s.at
"""
_LEAD = """
SELECT document::text FROM lead JOIN lead_revision USING (lead_id, revision) WHERE lead_id = $1
"""
_CUSTOMERS = """
SELECT lead_id, (document -> 'customer')::text AS customer
  FROM lead JOIN lead_revision USING (lead_id, revision) WHERE lead_id = ANY($1::uuid[])
"""


def looking(contacts: Collection[str]) -> Part:
    """Where these contacts stand (`found` reads it), and the last act there is (`last_act_no`)."""
    return Part(_LOOK, (list(contacts),), _FOUND)


def found(row: asyncpg.Record) -> Ledger:
    """The standings in the row of a statement with `looking` in it."""
    columns = zip(*(row[f"standing_{name}"] for name in _COLUMNS), strict=True)
    return Ledger(
        {(contact, purpose): Standing(state, at, words) for contact, purpose, state, at, words in columns}
    )


def unchanged(last_act_no: int) -> Part:
    """Has the statement fail (DivisionByZeroError), all of it, when there is an act after this one."""
    return Part(
        _UNCHANGED, (last_act_no,), "(SELECT 1 / unchanged::int FROM consented) AS consents_unchanged"
    )


def none(contacts: Collection[str]) -> Part:
    """Has the statement fail (DivisionByZeroError), all of it, when one of these contacts stands anywhere."""
    return Part(_STOOD, (list(contacts),), "(SELECT 1 / (NOT found)::int FROM stood) AS nobody_stands")


async def bind(conn: Connection, leads: Collection[Lead]) -> None:
    """Have these leads, whose consent acts have changed, keep to what their contacts refused by now."""
    pairs = [(f"lead:{one.lead_id}", contact) for one in leads for contact in known_by(one)]
    if pairs:
        await conn.execute(_BIND, [lead for lead, _ in pairs], [contact for _, contact in pairs])


async def contacts_of_leads(conn: Connection, lead_ids: Collection[UUID]) -> dict[UUID, tuple[str, ...]]:
    """What acts may name that concern these leads, as of their last revision."""
    rows = await conn.fetch(_CUSTOMERS, list(lead_ids))
    told = [(row["lead_id"], Customer.model_validate_json(row["customer"] or "{}")) for row in rows]
    return {lead_id: (*contacts_of(customer, lead_id), f"lead:{lead_id}") for lead_id, customer in told}


async def lead(conn: Connection, lead_id: UUID) -> Lead | None:
    """A lead as it stands, held by nobody."""
    document = await conn.fetchval(_LEAD, lead_id)
    return Lead.model_validate_json(document) if document else None
