"""Leads that may be the same person's, found in the lists of their phones and e-mail addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Lead
from leadbus.db import Part

from normalizer.domain.linking import MOST_LINKS

# The newest of a list: of a number that half the town is told under no more is read than of any other. Most
# lists are short, so that for `term =` Postgres may plan to read and sort all; a range in the order of the
# key it walks, and stops. OFFSET keeps the second a look into an index too: joined, a whole dealer is read.
_LOOK = f"""
akin AS (
    SELECT m.lead_id, other.lead_id AS other_id
      FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[])
           AS m (lead_id, term, dealer_id, source, account, test)
     CROSS JOIN LATERAL (
           SELECT lead_id FROM lead_term
            WHERE (term, received_at) >= (m.term, $1::timestamptz)
              AND (term, received_at) <= (m.term, $2::timestamptz)
              AND lead_id <> m.lead_id
            ORDER BY term DESC, received_at DESC, lead_id DESC LIMIT {2 * MOST_LINKS}) AS listed
     CROSS JOIN LATERAL (
           SELECT lead_id, dealer_id, source, account, test FROM lead
            WHERE lead.lead_id = listed.lead_id OFFSET 0) AS other
     WHERE (other.dealer_id, other.test) = (m.dealer_id, m.test)
       AND (other.source, other.account) <> (m.source, m.account)
)
"""  # noqa: S608 -- constants only
_TOLD = "ARRAY(SELECT ARRAY[lead_id, other_id] FROM akin) AS akin"
_NONE = "1 / (NOT EXISTS (SELECT FROM akin))::int AS nobody_akin"


def looking(sought: Sequence[tuple[Lead, Sequence[str]]], window: timedelta) -> Part:
    """Which leads that are stored share a term with one of those `sought`, told with their terms.

    They are of the same dealer and came through another source or account; tests apart from real ones. They
    came within `window` of one of the sought, not always of the one that they share the term with.
    """
    return Part(_LOOK, _arguments(sought, window), _TOLD)


def found(row: asyncpg.Record) -> set[tuple[UUID, UUID]]:
    """Pairs of a sought lead and a stored one, from the row of a statement with `looking` in it."""
    return {(lead_id, other_id) for lead_id, other_id in row["akin"]}


def none(sought: Sequence[tuple[Lead, Sequence[str]]], window: timedelta) -> Part:
    """Have the statement fail (DivisionByZeroError), all of it, when `looking` would find one."""
    return Part(_LOOK, _arguments(sought, window), _NONE)


def _arguments(sought: Sequence[tuple[Lead, Sequence[str]]], window: timedelta) -> tuple[object, ...]:
    moments = [lead.received_at for lead, _ in sought]
    told = [(lead, term) for lead, terms in sought for term in terms]
    return (
        min(moments) - window,
        max(moments) + window,
        [lead.lead_id for lead, _ in told],
        [term for _, term in told],
        [lead.dealer.dealer_id for lead, _ in told],
        [lead.source for lead, _ in told],
        [lead.account for lead, _ in told],
        [lead.test for lead, _ in told],
    )
