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
from normalizer.linking import Akin, Linking, last
from normalizer.store import consents
from normalizer.store.leads import Known


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`ledger`: where the persons concerned stand; `act_no`: the last act of consent that could be seen.

    `akin`: leads that may be the same persons'.
    """

    ledger: Ledger = field(default_factory=Ledger)
    act_no: int = 0
    akin: Akin = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything that bears on the leads."""
        return bool(self.ledger.standings or self.akin)

    @property
    def unchanged(self) -> Sequence[Part]:
        """Have a statement fail when there is more around by now."""
        return (consents.unchanged(self.act_no),)

    def settle(self, made: Sequence[Revision], held: Known | None) -> list[Revision]:
        """The revisions of one lead, which say what its sources tell, as they are with what was found."""
        return settled(made, held.lead if held else None, self.ledger)


async def look_around(conn: Connection, decision: Decision, linking: Linking) -> Surroundings:
    """What bears on the leads of `decision`, a statement for all of them; none where there is no lead."""
    told = last(decision)
    if not told:
        return Surroundings()
    contacts = {contact for lead in _leads(decision) for contact in known_by(lead)}
    looking = linking.looking(told)
    row = await at_once(conn, consents.looking(contacts), *([looking] if looking else []))
    akin = linking.found(told, row) if looking else {}
    return Surroundings(consents.found(row), row["last_act_no"], akin)


def _leads(decision: Decision) -> list[Lead]:
    """Those that are about to be written, as of their last revision."""
    return list({revision.lead.lead_id: revision.lead for revision in decision.revisions}.values())
