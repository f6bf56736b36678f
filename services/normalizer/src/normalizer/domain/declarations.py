"""Who said yes or no, and how we know: what becomes an act of consent for each contact of a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Lead
from leadbus.contracts.vocabulary import ConsentBasis

from normalizer.domain import identity
from normalizer.domain.consents import Action, known_by
from normalizer.domain.raw import Raw

ToldBy = Literal["source", "operator", "opt_in"]

_SAYS: Mapping[ConsentBasis, Action] = {"granted": "grant", "withdrawn": "withdraw"}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What somebody said once about being contacted, under everything that they are known by.

    `words` are those agreed to or said, `evidence` where the proof is kept. `actor` is the operator who noted
    it, `raw_key` the raw message that told it, `lead_id` the lead that it was said about.
    """

    act_id: UUID
    contacts: tuple[str, ...]
    action: Action
    at: datetime
    told_by: ToldBy
    purposes: tuple[str, ...] = ()
    words: str | None = None
    evidence: str | None = None
    actor: str | None = None
    raw_key: UUID | None = None
    lead_id: UUID | None = None


def declared(raw: Raw, lead: Lead) -> Declaration | None:
    """What `raw` says outright of its person's consent; None where it says nothing, or only by its kind.

    Nothing said in a trial or a test counts for anybody.
    """
    consent = lead.consent
    action = _SAYS.get(consent.basis)
    if action is None or raw.trial or lead.test or (action == "grant" and not consent.purposes):
        return None
    return Declaration(
        act_id=identity.act_id("source", str(raw.key), action),
        contacts=known_by(lead),
        action=action,
        at=min(consent.at or raw.received_at, raw.received_at),
        told_by="source",
        purposes=consent.purposes if action == "grant" else (),
        words=consent.text,
        raw_key=raw.key,
        lead_id=lead.lead_id,
    )


def all_declared(told: Iterable[tuple[Raw, Lead]]) -> tuple[Declaration, ...]:
    """Everything that these say outright."""
    said = (declared(raw, lead) for raw, lead in told if lead.consent.basis in _SAYS)
    return tuple(one for one in said if one is not None)
