"""What reading a BDK lead brings to light beside the lead: doubts, and values that no field holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from leadbus.contracts.bdk import LEAD_TYPE_ID
from leadbus.contracts.lead import Warning_
from leadbus.contracts.vocabulary import Channel, FinanceProduct, Precheck

from normalizer.domain.text import clean, clean_line
from normalizer.sources import bdk_words

_NAME_PARTS = ("firstName", "lastName", "name", "salutation")
_FIELDS: Mapping[str, str] = {
    LEAD_TYPE_ID: "source_type",
    "createdAt": "occurred_at",
    "customer.company": "customer.company.name",
    "customer.email": "customer.emails",
    "customer.phone": "customer.phones",
    "customer.mobile": "customer.phones",
    **{f"customer.{part}": "customer.name" for part in _NAME_PARTS},
    "vehicle.variant": "vehicles.0.trim",
    "vehicle.modelYear": "vehicles.0.year",
    "vehicle.stockNumber": "vehicles.0.stock",
    "vehicle.isNew": "vehicles.0.status",
    "vehicle.mileage": "vehicles.0.odometer",
    "vehicle.price": "vehicles.0.prices",
    "vehicle.currency": "vehicles.0.prices",
    "vehicle.listingUrl": "vehicles.0.url",
    "vehicle.imageUrl": "vehicles.0.image",
    "finance.downPayment": "finance.down_payment",
    "finance.monthlyRate": "finance.monthly",
    "finance.termMonths": "finance.term_months",
    "finance.mileagePerYear": "finance.distance_per_year",
    "contract.endsOn": "contract.ends_on",
}
_WORD = TypeVar("_WORD", Channel, FinanceProduct, Precheck)


class Findings:
    """Collects `warnings`, which name fields of the lead, and `extras` by the payload's own paths."""

    def __init__(self, extras: Mapping[str, str]) -> None:
        self.extras = dict(extras)
        self._warnings: list[Warning_] = []

    @property
    def warnings(self) -> tuple[Warning_, ...]:
        """In the order in which they were found."""
        return tuple(self._warnings)

    def warn(self, code: str | None, field: str, detail: str | None = None) -> None:
        """Note a doubt about a field of the lead; None is no doubt."""
        if code is not None:
            self._warnings.append(Warning_(code=code, field=field, detail=detail))

    def keep(self, path: str, value: object) -> None:
        """Keep what stood at `path` of the payload."""
        if value is not None and (text := clean(str(value))):
            self.extras[path] = text

    def doubt(self, path: str, value: object, code: str) -> None:
        """Keep what stood at `path` and say what is the matter with it."""
        self.keep(path, value)
        self.warn(code, lead_field(path))

    def word(self, path: str, written: str | None, words: Mapping[str, _WORD]) -> _WORD | None:
        """What a word at `path` stands for, kept as written; None where nothing or no such word stands."""
        if written is None or not clean_line(written):
            return None
        self.keep(path, written)
        meant = words.get(bdk_words.key(clean_line(written)))
        if meant is None:
            self.warn("value_unread", lead_field(path))
        return meant


def lead_field(path: str) -> str:
    """Where the lead has what the payload has at `path`."""
    if path in _FIELDS:
        return _FIELDS[path]
    if path.startswith("customer.address"):
        return "customer.addresses"
    return path.replace("vehicle", "vehicles.0", 1) if path.partition(".")[0] == "vehicle" else path
