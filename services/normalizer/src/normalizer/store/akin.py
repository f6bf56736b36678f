"""Leads that may be the same person's, found in the lists of their phones and e-mail addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Lead
from leadbus.db import Part

from normalizer.domain.linking import MOST_LINKS

# The newest of a list: of a number that half the town is told under no more is read than of any other. OFFSET
# keeps each a look into the index. `terms` holds no blanks.
_LOOK = f"""
akin AS (
    SELECT DISTINCT m.lead_id, other.lead_id AS other_id
      FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                  $8::boolean[])
           AS m (lead_id, terms, received_at, dealer_id, source, account, test)
     CROSS JOIN unnest(string_to_array(m.terms, ' ')) AS sought (term)
     CROSS JOIN LATERAL (
           SELECT lead_id FROM lead_term
            WHERE term = sought.term
              AND received_at BETWEEN m.received_at - $1::interval AND m.received_at + $1::interval
            ORDER BY received_at DESC, lead_id DESC LIMIT {2 * MOST_LINKS} OFFSET 0) AS listed
      JOIN lead AS other ON other.lead_id = listed.lead_id
     WHERE other.lead_id <> m.lead_id AND other.dealer_id = m.dealer_id AND other.test = m.test
       AND (other.source, other.account) <> (m.source, m.account)
)
"""  # noqa: S608 -- constants only
_TOLD = """
ARRAY(SELECT lead_id FROM akin ORDER BY lead_id, other_id) AS akin_ids,
ARRAY(SELECT other_id FROM akin ORDER BY lead_id, other_id) AS akin_others
"""


def looking(terms: Mapping[UUID, Sequence[str]], leads: Sequence[Lead], window: timedelta) -> Part:
    """Which leads that are stored share one of their `terms` ({lead id: terms}) with one of `leads`.

    Of the same dealer, within `window`, through another source or account, tests apart from real ones.
    """
    arguments = (
        window,
        [lead.lead_id for lead in leads],
        [" ".join(terms[lead.lead_id]) for lead in leads],
        [lead.received_at for lead in leads],
        [lead.dealer.dealer_id for lead in leads],
        [lead.source for lead in leads],
        [lead.account for lead in leads],
        [lead.test for lead in leads],
    )
    return Part(_LOOK, arguments, _TOLD)


def found(row: asyncpg.Record) -> list[tuple[UUID, UUID]]:
    """Pairs of one of `leads` and a stored one, from the row of a statement with `looking` in it."""
    return list(zip(row["akin_ids"], row["akin_others"], strict=True))
