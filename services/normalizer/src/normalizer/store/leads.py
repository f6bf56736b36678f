"""Leads and their revisions, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.contracts.lead import Lead
from leadbus.db import Connection

from normalizer.domain.revisions import Revision
from normalizer.domain.terms import Terms
from normalizer.store.terms import RELIST


class LeadAppearedError(Exception):
    """Another transaction made one of the leads between our look and our insert: do it all again."""


@dataclass(frozen=True, slots=True)
class Known:
    """A lead under our lock; `last_raw_at` is when the newest raw message it knows came in."""

    lead: Lead
    last_raw_at: datetime


# In id order, so that two batches that share leads wait for each other instead of embracing.
_LOCK = """
SELECT lead_id, revision, last_raw_at FROM lead WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR UPDATE
"""
# A statement of its own, after the lock: one statement would see the documents of before the wait.
_DOCUMENTS = """
SELECT lead_id, document::text
  FROM lead_revision JOIN unnest($1::uuid[], $2::integer[]) AS m (lead_id, revision) USING (lead_id, revision)
"""
# A lead and what it is found by are written together; `terms` holds no blanks.
_INSERT = """
WITH made AS (
    INSERT INTO lead (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at,
                      updated_at, terms, terms_by)
    SELECT lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at, $1,
           string_to_array(terms, ' '), $2
      FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::boolean[],
                  $9::timestamptz[], $10::timestamptz[], $11::text[])
           AS m (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at, terms)
     ORDER BY lead_id
    ON CONFLICT (lead_id) DO NOTHING
    RETURNING lead_id, received_at, terms
), listed AS (
    INSERT INTO lead_term (term, received_at, lead_id)
    SELECT term, received_at, lead_id FROM made CROSS JOIN unnest(terms) AS term
)
SELECT lead_id FROM made
"""
_UPDATE = f"""
WITH m AS (
    SELECT lead_id, revision, dealer_id, test, received_at, last_raw_at, string_to_array(terms, ' ') AS terms
      FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::boolean[], $7::timestamptz[],
                  $8::timestamptz[], $9::text[])
           AS m (lead_id, revision, dealer_id, test, received_at, last_raw_at, terms)
), {RELIST}
UPDATE lead SET revision = m.revision, dealer_id = m.dealer_id, test = m.test,
                received_at = m.received_at, last_raw_at = greatest(lead.last_raw_at, m.last_raw_at),
                updated_at = $1, terms = m.terms, terms_by = $2
  FROM m WHERE lead.lead_id = m.lead_id
"""  # noqa: S608 -- constants only
_REVISIONS = """
INSERT INTO lead_revision (lead_id, revision, raw_key, event_type, changed, at, document)
SELECT lead_id, revision, raw_key, event_type,
       ARRAY(SELECT jsonb_array_elements_text(changed::jsonb)), $1, document::jsonb
  FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[])
       AS m (lead_id, revision, raw_key, event_type, changed, document)
"""


async def lock(conn: Connection, lead_ids: Iterable[UUID]) -> dict[UUID, Known]:
    """Those of the leads that exist, as they are, held until the transaction ends."""
    rows = await conn.fetch(_LOCK, sorted(set(lead_ids)))
    if not rows:
        return {}
    documents = await conn.fetch(
        _DOCUMENTS, [row["lead_id"] for row in rows], [row["revision"] for row in rows]
    )
    leads = {row["lead_id"]: Lead.model_validate_json(row["document"]) for row in documents}
    return {row["lead_id"]: Known(leads[row["lead_id"]], row["last_raw_at"]) for row in rows}


async def save(
    conn: Connection,
    known: Mapping[UUID, Known],
    revisions: Sequence[Revision],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> None:
    """Write the revisions (of one lead in order), where their leads stand now and what they are found by.

    `known` is what `lock` returned, `last_raw_at` the newest raw message of every lead that was told
    anything. Raises LeadAppearedError when a lead that `known` does not hold exists by now.
    """
    last = {revision.lead.lead_id: revision.lead for revision in revisions}
    newer = {
        key: held.lead
        for key, held in known.items()
        if last_raw_at.get(key, held.last_raw_at) > held.last_raw_at
    }
    await _insert(conn, [lead for key, lead in last.items() if key not in known], last_raw_at, now, terms)
    revised = {key: lead for key, lead in last.items() if key in known}
    await _update(conn, list((newer | revised).values()), last_raw_at, now, terms)
    await _add_revisions(conn, revisions, now)


async def _insert(
    conn: Connection,
    leads: Sequence[Lead],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> None:
    if not leads:
        return
    rows = await conn.fetch(
        _INSERT,
        now,
        terms.mark,
        [lead.lead_id for lead in leads],
        [lead.revision for lead in leads],
        [lead.source for lead in leads],
        [lead.account for lead in leads],
        [lead.dealer.dealer_id for lead in leads],
        [lead.test for lead in leads],
        [lead.received_at for lead in leads],
        [last_raw_at[lead.lead_id] for lead in leads],
        [" ".join(terms.of(lead)) for lead in leads],
    )
    if len(rows) < len(leads):
        raise LeadAppearedError


async def _update(
    conn: Connection,
    leads: Sequence[Lead],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> None:
    if not leads:
        return
    await conn.execute(
        _UPDATE,
        now,
        terms.mark,
        [lead.lead_id for lead in leads],
        [lead.revision for lead in leads],
        [lead.dealer.dealer_id for lead in leads],
        [lead.test for lead in leads],
        [lead.received_at for lead in leads],
        [last_raw_at[lead.lead_id] for lead in leads],
        [" ".join(terms.of(lead)) for lead in leads],
    )


async def _add_revisions(conn: Connection, revisions: Sequence[Revision], now: datetime) -> None:
    if not revisions:
        return
    await conn.execute(
        _REVISIONS,
        now,
        [revision.lead.lead_id for revision in revisions],
        [revision.lead.revision for revision in revisions],
        [revision.raw_key for revision in revisions],
        [revision.event_type for revision in revisions],
        [_json_list(revision.changed) for revision in revisions],
        [revision.lead.model_dump_json(exclude_none=True) for revision in revisions],
    )


def _json_list(names: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"
