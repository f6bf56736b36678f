"""What is stored beside the leads of a batch and bears on them: asked for at once, after they are decided.

It is nearly always nothing; where there is anything the batch is not ordinary, and its leads are decided once
more while they are held, with what was found. It costs a batch one statement more; a few leads, for which
that would be much, are written on condition that there is nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from leadbus.contracts.lead import Consent, Lead
from leadbus.db import Connection, Part, at_once

from normalizer.deciding import Decision
from normalizer.domain.consents import Ledger, Standing, consent_now, known_by, standing
from normalizer.domain.revisions import RECEIVED, Revision
from normalizer.domain.settling import as_told, settled
from normalizer.linking import Akin, Linking, last
from normalizer.store import consents
from normalizer.store.leads import Known

FEW = 8
"""Leads that are written without a look: if the condition fails, no more than their writing is lost."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`ledger`: where the persons concerned stand; `act_no`: the last act of consent that could be seen.

    `akin`: leads that may be the same persons'. `linked`: by lead, the contacts of those it is linked with.
    """

    ledger: Ledger = field(default_factory=Ledger)
    act_no: int = 0
    akin: Akin = field(default_factory=dict)
    linked: Mapping[UUID, Collection[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything that bears on the leads."""
        return bool(self.ledger.standings or self.akin)

    @property
    def unchanged(self) -> Sequence[Part]:
        """Have a statement fail when there is more around by now."""
        return (consents.unchanged(self.act_no),)

    def settle(self, made: Sequence[Revision], held: Known | None) -> list[Revision]:
        """The revisions of one lead, which say what its sources tell, as they are with what was found."""
        linked = self.linked.get(made[0].lead.lead_id, ()) if made else ()
        return settled(made, held.lead if held else None, self.ledger, linked)

    def standing_of(self, lead: Lead, purpose: str) -> Standing:
        """Where the person of `lead` stands with `purpose` by acts alone."""
        return standing(self.ledger, known_by(lead), purpose, self.linked.get(lead.lead_id, ()))

    def consent_of(self, told: Lead) -> Consent:
        """The consent that holds for `told`, whose own is what its sources tell."""
        return consent_now(self.ledger, told.consent, known_by(told), self.linked.get(told.lead_id, ()))


async def nothing_around(conn: Connection, decision: Decision, linking: Linking) -> Sequence[Part] | None:
    """What has the write of `decision`, whose leads are all new, fail if anything bears on them.

    None when something does.
    """
    search = linking.seek(last(decision))
    if len(decision.leads) <= FEW and not (search and any(search.among)):
        contacts = {contact for lead in decision.leads for contact in known_by(lead)}
        return consents.none(contacts), *([search.none] if search else [])
    around = await look_around(conn, decision, linking)
    return None if around else around.unchanged


async def look_around(conn: Connection, decision: Decision, linking: Linking) -> Surroundings:
    """What bears on the leads of `decision`: a statement for all of them, one more where any has links."""
    told = last(decision)
    if not told:
        return Surroundings()
    linked = await _linked(conn, decision.leads)
    contacts = {contact for lead in decision.leads for contact in known_by(lead)}.union(*linked.values())
    search = linking.seek(told)
    row = await at_once(conn, consents.looking(contacts), *([search.part] if search else []))
    akin = search.found(row) if search else {}
    return Surroundings(consents.found(row), row["last_act_no"], akin, linked)


async def look_at_consents(conn: Connection, leads: Collection[Lead]) -> Surroundings:
    """Where the persons of `leads` stand, and those of the leads that they are linked with."""
    linked = await _linked(conn, leads)
    contacts = {contact for lead in leads for contact in known_by(lead)}.union(*linked.values())
    row = await at_once(conn, consents.looking(contacts))
    return Surroundings(consents.found(row), row["last_act_no"], linked=linked)


async def with_refusals(conn: Connection, decision: Decision) -> Decision:
    """`decision`, whose leads were linked just now, with what the persons of the others refused."""
    leads = [lead for lead in decision.leads if lead.links]
    around = await look_at_consents(conn, leads)
    if not around:
        return decision
    told = {revision.lead.lead_id: revision.told_consent for revision in decision.revisions}
    holds = {lead.lead_id: around.consent_of(as_told(lead, told[lead.lead_id])) for lead in leads}
    return replace(decision, revisions=list(_with_consents(decision.revisions, holds)))


async def _linked(conn: Connection, leads: Collection[Lead]) -> dict[UUID, Collection[str]]:
    links = {lead.lead_id: [link.lead_id for link in lead.links] for lead in leads if lead.links}
    if not links:
        return {}
    # Leads of the same batch are not stored yet.
    contacts = {lead.lead_id: known_by(lead) for lead in leads}
    contacts |= await consents.contacts_of_leads(conn, {other for each in links.values() for other in each})
    return {
        lead_id: {contact for other in others for contact in contacts.get(other, ())}
        for lead_id, others in links.items()
    }


def _with_consents(revisions: Sequence[Revision], holds: Mapping[UUID, Consent]) -> Iterable[Revision]:
    last_of = {revision.lead.lead_id: place for place, revision in enumerate(revisions)}
    for place, revision in enumerate(revisions):
        lead = revision.lead
        now = holds.get(lead.lead_id)
        if now is None or now == lead.consent or last_of[lead.lead_id] != place:
            yield revision
            continue
        changed = () if revision.event_type == RECEIVED else tuple(sorted({*revision.changed, "consent"}))
        told = revision.told_consent or lead.consent
        yield replace(
            revision, lead=lead.model_copy(update={"consent": now}), changed=changed, told_consent=told
        )
