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
    SELECT m.lead_id, other.lead_id AS other_id, dealer_id, source, account, test
      FROM unnest($3::uuid[], $4::text[]) AS m (lead_id, term)
     CROSS JOIN LATERAL (
           SELECT lead_id FROM lead_term
            WHERE (term, received_at) >= (m.term, $1::timestamptz)
              AND (term, received_at) <= (m.term, $2::timestamptz)
              AND lead_id <> m.lead_id
            ORDER BY term DESC, received_at DESC, lead_id DESC LIMIT {2 * MOST_LINKS}) AS listed
     CROSS JOIN LATERAL (
           SELECT lead_id, dealer_id, source, account, test FROM lead
            WHERE lead.lead_id = listed.lead_id OFFSET 0) AS other
)
"""  # noqa: S608 -- constants only
_TOLD = """
ARRAY(SELECT ARRAY[lead_id::text, other_id::text, dealer_id, source, account, test::text] FROM akin) AS akin
"""


def looking(sought: Sequence[tuple[Lead, Sequence[str]]], window: timedelta) -> Part:
    """Which leads that are stored share a term with one of those `sought`, told with their terms.

    `found` says which of them are the same dealer's, and came another way. Those it tells of came within
    `window` of one of the sought, not always of the one that they share the term with.
    """
    moments = [lead.received_at for lead, _ in sought]
    terms = [(lead.lead_id, term) for lead, told in sought for term in told]
    arguments = (
        min(moments) - window,
        max(moments) + window,
        [lead_id for lead_id, _ in terms],
        [term for _, term in terms],
    )
    return Part(_LOOK, arguments, _TOLD)


def found(row: asyncpg.Record, sought: Sequence[tuple[Lead, Sequence[str]]]) -> set[tuple[UUID, UUID]]:
    """Pairs of a sought lead and a stored one of the same dealer that came through another source or account.

    Tests apart from real ones; from the row of a statement with `looking` in it.
    """
    told = row["akin"]
    if not told:
        return set()
    leads = {str(lead.lead_id): lead for lead, _ in sought}
    return {
        (leads[lead_id].lead_id, UUID(other_id))
        for lead_id, other_id, dealer_id, source, account, test in told
        if (dealer_id, test == "true") == (leads[lead_id].dealer.dealer_id, leads[lead_id].test)
        and (source, account) != (leads[lead_id].source, leads[lead_id].account)
    }
