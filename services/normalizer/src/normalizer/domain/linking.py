"""Which leads have to do with each other. Cases LK1.. in the README.

Sources tell of the same request each in their own way: by fetch and by mail, through a portal and from the
dealer's own site. Such leads stay leads of their own, and each names the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from leadbus.contracts.lead import Lead, Link, Product, Vehicle
from leadbus.contracts.vocabulary import LinkReason

from normalizer.domain.consents import contacts_of

MOST_LINKS = 50
"""Beyond it a contact is no person's but a relay's or a placeholder, and one more link says nothing."""

_WORD = re.compile(r"\w+")
_YEAR = re.compile(r"(?:19|20)\d\d")


def link_of(one: Lead, other: Lead, window: timedelta) -> LinkReason | None:
    """What binds two leads: `possible_duplicate`, `same_person`, or None.

    They are taken for one person's when they have a phone or an e-mail address in common, are for the same
    dealer, came within `window` of each other and through different sources or accounts: one source tells
    one lead once. They may be one request unless they name different vehicles or products.
    """
    if one.lead_id == other.lead_id or one.erased or other.erased or one.test != other.test:
        return None
    if (one.source, one.account) == (other.source, other.account):
        return None
    if one.dealer.dealer_id != other.dealer.dealer_id or abs(one.received_at - other.received_at) > window:
        return None
    if not {*_contacts(one)} & {*_contacts(other)}:
        return None
    return "possible_duplicate" if _may_be_one_request(one, other) else "same_person"


def with_links(lead: Lead, others: Iterable[Lead], window: timedelta) -> Lead:
    """`lead` with what binds it to `others` now, links to any other staying; the same object if none is new.

    A link that stands is renewed (a vehicle told later may tell two requests apart) and never taken away.
    """
    links = {link.lead_id: link.why for link in lead.links}
    for other in others:
        why = link_of(lead, other, window)
        if why is not None and (other.lead_id in links or len(links) < MOST_LINKS):
            links[other.lead_id] = why
    told = tuple(Link(lead_id=lead_id, why=why) for lead_id, why in links.items())
    return lead if told == lead.links else lead.model_copy(update={"links": told})


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that a lead of `source` was given, or given anew for another reason."""

    source: str
    why: LinkReason


def new_links(before: Lead, after: Lead) -> list[NewLink]:
    """What `after` is linked by and `before` was not; of tests nothing is told."""
    links = [link for link in after.links if link not in before.links]
    return [] if after.test else [NewLink(after.source, link.why) for link in links]


def _contacts(lead: Lead) -> tuple[str, ...]:
    return contacts_of(lead.customer, lead.lead_id)


@dataclass(frozen=True, slots=True)
class _Item:
    """What a lead is about: `words` of its name, `names` that tell it for certain."""

    words: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    vin: str | None = None
    years: tuple[int, ...] = field(default=())


def _may_be_one_request(one: Lead, other: Lead) -> bool:
    mine, theirs = _items(one), _items(other)
    return not mine or not theirs or any(_agree(item, their) for item in mine for their in theirs)


def _items(lead: Lead) -> list[_Item]:
    """The wanted vehicle, else all products; none where the lead names neither."""
    wanted = [vehicle for vehicle in lead.vehicles if vehicle.wanted]
    items = [_of_vehicle(vehicle) for vehicle in wanted] or [_of_product(one) for one in lead.products]
    return [item for item in items if item != _Item()]


def _of_vehicle(vehicle: Vehicle) -> _Item:
    names = (("stock", vehicle.stock), ("url", vehicle.url))
    return _Item(
        words=_words(f"{vehicle.make or ''} {vehicle.model or ''}"),
        names=_names(names),
        vin=vehicle.vin,
        years=tuple(map(int, _YEAR.findall(vehicle.year or ""))),
    )


def _of_product(product: Product) -> _Item:
    return _Item(words=_words(product.name or ""), names=_names((("id", product.id), ("url", product.url))))


def _names(told: Iterable[tuple[str, str | None]]) -> frozenset[str]:
    return frozenset(f"{kind}:{value.strip().casefold()}" for kind, value in told if value)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _agree(one: _Item, other: _Item) -> bool:
    """VINs decide; a common number or page agrees; else names may be shorter or longer, not others.

    Different stock numbers decide nothing: portals have their own.
    """
    if one.vin and other.vin:
        return one.vin == other.vin
    if one.names & other.names:
        return True
    if one.years and other.years and (max(one.years) < min(other.years) or max(other.years) < min(one.years)):
        return False
    return one.words <= other.words or other.words <= one.words
