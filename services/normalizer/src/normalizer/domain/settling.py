"""What a lead's sources tell and what acts of consent made of it, as one lead.

A lead is folded from what its sources tell alone, so that acts may come before it or after it, and a replay
makes the same lead; the acts are laid over every revision at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from leadbus.contracts.lead import Lead

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
        lead = with_consent(revision.lead, ledger, others)
        settled_ = revise(before, lead, revision.raw_key)
        if settled_ is not None:
            differs = told if lead.consent != told else None
            kept.append(replace(revision, lead=settled_.lead, changed=settled_.changed, told_consent=differs))
            before = settled_.lead
    return kept


def with_consent(told: Lead, ledger: Ledger, linked: Iterable[str] = ()) -> Lead:
    """`told`, whose consent is what its sources tell, with the consent that holds."""
    holds = consent_now(ledger, told.consent, known_by(told), linked)
    return told if holds == told.consent else told.model_copy(update={"consent": holds})
