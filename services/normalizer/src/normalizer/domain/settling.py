"""What a lead's sources tell and what acts of consent made of it, as one lead.

A lead is folded from what its sources tell alone, so that acts may come before it or after it, and a replay
makes the same lead; the acts are laid over every revision at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from leadbus.contracts.lead import Consent, Lead

from normalizer.domain.consents import Ledger, consent_now, known_by
from normalizer.domain.revisions import Revision, revise


def settled(
    made: Sequence[Revision], before: Lead | None, ledger: Ledger, linked: Iterable[str] = ()
) -> list[Revision]:
    """The revisions of one lead after `before`, each with the consent that holds.

    `made` hold the consent that is told; one that then says nothing new is left out. `linked` are contacts
    of leads that are taken for the same person's.
    """
    others = tuple(linked)
    kept: list[Revision] = []
    for revision in made:
        told = revision.lead.consent
        holds = consent_now(ledger, told, known_by(revision.lead), others)
        lead = revision.lead.model_copy(update={"consent": holds})
        settled_ = revise(before, lead, revision.raw_key)
        if settled_ is not None:
            differs = told if holds != told else None
            kept.append(replace(revision, lead=settled_.lead, changed=settled_.changed, told_consent=differs))
            before = settled_.lead
    return kept


def as_told(lead: Lead, told: Consent | None) -> Lead:
    """`lead` as its sources alone tell it; `told` is their consent where acts made it another."""
    return lead if told is None else lead.model_copy(update={"consent": told})
