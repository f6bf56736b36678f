"""What leads are found by: their places in the lists of terms, and making them anew."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from leadbus.db import Connection

from normalizer.store.ledger import STANDS

# Parts of a statement that has `m (lead_id, received_at, terms)` and holds these leads. What stays in its
# list is left alone: a statement cannot delete a row and make it again.
RELIST = """listed AS (
    SELECT term, lead.received_at, lead_id
      FROM m JOIN lead USING (lead_id) CROSS JOIN unnest(lead.terms) AS term
), wanted AS (
    SELECT term, received_at, lead_id FROM m CROSS JOIN unnest(terms) AS term
), unlisted AS (
    DELETE FROM lead_term USING (TABLE listed EXCEPT TABLE wanted) AS old
     WHERE lead_term.term = old.term AND lead_term.received_at = old.received_at
       AND lead_term.lead_id = old.lead_id
), added AS (
    INSERT INTO lead_term (term, received_at, lead_id) TABLE wanted EXCEPT TABLE listed
)"""
# One range of the index each; sorted, so that no plan reads the whole table to find that nothing is left.
_NEVER_MADE, _BEFORE, _AFTER = (
    f"""
    SELECT lead_id FROM lead WHERE terms_by {which} $1
     ORDER BY terms_by LIMIT $2 FOR UPDATE SKIP LOCKED
    """  # noqa: S608 -- constants only
    for which in ("=", "<", ">")
)
_REMAKE = f"""
WITH m AS (
    SELECT lead_id, lead.received_at, string_to_array(m.terms, ' ') AS terms
      FROM unnest($2::uuid[], $3::text[]) AS m (lead_id, terms) JOIN lead USING (lead_id)
), {RELIST}, said AS (
    SELECT lead_id, {STANDS} AS state
      FROM ledger WHERE lead_id = ANY($2::uuid[]) GROUP BY lead_id
)
UPDATE lead SET terms = m.terms, terms_by = $1, state = coalesce(said.state, 'waiting')
  FROM m LEFT JOIN said USING (lead_id)
 WHERE lead.lead_id = m.lead_id
"""  # noqa: S608 -- constants only
_LEFT = "SELECT count(*) FROM lead WHERE terms_by < $1 OR terms_by > $1"


async def outdated(conn: Connection, mark: str, limit: int, *, keyed: bool) -> list[UUID]:
    """Leads whose terms were not made under `mark`, held until the transaction ends; others' are left out.

    Who has no key (not `keyed`) takes only those whose terms nobody made yet: it must not undo the hashes of
    a replica that has one.
    """
    if not keyed:
        return _ids(await conn.fetch(_NEVER_MADE, "", limit))
    found = _ids(await conn.fetch(_BEFORE, mark, limit))
    return found or _ids(await conn.fetch(_AFTER, mark, limit))


async def remake(conn: Connection, terms: Sequence[tuple[UUID, Sequence[str]]], mark: str) -> None:
    """Put these leads, which the caller holds, into the lists of these terms, and tell their states anew."""
    await conn.execute(
        _REMAKE, mark, [lead_id for lead_id, _ in terms], [" ".join(each) for _, each in terms]
    )


async def left(conn: Connection, mark: str) -> int:
    """How many leads have terms that were not made under `mark`."""
    return int(await conn.fetchval(_LEFT, mark))


def _ids(rows: Sequence[asyncpg.Record]) -> list[UUID]:
    return [row["lead_id"] for row in rows]
