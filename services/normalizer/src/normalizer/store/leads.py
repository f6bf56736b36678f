"""Leads and their revisions, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Consent, Lead
from leadbus.db import Connection, Part, at_once

from normalizer.domain.revisions import Revision
from normalizer.domain.settling import as_told
from normalizer.domain.terms import Terms
from normalizer.store.terms import RELIST


class LeadAppearedError(Exception):
    """Another transaction made one of the leads between our look and our insert: do it all again."""


@dataclass(frozen=True, slots=True)
class Known:
    """A lead under our lock; `last_raw_at` is when the newest raw message it knows came in.

    `told_consent` is what its sources tell where acts of consent made it another.
    """

    lead: Lead
    last_raw_at: datetime
    told_consent: Consent | None = None

    @property
    def as_told(self) -> Lead:
        """The lead as its sources alone tell it: what more of them is joined to."""
        return as_told(self.lead, self.told_consent)


# In id order, so that two batches that share leads wait for each other instead of embracing.
_HOLD = """
held AS MATERIALIZED (
    SELECT lead_id, revision, last_raw_at, told_consent::text FROM lead
     WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR UPDATE
)
"""
_HELD = """
ARRAY(SELECT lead_id FROM held) AS held_ids, ARRAY(SELECT revision FROM held) AS held_revisions,
ARRAY(SELECT last_raw_at FROM held) AS held_last_raw_at, ARRAY(SELECT told_consent FROM held) AS held_consents
"""
_LOOK_FOR = "known AS (SELECT lead_id FROM lead WHERE lead_id = ANY($1::uuid[]))"
# A statement of its own, after the lock: one statement would see the documents of before the wait.
_DOCUMENTS = """
SELECT lead_id, document::text
  FROM lead_revision JOIN unnest($1::uuid[], $2::integer[]) AS m (lead_id, revision) USING (lead_id, revision)
"""
# A lead and what it is found by are written together; `terms` holds no blanks.
_MAKE = """
    INSERT INTO lead (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at,
                      updated_at, terms, terms_by)
    SELECT lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at, $1,
           string_to_array(terms, ' '), $2
      FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::boolean[],
                  $9::timestamptz[], $10::timestamptz[], $11::text[])
           AS m (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at, terms)
     ORDER BY lead_id
"""
_FOUND_BY = """
    RETURNING lead_id, received_at, terms
), found_by AS (
    INSERT INTO lead_term (term, received_at, lead_id)
    SELECT term, received_at, lead_id FROM made CROSS JOIN unnest(terms) AS term
)
"""
_INSERT = f"made AS ({_MAKE} ON CONFLICT (lead_id) DO NOTHING {_FOUND_BY}"
_INSERT_NEW = f"made AS ({_MAKE} {_FOUND_BY}"
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
# `changed` holds names of fields. A conflict is another transaction's lead: see `added`.
_REVISIONS = """
revised AS (
    INSERT INTO lead_revision (lead_id, revision, raw_key, event_type, changed, at, document)
    SELECT lead_id, revision, raw_key, event_type, string_to_array(changed, ' '), $1, document::jsonb
      FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[])
           AS m (lead_id, revision, raw_key, event_type, changed, document)
    ON CONFLICT (lead_id, revision) DO NOTHING
    RETURNING lead_id
)
"""

_TOLD_CONSENTS = """
UPDATE lead SET told_consent = m.consent::jsonb
  FROM unnest($1::uuid[], $2::text[]) AS m (lead_id, consent) WHERE lead.lead_id = m.lead_id
