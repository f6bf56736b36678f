"""Leads that tell of the same person name each other: who is looked for, and what then changes.

Why as it is: docs/adr/0129-linked-leads-name-each-other.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from uuid import UUID

import asyncpg
from leadbus.contracts.lead import Lead
from leadbus.db import Part

from normalizer.deciding import Decision
from normalizer.domain.linking import MOST_LINKS, new_links, with_links
from normalizer.domain.revisions import RECEIVED, UPDATED, Revision
from normalizer.domain.terms import Terms
from normalizer.store import akin
from normalizer.store.leads import Known

Akin = Mapping[UUID, AbstractSet[UUID]]
"""Leads that may be the same person's as each lead, told for both of them."""

_LINKS = ("links",)


@dataclass(frozen=True, slots=True)
class Search:
    """For leads of the same persons as those `sought`, told with the terms of their contacts."""

    sought: Sequence[tuple[Lead, Sequence[str]]]
    window: timedelta

    @property
    def part(self) -> Part:
        """Of the statement that looks among the stored ones."""
        return akin.looking(self.sought, self.window)

    @property
    def none(self) -> Part:
        """Has a statement fail when there is one among the stored ones."""
        return akin.none(self.sought, self.window)

    @property
    def among(self) -> Iterable[tuple[UUID, UUID]]:
        """Pairs of the sought themselves."""
        return _among(self.sought)

    def found(self, row: asyncpg.Record) -> Akin:
        """Those found by the statement with `part` in it, and among the sought themselves."""
        found: dict[UUID, set[UUID]] = {}
        for one, other in (*akin.found(row), *self.among):
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return found


class Linking:
    """Links leads within `window`, found by each of `terms` (more than one while their key is replaced).

    Without a key nobody is found by a contact, and nothing is linked; nor with a window of nothing.
    """

    def __init__(self, terms: Iterable[Terms] = (), window: timedelta = timedelta()) -> None:
        self._terms = [each for each in terms if each.key is not None and window]
        self._window = window

    @property
    def finds(self) -> bool:
        """Whether anybody can be found at all."""
        return bool(self._terms)

    def seek(self, leads: Iterable[Lead]) -> Search | None:
        """The search for leads of the same persons; None where nobody can be found."""
        told = ((lead, [term for terms in self._terms for term in terms.contacts(lead)]) for lead in leads)
        sought = [(lead, terms) for lead, terms in told if terms]
        return Search(sought, self._window) if sought else None

    def linked(self, decision: Decision, others: Mapping[UUID, Known], akin: Akin) -> Decision:
        """`decision` with the links between its leads and `others`, which the caller holds.

        A lead that is revised anyway is linked in its last revision; any other gets a revision for it, whose
        cause is the message that told of the lead it is linked with.
        """
        known = {**others, **decision.known}
        stands = {key: one.lead for key, one in known.items()} | {
            lead.lead_id: lead for lead in last(decision)
        }
        causes = {one.lead_id: one.raw.key for one in decision.told if not one.raw.trial}
        now = {
            key: with_links(
                stands[key], [stands[other] for other in sorted(akin[key]) if other in stands], self._window
            )
            for key in sorted(akin.keys() & stands.keys())
        }
        changed = {key: lead for key, lead in now.items() if lead is not stands[key]}
        kept, revised = _in_place(decision.revisions, changed)
        added = [
            _for_links(lead, known[key], causes.get(key) or _cause(akin[key], causes))
            for key, lead in changed.items()
            if key not in revised
        ]
        touched = {key: known[key] for key in changed.keys() & others.keys()}
        return replace(
            decision,
            revisions=[*kept, *added],
            known={**decision.known, **touched},
            last_raw_at={**{key: one.last_raw_at for key, one in touched.items()}, **decision.last_raw_at},
            linked=[link for key, lead in changed.items() for link in new_links(stands[key], lead)],
        )


def last(decision: Decision) -> list[Lead]:
    """The leads that something was told of, as they are after it."""
    told = {one.lead_id for one in decision.told if not one.raw.trial}
    stands = {key: one.lead for key, one in decision.known.items() if key in told}
    revised = {revision.lead.lead_id: revision.lead for revision in decision.revisions}
    return list((stands | {key: lead for key, lead in revised.items() if key in told}).values())


def unlinked(leads: Iterable[Lead], akin: Akin) -> bool:
    """Whether one of `leads` has no link yet to another that may be the same person's, and room for it."""
    return any(
        akin.get(lead.lead_id, set()) - {link.lead_id for link in lead.links}
        for lead in leads
        if len(lead.links) < MOST_LINKS
    )


def _among(sought: Sequence[tuple[Lead, Sequence[str]]]) -> Iterable[tuple[UUID, UUID]]:
    """Pairs of one batch that came through different ways; of a contact that all give, not all of them."""
    if len({_way(lead) for lead, _ in sought}) == 1:
        return
    by_term: dict[str, list[Lead]] = {}
    for lead, terms in sought:
        for term in terms:
            by_term.setdefault(term, []).append(lead)
    for alike in by_term.values():
        for place, one in enumerate(alike):
            others = (other for other in alike[place + 1 :] if _way(other) != _way(one))
            yield from ((one.lead_id, other.lead_id) for other in islice(others, MOST_LINKS))


def _way(lead: Lead) -> tuple[str, str]:
    return lead.source, lead.account


def _in_place(
    revisions: Sequence[Revision], changed: Mapping[UUID, Lead]
) -> tuple[list[Revision], AbstractSet[UUID]]:
    """`revisions`, with the links in the last one of each lead; and the leads there were."""
    last_of = {revision.lead.lead_id: place for place, revision in enumerate(revisions)}
    kept = list(revisions)
    for key in changed.keys() & last_of.keys():
        revision = kept[last_of[key]]
        differs = () if revision.event_type == RECEIVED else tuple(sorted({*revision.changed, *_LINKS}))
        kept[last_of[key]] = replace(revision, lead=changed[key], changed=differs)
    return kept, last_of.keys()


def _for_links(lead: Lead, known: Known, cause: UUID) -> Revision:
    numbered = lead.model_copy(update={"revision": known.lead.revision + 1})
    return Revision(numbered, cause, UPDATED, _LINKS, told_consent=known.told_consent)


def _cause(akin: Iterable[UUID], causes: Mapping[UUID, UUID]) -> UUID:
    return next(causes[key] for key in sorted(akin) if key in causes)
