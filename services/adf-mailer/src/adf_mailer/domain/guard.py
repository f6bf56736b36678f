"""The personal-data guard: what of a lead's texts must not go into a mail, masked in a copy of the lead.

Every text that a shopper may have typed and that can be printed is looked at. Never touched: ids, VIN and
stock number, links, e-mail addresses and phone numbers that could be read, what the dealer directory says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from leadbus.contracts.customer import Address, Company, Customer, Email, Name, Phone
from leadbus.contracts.lead import Contract, Lead
from leadbus.contracts.vehicle import Colour, Option, Product, Vehicle
from leadbus.contracts.wire import WireModel

from adf_mailer.domain import sensitive
from adf_mailer.domain.fixed_texts import ENGLISH, Language
from adf_mailer.domain.guard_transcript import masked_transcript
from adf_mailer.domain.party import PHONE
from adf_mailer.domain.sensitive import KINDS, Kind

_TEXTS: Mapping[type[WireModel], tuple[str, ...]] = {
    Lead: ("subject", "message"),
    Customer: ("position", "language"),
    Name: ("full", "first", "middle", "last", "suffix", "salutation"),
    Company: ("name", "kind", "sector", "size"),
    Email: ("raw",),
    Phone: ("raw", "extension"),
    Address: ("street", "apartment", "city", "region", "postal_code"),
    Vehicle: ("year", "make", "model", "trim", "body", "transmission", "comments", "vin_warning"),
    Colour: ("exterior", "interior"),
    Option: ("name", "code"),
    Product: ("name", "category"),
    Contract: ("kind",),
}
"""Attributes that are a text, or a tuple of texts."""
_PARTS: Mapping[type[WireModel], tuple[str, ...]] = {
    Lead: ("customer", "vehicles", "products", "contract"),
    Customer: ("name", "company", "emails", "phones", "addresses"),
    Vehicle: ("colours", "options"),
}
"""Attributes that hold models of their own, one or a tuple of them."""
_NEVER_A_PHONE_NUMBER: frozenset[Kind] = frozenset({"card", "iban"})
PRINTED_EXTRAS = frozenset(
    {
        *("lead_source", "comments", "transcript", "occurred_at", "call", "vehicle", "vehicles", "customer"),
        "provider",
    }
)
"""First parts of the keys of extras that mails show: a number in what nobody sees holds nothing back."""
_BETWEEN = "\n\n\n\n"

_Model = TypeVar("_Model", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Guarded:
    """`found` says what was masked in every place that mails show; with nothing at all `lead` is the same."""

    lead: Lead
    found: Mapping[str, frozenset[Kind]]

    @property
    def kinds(self) -> frozenset[Kind]:
        return frozenset[Kind]().union(*self.found.values())


def guarded(lead: Lead, kinds: Collection[Kind] = KINDS, language: Language = ENGLISH) -> Guarded:
    """The lead with everything of `kinds` masked that its texts hold, marks in `language`.

    Places are paths of the lead's fields, such as `customer/addresses/street`; never a value.
    """
    if not kinds or not _worth_a_look(lead):
        return Guarded(lead, {})
    masking = _Masking(kinds, language)
    changed = masking.model(lead, "")
    return Guarded(changed, masking.found)


def _worth_a_look(lead: Lead) -> bool:
    """No for nearly every lead, and then it is certain."""
    # Question and answer may stand in two lines.
    transcript = "\n".join([line.text for line in lead.transcript])
    return sensitive.may_hold(_BETWEEN.join([*_texts(lead), transcript]))


def _texts(lead: Lead) -> Iterator[str]:
    yield from _texts_of(lead)
    for line in lead.transcript:
        if line.name:
            yield line.name
    yield from lead.extras.values()


def _texts_of(model: WireModel) -> Iterator[str]:
    kind = type(model)
    for name in _names(model):
        value = getattr(model, name)
        if value:
            if isinstance(value, str):
                yield value
            else:
                yield from value
    for name in _PARTS.get(kind, ()):
        value = getattr(model, name)
        if value:
            for part in value if isinstance(value, tuple) else (value,):
                yield from _texts_of(part)


def _names(model: WireModel) -> tuple[str, ...]:
    """A number or address that could be read is printed in its normal form, and what was typed is not."""
    if isinstance(model, Phone) and model.e164 and PHONE.fullmatch(model.e164):
        return ("extension",)
    if isinstance(model, Email) and model.address:
        return ()
    return _TEXTS[type(model)]


class _Masking:
    def __init__(self, kinds: Collection[Kind], language: Language) -> None:
        self._kinds = frozenset(kinds)
        self._language = language
        self.found: dict[str, frozenset[Kind]] = {}

    def model(self, model: _Model, where: str) -> _Model:
        """A copy of `model` where something was found in it, else itself."""
        kinds = self._kinds & _NEVER_A_PHONE_NUMBER if isinstance(model, Phone) else self._kinds
        changes: dict[str, Any] = {}
        for name in _names(model):
            value = getattr(model, name)
            masked: Any
            if isinstance(value, tuple):
                masked = tuple(self._text(one, kinds, where + name) for one in value)
            else:
                masked = self._text(value, kinds, where + name) if value else value
            if masked != value:
                changes[name] = masked
        for name in _PARTS.get(type(model), ()):
            value = getattr(model, name)
            if isinstance(value, tuple):
                part: Any = tuple(self.model(one, f"{where}{name}/") for one in value)
            else:
                part = self.model(value, f"{where}{name}/") if value is not None else None
            if part != value:
                changes[name] = part
        if isinstance(model, Lead):
            changes |= self._rest(model)
        return model.model_copy(update=changes) if changes else model

    def _rest(self, lead: Lead) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        transcript, kinds = masked_transcript(lead.transcript, self._kinds, self._language)
        if kinds:
            changes["transcript"] = transcript
            self._note("transcript", kinds)
        extras = {}
        for name, value in lead.extras.items():
            masked = sensitive.mask(value, self._kinds, self._language)
            extras[name] = masked.text
            if name.partition(".")[0] in PRINTED_EXTRAS:
                self._note("extras", masked.kinds)
        if extras != lead.extras:
            changes["extras"] = extras
        return changes

    def _text(self, value: str, kinds: Collection[Kind], where: str) -> str:
        masked = sensitive.mask(value, kinds, self._language)
        self._note(where, masked.kinds)
        return masked.text

    def _note(self, where: str, kinds: frozenset[Kind]) -> None:
        if kinds:
            self.found[where] = self.found.get(where, frozenset()) | kinds