"""


async def lock(conn: Connection, lead_ids: Iterable[UUID]) -> dict[UUID, Known]:
    """Those of the leads that exist, as they are, held until the transaction ends."""
    wanted = set(lead_ids)
    return await held(conn, await at_once(conn, holding(wanted)), wanted) if wanted else {}


def holding(lead_ids: Iterable[UUID]) -> Part:
    """`lock` as a part of a larger statement; `held` reads its answer."""
    return Part(_HOLD, (sorted(set(lead_ids)),), _HELD)


def looking_for(lead_ids: Iterable[UUID]) -> Part:
    """Whether one of them exists (`leads_known`), held by nobody: it may be made the moment after."""
    return Part(_LOOK_FOR, (list(lead_ids),), "EXISTS(SELECT FROM known) AS leads_known")


async def held(conn: Connection, row: asyncpg.Record, wanted: Collection[UUID]) -> dict[UUID, Known]:
    """What `lock` returns of `wanted`, from the row of a statement with `holding` in it."""
    names = ("held_ids", "held_revisions", "held_last_raw_at", "held_consents")
    columns = zip(*(row[name] for name in names), strict=True)
    found = [one for one in columns if one[0] in wanted]
    if not found:
        return {}
    documents = await conn.fetch(_DOCUMENTS, [one[0] for one in found], [one[1] for one in found])
    leads = {document["lead_id"]: Lead.model_validate_json(document["document"]) for document in documents}
    return {
        lead_id: Known(leads[lead_id], last_raw_at, Consent.model_validate_json(told) if told else None)
        for lead_id, _, last_raw_at, told in found
    }


def adding(
    known: Mapping[UUID, Known],
    revisions: Sequence[Revision],
    documents: Sequence[str],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> Sequence[Part]:
    """Write the leads that `known` does not hold and all revisions; `documents` are their leads as JSON."""
    last = {revision.lead.lead_id: revision.lead for revision in revisions}
    new = [lead for key, lead in last.items() if key not in known]
    return _inserting(_INSERT, new, last_raw_at, now, terms), _revising(revisions, documents, now)


def adding_new(
    revisions: Sequence[Revision],
    documents: Sequence[str],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> Sequence[Part]:
    """`adding` of leads that nobody has made; where somebody has, the statement fails as a whole."""
    last = {revision.lead.lead_id: revision.lead for revision in revisions}
    new = list(last.values())
    return _inserting(_INSERT_NEW, new, last_raw_at, now, terms), _revising(revisions, documents, now)


def check_added(row: asyncpg.Record, known: Mapping[UUID, Known], revisions: Sequence[Revision]) -> None:
    """Raises LeadAppearedError when a lead that `known` does not hold exists by now."""
    new = {revision.lead.lead_id for revision in revisions} - known.keys()
    if (row["leads_made"], row["revisions_made"]) != (len(new), len(revisions)):
        raise LeadAppearedError


async def update(
    conn: Connection,
    known: Mapping[UUID, Known],
    revisions: Sequence[Revision],
    last_raw_at: Mapping[UUID, datetime],
    now: datetime,
    terms: Terms,
) -> None:
    """Write where the leads of `known` (what `lock` returned) stand now and what they are found by.

    `last_raw_at` is the newest raw message of every lead that was told anything.
    """
    newer = {
        key: one.lead for key, one in known.items() if last_raw_at.get(key, one.last_raw_at) > one.last_raw_at
    }
    revised = {
        revision.lead.lead_id: revision.lead for revision in revisions if revision.lead.lead_id in known
    }
    await _update(conn, list((newer | revised).values()), last_raw_at, now, terms)


async def keep_told_consents(
    conn: Connection, known: Mapping[UUID, Known], revisions: Sequence[Revision]
) -> None:
    """Keep what sources tell beside what acts made of it; mostly there is nothing to keep."""
    last = {revision.lead.lead_id: revision.told_consent for revision in revisions}
    before = {key for key, one in known.items() if one.told_consent is not None}
    kept = [(key, told) for key, told in last.items() if told is not None or key in before]
    if kept:
        consents = [told.model_dump_json(exclude_none=True) if told else None for _, told in kept]
        await conn.execute(_TOLD_CONSENTS, [key for key, _ in kept], consents)


def _inserting(
    insert: str, leads: Sequence[Lead], last_raw_at: Mapping[UUID, datetime], now: datetime, terms: Terms
) -> Part:
    arguments = (
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
    return Part(insert, arguments, "(SELECT count(*) FROM made) AS leads_made")


def _revising(revisions: Sequence[Revision], documents: Sequence[str], now: datetime) -> Part:
    arguments = (
        now,
        [revision.lead.lead_id for revision in revisions],
        [revision.lead.revision for revision in revisions],
        [revision.raw_key for revision in revisions],
        [revision.event_type for revision in revisions],
        [" ".join(revision.changed) for revision in revisions],
        documents,
    )
    return Part(_REVISIONS, arguments, "(SELECT count(*) FROM revised) AS revisions_made")


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
