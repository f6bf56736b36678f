"""The short way of a batch: a look that writes nothing, and one write that commits itself.

It is for messages that are all new and tell of leads that nobody has heard of, each of which is to be
delivered. The write fails whole where that was not so after all; then, as where the look shows it, nothing is
done, and the batch is taken as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from leadbus import checkpoint
from leadbus.contracts import Lead
from leadbus.db import Connection, at_once
from leadbus.inbox import InboxEntry, claiming_new, recognising

from adf_mailer.domain.routing import Deliver, decide
from adf_mailer.planning import Planner
from adf_mailer.store import leads, routes

MEANWHILE = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Somebody else had the same in hand; nothing is written."""


async def take(
    conn: Connection,
    planner: Planner,
    consumer: str,
    entries: Sequence[InboxEntry],
    newest: Sequence[Lead],
    *,
    now: datetime,
) -> list[tuple[Lead, Deliver]] | None:
    """Claim `entries`, keep and plan `newest`; what was decided, or None where nothing is done.

    `conn` is in no transaction. Raises what the database raises, but MEANWHILE.
    """
    decided = await _decide(conn, consumer, entries, newest)
    if decided is None:
        return None
    checkpoint.passed("mailer.found_ordinary")
    beside = (claiming_new(consumer, entries, now), leads.adding(newest, now=now))
    try:
        await planner.commit(conn, decided, beside=beside)
    except MEANWHILE:
        return None
    return decided


async def _decide(
    conn: Connection, consumer: str, entries: Sequence[InboxEntry], newest: Sequence[Lead]
) -> list[tuple[Lead, Deliver]] | None:
    """None unless all is new and everybody gets a mail."""
    row = await at_once(
        conn,
        recognising(consumer, entries),
        leads.looking(lead.lead_id for lead in newest),
        routes.finding(lead.dealer.dealer_id for lead in newest),
    )
    if row["recognised"] or leads.any_known(row):
        return None
    todays = routes.found(row)
    decided = [(lead, one) for lead in newest for one in decide(lead, None, todays, frozenset())]
    wanted = [(lead, one) for lead, one in decided if isinstance(one, Deliver)]
    return wanted if len(wanted) == len(decided) else None
