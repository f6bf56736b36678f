"""The mail for people: what a salesperson needs in ten seconds, as plain text to read from the top.

Who, how to reach them, what car, what was asked; then the words, and where all that came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeVar

from leadbus.contracts.lead import Address, Email, Finance, Lead, Phone, Vehicle
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import comments, fixed_texts, moment, text
from adf_mailer.domain.document import Status
from adf_mailer.domain.element import LINE_BYTES
from adf_mailer.domain.fixed_texts import ENGLISH, Language
from adf_mailer.domain.money import amount_text
from adf_mailer.domain.shape import Charset

Way = TypeVar("Way", Phone, Email)


@dataclass(frozen=True, slots=True)
class Notice:
    """`content` is text with LF line ends, in `charset`; `encoded` where it cannot go as 7-bit lines."""

    content: bytes
    charset: Charset
    encoded: bool


def render(
    lead: Lead, status: Status, *, provider: str, time_zone: str | None, language: Language = ENGLISH
) -> Notice:
    """The body of the mail. Never raises for what a lead says."""
    return readable(
        _Writer(language).body(lead, status, provider, moment.zone(time_zone or lead.dealer.time_zone))
    )


def readable(body: str) -> Notice:
    """A text for people (LF), as it can go out."""
    plain = body.isascii() and all(len(line) <= LINE_BYTES for line in body.split("\n"))
    charset: Charset = "us-ascii" if body.isascii() else "utf-8"
    return Notice(body.encode(), charset, encoded=not plain)


class _Writer:
    """Writes in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def body(self, lead: Lead, status: Status, provider: str, where: tzinfo | None) -> str:
        blocks = [
            "\n".join(self._marks(lead, status)),
            "\n".join([*self._who(lead), *self._vehicles(lead.vehicles)]),
            comments.customer_comments(lead, list(self._notes(lead)), where, self._language),
            "\n".join(self._origin(lead, provider, where)),
        ]
        return "\n\n".join(filter(None, blocks)) + "\n"

    def _say(self, key: str) -> str:
        return fixed_texts.label(key, self._language)

    def _marks(self, lead: Lead, status: Status) -> Iterator[str]:
        if lead.test:
            yield self._say("notice_test")
        if status == "resend":
            yield self._say("notice_resend")

    def _who(self, lead: Lead) -> Iterator[str]:
        customer = lead.customer
        name = text.line(customer.name.full or "") or _words([customer.name.first, customer.name.last])
        yield self._fact("notice_name", name or self._say("notice_nameless"))
        if customer.company:
            yield from self._facts("notice_company", [customer.company.name])
        ways = [
            *self._facts("notice_phone", map(self._phone, _primary_first(customer.phones))),
            *self._facts("notice_email", (one.address or one.raw for one in _primary_first(customer.emails))),
        ]
        yield from ways or [self._fact("notice_phone", self._say("notice_unreachable"))]
        yield from self._facts("notice_address", map(_place, customer.addresses))

    def _phone(self, phone: Phone) -> str:
        number = (phone.e164 or phone.raw) + (f" x{phone.extension}" if phone.extension else "")
        at = None
        if phone.best_time not in (None, "no_preference"):
            at = f"{self._say('notice_reach_at')}: {phone.best_time}"
        hints = ", ".join(filter(None, (at, self._say("notice_preferred") if phone.primary else None)))
        return f"{number} ({hints})" if hints else number

    def _vehicles(self, vehicles: tuple[Vehicle, ...]) -> Iterator[str]:
        for vehicle in sorted(vehicles, key=lambda one: not one.wanted):
            given = "notice_trade_in" if vehicle.interest == "trade_in" else "notice_other_vehicle"
            key = "notice_vehicle" if vehicle.wanted else given
            yield from self._facts(key, [self._vehicle(vehicle)])

    def _vehicle(self, vehicle: Vehicle) -> str:
        status = None if vehicle.status == "unknown" else self._say(f"status_{vehicle.status}")
        stock, vin = self._say("notice_stock"), self._say("notice_vin")
        facts = [
            _words([status, vehicle.year, vehicle.make, vehicle.model, vehicle.trim]),
            f"{stock} {vehicle.stock}" if vehicle.stock else None,
            f"{vin} {vehicle.vin}" if vehicle.vin else None,
            *(_words([amount_text(price.amount), price.currency]) for price in vehicle.prices[:1]),
            vehicle.url if is_web_link(vehicle.url or "") else None,
        ]
        return ", ".join(filter(None, facts))

    def _notes(self, lead: Lead) -> Iterator[str]:
        yield from self._facts("notice_remark", (vehicle.comments for vehicle in lead.vehicles))
        if lead.finance:
            yield from self._facts("notice_payment", [self._payment(lead.finance)])

    def _payment(self, finance: Finance) -> str:
        """What a credit check said is never passed on."""
        product = None if finance.product == "unknown" else finance.product
        sums = (
            ("notice_down_payment", finance.down_payment),
            ("notice_monthly", finance.monthly),
            ("notice_total", finance.total),
        )
        told = [
            f"{self._say(key)} {_words([plain, finance.currency])}"
            for key, sum_ in sums
            if (plain := amount_text(sum_))
        ]
        months = finance.term_months
        term = None if months is None else f"{months} {self._say('notice_months')}"
        return ", ".join(filter(None, (product, *told, term)))

    def _origin(self, lead: Lead, provider: str, where: tzinfo | None) -> Iterator[str]:
        yield self._fact("notice_dealer", text.line(lead.dealer.name) or lead.dealer.dealer_id)
        source = (provider, text.line(lead.source_type), lead.channel)
        yield self._fact("notice_source", ", ".join(filter(None, source)))
        yield self._fact("notice_received", moment.clock(lead.received_at, where))
        yield self._fact("notice_lead", str(lead.lead_id))

    def _facts(self, key: str, values: Iterable[str | None]) -> Iterator[str]:
        """A line for each that says something, each once."""
        cleaned = (text.line(value or "") for value in values)
        yield from (self._fact(key, value) for value in dict.fromkeys(filter(None, cleaned)))

    def _fact(self, key: str, value: str) -> str:
        return f"{self._say(key)}: {value}"


def _primary_first(ways: Iterable[Way]) -> list[Way]:
    return sorted(ways, key=lambda one: not one.primary)


def _place(address: Address) -> str:
    parts = (*address.street, address.apartment, address.postal_code, address.city, address.region)
    return ", ".join(filter(None, (text.line(part or "") for part in (*parts, address.country))))


def _words(parts: Iterable[str | None]) -> str:
    return text.line(" ".join(filter(None, parts)))
