"""Acts of consent: recorded for good, and laid over the leads that they concern, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.db import Connection, in_turn

from normalizer.domain.consents import Action
from normalizer.domain.declarations import Declaration, ToldBy
from normalizer.domain.revisions import CONSENT_CHANGED, Revision
from normalizer.domain.terms import Terms

CHANNEL = "normalizer_consent"
"""NOTIFY channel that an act rings."""

_LEADS = 100
_WALKED = 1000
_FIRST = UUID(int=0)

# Of two that say as much the earlier is the proof, as in `domain.consents`.
_RECORD = """
WITH made AS (
    INSERT INTO consent_act (act_id, contact, action, purposes, at, words, evidence, told_by, actor, raw_key,
                             lead_id, recorded_at)
    SELECT act_id, contact, action, string_to_array(purposes, ' '), at, words, evidence, told_by, actor,
           raw_key, lead_id, $1
      FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                  $9::text[], $10::text[], $11::uuid[], $12::uuid[])
           AS m (act_id, contact, action, purposes, at, words, evidence, told_by, actor, raw_key, lead_id)
    ON CONFLICT (act_id, contact) DO NOTHING
    RETURNING act_no, contact, action, purposes, at, words
), said AS (
    SELECT DISTINCT ON (contact, purpose)
           contact, purpose, CASE action WHEN 'withdraw' THEN 'withdrawn' ELSE 'granted' END AS state, at,
           words, act_no
      FROM made CROSS JOIN unnest(CASE purposes WHEN '{}' THEN '{*}' ELSE purposes END) AS purpose
     ORDER BY contact, purpose, action DESC, at, words IS NULL, words COLLATE "C", act_no
), stands AS (
    INSERT INTO consent_standing AS s (contact, purpose, state, at, words, act_no)
    SELECT contact, purpose, state, at, words, act_no FROM said
    ON CONFLICT (contact, purpose) DO UPDATE
       SET state = excluded.state, at = excluded.at, words = excluded.words, act_no = excluded.act_no
     WHERE (s.state = 'granted' AND excluded.state = 'withdrawn')
        OR (s.state = excluded.state
            AND (excluded.at, excluded.words IS NULL, coalesce(excluded.words, '') COLLATE "C")
                < (s.at, s.words IS NULL, coalesce(s.words, '') COLLATE "C"))
)
SELECT count(*), pg_notify($13, '') FROM made
"""
# A lead that was being written when the act was committed knows nothing of it and may have been missed by the
# first walk; so there is a second, when every transaction has ended that ran when the first one did. What
# people said goes first: a source may say thousands of things at once.
_WAITING = """
SELECT act_no, act_id, contact, action, told_by, coalesce(reached, $1) AS reached,
       walked_at IS NOT NULL AS again
  FROM consent_act
 WHERE applied_at IS NULL
   AND (walked_at IS NULL OR reached IS NOT NULL OR walked_at < (
        SELECT coalesce(min(xact_start), 'infinity') FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()))
 ORDER BY told_by = 'source', act_no LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_LISTED = """
SELECT DISTINCT lead_id FROM lead_term WHERE term = ANY($1::text[]) AND lead_id > $2 ORDER BY lead_id LIMIT $3
"""
_ANY_UNLISTED = """
SELECT $1::text IS NULL OR EXISTS (SELECT FROM lead WHERE terms_by < $1) OR EXISTS (
       SELECT FROM lead WHERE terms_by > $1)
"""
_UNLISTED = """
WITH walked AS MATERIALIZED (
    SELECT lead_id, revision FROM lead
     WHERE ($1::text IS NULL OR terms_by < $1 OR terms_by > $1) AND lead_id > $2 ORDER BY lead_id LIMIT $3
)
SELECT lead_id, EXISTS (
       SELECT FROM jsonb_array_elements(document -> 'customer' -> $4::text) AS told
        WHERE lower(told ->> $5::text) = $6) AS concerned
  FROM walked JOIN lead_revision USING (lead_id, revision) ORDER BY lead_id
"""
_LINKED = """
SELECT (link ->> 'lead_id')::uuid AS lead_id
  FROM lead JOIN lead_revision USING (lead_id, revision)
 CROSS JOIN LATERAL jsonb_array_elements(document -> 'links') AS link
 WHERE lead_id = ANY($1::uuid[])
"""
_WENT_ON = "UPDATE consent_act SET reached = $2 WHERE act_no = $1"
_WALKED_ONCE = "UPDATE consent_act SET reached = NULL, walked_at = clock_timestamp() WHERE act_no = $1"
_APPLIED = "UPDATE consent_act SET reached = NULL, applied_at = $2 WHERE act_no = $1"
# The message that the lead stands on stays the one of the revision before; what made this one is the act.
_REVISE = """
WITH m AS (
    SELECT lead_id, revision, document::jsonb, told::jsonb
      FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::text[]) AS m (lead_id, revision, document, told)
), moved AS (
    UPDATE lead SET revision = m.revision, updated_at = $1, told_consent = m.told
      FROM m WHERE lead.lead_id = m.lead_id
)
INSERT INTO lead_revision (lead_id, revision, raw_key, act_id, event_type, changed, at, document)
SELECT m.lead_id, m.revision, before.raw_key, $2, $7, $8, $1, m.document
  FROM m JOIN lead_revision AS before ON before.lead_id = m.lead_id AND before.revision = m.revision - 1
"""
_OLDEST = "SELECT min(recorded_at) FROM consent_act WHERE applied_at IS NULL"
_FIELDS = {"mailto": ("emails", "address"), "tel": ("phones", "e164")}


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that is still to be laid over leads, held by our transaction: those after `reached`."""

    act_no: int
    act_id: UUID
    contact: str
    action: Action
    told_by: ToldBy
    reached: UUID
    again: bool


@dataclass(frozen=True, slots=True)
class Concerned:
    """Leads that an act concerns; `reached` is how far the walk has come, None at its end."""

    lead_ids: Sequence[UUID]
    reached: UUID | None


async def record(conn: Connection, declarations: Sequence[Declaration], now: datetime) -> int:
    """Keep what was declared, as the last thing that a transaction does; returns how many acts are new.

    An act has a row for each contact. One that was recorded before changes nothing.
    """
    rows = [(one, contact) for one in declarations for contact in one.contacts]
    if not rows:
        return 0
    # Acts get their numbers one after the other, so that the highest one that can be seen says that all below
    # it can: see `store.consents.unchanged`. Nothing is waited for after it but the commit.
    await in_turn(conn, "consent acts")
    made = await conn.fetchval(
        _RECORD,
        now,
        [one.act_id for one, _ in rows],
        [contact for _, contact in rows],
        [one.action for one, _ in rows],
        [" ".join(one.purposes) for one, _ in rows],
        [one.at for one, _ in rows],
        [one.words for one, _ in rows],
        [one.evidence for one, _ in rows],
        [one.told_by for one, _ in rows],
        [one.actor for one, _ in rows],
        [one.raw_key for one, _ in rows],
        [one.lead_id for one, _ in rows],
        CHANNEL,
    )
    return int(made)


async def next_waiting(conn: Connection) -> Waiting | None:
    """The act that is to be laid over leads next, and that no other replica holds."""
    row = await conn.fetchrow(_WAITING, _FIRST)
    return Waiting(**dict(row)) if row else None


async def concerned(conn: Connection, act: Waiting, keyed: Sequence[Terms]) -> Concerned:
    """The next leads that the act concerns: by its contact, and for a withdrawal those linked with them.

    By the lists of terms of all keys in `keyed` (today's first), and by reading those leads that are in no
    list of today's key.
    """
    kind, _, value = act.contact.partition(":")
    if kind == "lead":
        found = Concerned([UUID(value)], None)
    else:
        found = await _by_contact(conn, kind, value, act.reached, keyed)
    if act.action != "withdraw" or not found.lead_ids:
        return found
    linked = [row["lead_id"] for row in await conn.fetch(_LINKED, found.lead_ids)]
    return Concerned(sorted({*found.lead_ids, *linked}), found.reached)


async def went_on(conn: Connection, act: Waiting, reached: UUID | None, now: datetime) -> None:
    """Note how far the act has come; None: the walk is at its end."""
    if reached is not None:
        await conn.execute(_WENT_ON, act.act_no, reached)
    elif act.again:
        await conn.execute(_APPLIED, act.act_no, now)
    else:
        await conn.execute(_WALKED_ONCE, act.act_no)


async def revise(
    conn: Connection, act_id: UUID, revisions: Sequence[Revision], documents: Sequence[str], now: datetime
) -> None:
    """Write what the act made of leads that the caller holds; `documents` are they as JSON."""
    await conn.execute(
        _REVISE,
        now,
        act_id,
        [revision.lead.lead_id for revision in revisions],
        [revision.lead.revision for revision in revisions],
        documents,
        [
            revision.told_consent.model_dump_json(exclude_none=True) if revision.told_consent else None
            for revision in revisions
        ],
        CONSENT_CHANGED,
        ["consent"],
    )


async def oldest_waiting(conn: Connection) -> datetime | None:
    """Since when the oldest act waits that is not laid over all its leads."""
    moment: datetime | None = await conn.fetchval(_OLDEST)
    return moment


async def _by_contact(
    conn: Connection, kind: str, value: str, after: UUID, keyed: Sequence[Terms]
) -> Concerned:
    make = Terms.email if kind == "mailto" else Terms.phone
    ends: list[UUID] = []
    found: set[UUID] = set()
    if keyed:
        listed = await conn.fetch(_LISTED, [make(terms, value) for terms in keyed], after, _LEADS)
        found.update(row["lead_id"] for row in listed)
        ends += [listed[-1]["lead_id"]] if len(listed) == _LEADS else []
    mark = keyed[0].mark if keyed else None
    if await conn.fetchval(_ANY_UNLISTED, mark):
        walked = await conn.fetch(_UNLISTED, mark, after, _WALKED, *_FIELDS[kind], value)
        found.update(row["lead_id"] for row in walked if row["concerned"])
        ends += [walked[-1]["lead_id"]] if len(walked) == _WALKED else []
    reached = min(ends, default=None)
    return Concerned(sorted(one for one in found if reached is None or one <= reached), reached)
