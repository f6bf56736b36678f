"""What the whole system says of each lead of a stream, read from its tables and its mailbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from leadbus_devstack.demo.contactatonce import PROVIDER
from leadbus_devstack.demo.prospect import LEADBUS, identifiers, parse_adf

from tests.guarantees.fates import Fate
from tests.guarantees.system import System

_RAWS = """
SELECT convert_from(raw.body, 'UTF8')::json ->> 'lead_id' AS sent, raw.lead_id, lead.revision,
       quarantine.reason AS quarantined
FROM raw
LEFT JOIN lead USING (lead_id)
LEFT JOIN quarantine ON quarantine.raw_key = raw.raw_key AND quarantine.state = 'open'
WHERE position(convert_to($1, 'UTF8') IN raw.body) > 0
"""
_LEDGER = "SELECT lead_id, sink, route, target, state, ambiguous FROM ledger WHERE lead_id = ANY($1::uuid[])"
_DELIVERIES = """
SELECT subject_id, route, target, phase, doubts > 0 AS ambiguous FROM delivery
 WHERE subject_id = ANY($1::text[])
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was said of a lead for one recipient of a route: by the sink's own table, or by the ledger."""

    route: str
    target: str
    state: str
    ambiguous: bool


@dataclass(slots=True)
class Story:
    """Everything known of the lead that was sent as `lead_id`.

    `revisions`: by the id that Leadbus gave it. `mails`: Message-IDs, one for each mail that arrived.
    """

    lead_id: str
    raws: int = 0
    revisions: dict[str, int] = field(default_factory=dict)
    quarantined: list[str] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    deliveries: list[Entry] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)

    @property
    def fates(self) -> list[Fate]:
        """Exactly one, when nothing is wrong: this system has one sink, and a lead one route in it."""
        told = [Fate(entry.state) for entry in self.ledger]
        pending = [Fate.PENDING] * (len(self.revisions) if not told else 0)
        return [*told, *pending, *(Fate.QUARANTINED for _ in self.quarantined)]

    @property
    def ambiguous(self) -> bool:
        return any(entry.ambiguous for entry in self.deliveries)


async def read(system: System, run: str, *, with_mails: bool = True) -> dict[str, Story]:
    """The story of every lead that `run` sent and the system knows of, by the id it was sent with."""
    databases = system.database_urls()
    stories: dict[str, Story] = {}
    by_lead: dict[str, Story] = {}
    for row in await _rows(databases["normalizer"], _RAWS, f'"lead_id": "{run}-'):
        story = stories.setdefault(row["sent"], Story(row["sent"]))
        story.raws += 1
        if row["lead_id"] is not None:
            story.revisions[str(row["lead_id"])] = row["revision"]
            by_lead[str(row["lead_id"])] = story
        if row["quarantined"] is not None:
            story.quarantined.append(row["quarantined"])
    for row in await _rows(databases["normalizer"], _LEDGER, list(by_lead)):
        by_lead[str(row["lead_id"])].ledger.append(_entry(row, row["state"]))
    for row in await _rows(databases["adf-mailer"], _DELIVERIES, list(by_lead)):
        by_lead[row["subject_id"]].deliveries.append(_entry(row, row["phase"]))
    if with_mails:
        for sent, mails in _mails(system, run).items():
            stories.setdefault(sent, Story(sent)).mails += mails
    return stories


def _entry(row: Any, state: str) -> Entry:
    return Entry(row["route"], row["target"], state, row["ambiguous"])


def _mails(system: System, run: str) -> Mapping[str, Sequence[str]]:
    mails: dict[str, list[str]] = defaultdict(list)
    for mail in system.stack.smtp.messages():
        if run.encode() in mail.content:
            ids = identifiers(parse_adf(mail))
            assert ids[LEADBUS], f"the mail of {ids[PROVIDER]} does not say which lead it is"
            mails[ids[PROVIDER]].append(mail.message_id)
    return mails


async def _rows(url: str, statement: str, *arguments: object) -> Sequence[Any]:
    connection = await asyncpg.connect(url, timeout=10, command_timeout=30)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()
