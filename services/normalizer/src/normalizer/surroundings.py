"""What is stored beside the leads of a batch and bears on them: asked for at once, after they are decided.

One further statement for a whole batch. It nearly always finds nothing; where it finds anything the batch is
not ordinary, and its leads are decided once more while they are held, with what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from leadbus.contracts.lead import Lead
from leadbus.db import Connection, Part, at_once

from normalizer.deciding import Decision
from normalizer.domain.consents import Ledger, known_by
from normalizer.domain.revisions import Revision
from normalizer.domain.settling import settled
from normalizer.store import consents
from normalizer.store.leads import Known


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`ledger`: where the persons concerned stand; `act_no`: the last act of consent that could be seen."""

    ledger: Ledger = field(default_factory=Ledger)
    act_no: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything that bears on the leads."""
        return bool(self.ledger.standings)

    @property
    def unchanged(self) -> Sequence[Part]:
        """Have a statement fail when there is more around by now."""
        return (consents.unchanged(self.act_no),)

    def settle(self, made: Sequence[Revision], held: Known | None) -> list[Revision]:
        """The revisions of one lead, which say what its sources tell, as they are with what was found."""
        return settled(made, held.lead if held else None, self.ledger)


async def look_around(conn: Connection, decision: Decision) -> Surroundings:
    """What bears on the leads of `decision`, a statement for all of them; none where there is no lead."""
    leads = _leads(decision)
    if not leads:
        return Surroundings()
    row = await at_once(conn, consents.looking({contact for lead in leads for contact in known_by(lead)}))
    return Surroundings(consents.found(row), row["last_act_no"])


def _leads(decision: Decision) -> list[Lead]:
    """Those that are about to be written, as of their last revision."""
    return list({revision.lead.lead_id: revision.lead for revision in decision.revisions}.values())
