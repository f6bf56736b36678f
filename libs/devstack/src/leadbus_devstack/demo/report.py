"""What became of each lead: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from leadbus_devstack.demo.comparison import compare
from leadbus_devstack.demo.lead import DemoLead
from leadbus_devstack.demo.play import Sent
from leadbus_devstack.demo.prospect import LEADBUS, NotAdfError, identifiers, parse_adf
from leadbus_devstack.smtp import StoredMail


@dataclass(frozen=True, slots=True)
class Arrival:
    """One lead's end: `problems` is empty when the mail says what the lead said."""

    lead: DemoLead
    accepted_at: datetime
    mail: StoredMail | None
    lead_id: str | None
    problems: Sequence[str]

    @property
    def seconds(self) -> float | None:
        """From accept to delivered; the mail can be there before we have seen the publisher's confirm."""
        if self.mail is None:
            return None
        return max(0.0, (self.mail.received_at - self.accepted_at).total_seconds())

    def as_json(self, root: Path) -> dict[str, Any]:
        mail = self.mail
        return {
            "source": self.lead.source,
            "lead": self.lead.kind,
            "external_id": self.lead.external_id,
            "lead_id": self.lead_id,
            "way_in": self.lead.way,
            "media_type": self.lead.media_type,
            "dealer": self.lead.dealer,
            "address": self.lead.address,
            "accepted_at": self.accepted_at.isoformat(),
            "delivered_at": mail.received_at.isoformat() if mail else None,
            "seconds": self.seconds,
            "message_id": mail.message_id if mail else None,
            "mail_file": str(mail.path.relative_to(root)) if mail else None,
            "arrived": mail is not None,
            "matches": mail is not None and not self.problems,
            "problems": list(self.problems),
        }


def judge(sent: Sent, mail: StoredMail | None) -> Arrival:
    """Read the mail and compare it with what was sent."""
    if mail is None:
        return Arrival(sent.lead, sent.accepted_at, None, None, ["no mail arrived"])
    try:
        prospect = parse_adf(mail)
    except NotAdfError as error:
        return Arrival(sent.lead, sent.accepted_at, mail, None, [str(error)])
    problems = [str(difference) for difference in compare(sent.lead, mail, prospect)]
    return Arrival(sent.lead, sent.accepted_at, mail, identifiers(prospect).get(LEADBUS), problems)


def table(arrivals: Sequence[Arrival], root: Path) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("lead", "way in", "dealer", "address"):
        grid.add_column(heading, overflow="fold")
    grid.add_column("accept to delivered", justify="right")
    for heading in ("Message-ID", "stored mail"):
        grid.add_column(heading, overflow="fold")
    for arrival in arrivals:
        mail = arrival.mail
        seconds = arrival.seconds
        grid.add_row(
            arrival.lead.name,
            arrival.lead.way,
            arrival.lead.dealer,
            arrival.lead.address,
            f"{seconds:.3f} s" if seconds is not None else "[red]never[/red]",
            mail.message_id if mail else "",
            str(mail.path.relative_to(root)) if mail else "",
        )
    return grid


def write(path: Path, arrivals: Sequence[Arrival], root: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"leads": [arrival.as_json(root) for arrival in arrivals]}
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
