"""How many leads each dealer had when; read from one index alone, however many leads there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts import Lead
from leadbus.db import Connection

from adf_mailer.domain.silence import Counted, Day

_COUNTED = "counted_for <> '' AND contactable"

# From dealer to dealer through the index: `SELECT DISTINCT` would read all of their leads.
_DEALERS = f"""
WITH RECURSIVE dealer (name) AS (
    (SELECT counted_for FROM lead WHERE {_COUNTED} ORDER BY counted_for LIMIT 1)
    UNION ALL
    SELECT (SELECT counted_for FROM lead WHERE {_COUNTED} AND counted_for > dealer.name
             ORDER BY counted_for LIMIT 1)
      FROM dealer WHERE dealer.name IS NOT NULL
)
SELECT dealer.name, first.received_at AS first_lead_at, last.received_at AS last_lead_at,
       (SELECT data #>> '{{dealer,time_zone}}' FROM lead
         WHERE {_COUNTED} AND counted_for = dealer.name AND data IS NOT NULL
         ORDER BY received_at DESC LIMIT 1) AS time_zone
  FROM dealer
       CROSS JOIN LATERAL (SELECT received_at FROM lead WHERE {_COUNTED} AND counted_for = dealer.name
                            ORDER BY received_at LIMIT 1) AS first
       CROSS JOIN LATERAL (SELECT received_at FROM lead WHERE {_COUNTED} AND counted_for = dealer.name
                            ORDER BY received_at DESC LIMIT 1) AS last
 WHERE dealer.name IS NOT NULL AND last.received_at >= $1 AND ($2::text[] IS NULL OR dealer.name = ANY($2))
 ORDER BY dealer.name
"""  # noqa: S608 -- constants only
_COUNTS = f"""
SELECT asked.dealer, asked.n, counts.by_now, counts.whole
  FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
           AS asked (dealer, n, starts, until, ends)
       CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE received_at < asked.until) AS by_now, count(*) AS whole FROM lead
            WHERE {_COUNTED} AND counted_for = asked.dealer
              AND received_at >= asked.starts AND received_at < asked.ends) AS counts
 ORDER BY asked.dealer, asked.n
"""  # noqa: S608 -- constants only
# An erased one does not say any more whose it was.
_FILL_IN = """
UPDATE lead SET counted_for = CASE WHEN data IS NULL OR (data ->> 'test')::boolean THEN ''
                                   ELSE data #>> '{dealer,dealer_id}' END
 WHERE lead_id = ANY (ARRAY(
     SELECT lead_id FROM lead WHERE counted_for IS NULL AND received_at >= $1
      ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class DealerSeen:
    """A dealer that had leads lately. `time_zone` is what the latest of them says."""

    name: str
    time_zone: str | None
    first_lead_at: datetime
    last_lead_at: datetime


def counted_for(lead: Lead) -> str:
    """The dealer among whose leads it counts; empty for a test, which counts in no figure."""
    return "" if lead.test else lead.dealer.dealer_id


async def dealers(conn: Connection, since: datetime, only: Sequence[str] | None = None) -> list[DealerSeen]:
    """Dealers whose last lead came then or later, by name; `only` those, where it is given."""
    rows = await conn.fetch(_DEALERS, since, None if only is None else list(only))
    return [
        DealerSeen(row["name"], row["time_zone"], row["first_lead_at"], row["last_lead_at"]) for row in rows
    ]


async def counts(conn: Connection, asked: Mapping[str, Sequence[Day]]) -> dict[str, list[Counted]]:
    """Leads of each dealer's days, in their order."""
    flat = [(dealer, n, day) for dealer, listed in asked.items() for n, day in enumerate(listed)]
    rows = await conn.fetch(
        _COUNTS,
        [dealer for dealer, _, _ in flat],
        [n for _, n, _ in flat],
        [day.start for _, _, day in flat],
        [day.until for _, _, day in flat],
        [day.end for _, _, day in flat],
    )
    found: dict[str, list[Counted]] = {dealer: [] for dealer in asked}
    for row in rows:
        day = asked[row["dealer"]][row["n"]]
        found[row["dealer"]].append(Counted(day.date, row["by_now"], row["whole"]))
    return found


async def fill_in(conn: Connection, since: datetime, limit: int) -> int:
    """Say of at most `limit` leads received since, written by an older release, whose they are; how many."""
    return int((await conn.execute(_FILL_IN, since, limit)).rpartition(" ")[2])
