"""`<contact>` of the customer, `<vendor>` and `<provider>`: who is who in the lead."""

from __future__ import annotations

import re
from typing import Literal

from leadbus.contracts.lead import Address, Customer, Dealer, Email, Name, Phone
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import moment, text
from adf_mailer.domain.carried import NONE, Carried
from adf_mailer.domain.element import VALUE_BYTES, Draft, Node
from adf_mailer.domain.ids import add_carried_ids
from adf_mailer.domain.iso_codes import COUNTRIES
from adf_mailer.domain.provider import Provider

MissingName = Literal["contact", "empty"]

PHONE = re.compile(r"\+?\(?[0-9][0-9 ()./\-]{3,30}[0-9]( x[0-9]{1,10})?")
"""A number somebody can dial, with or without an extension."""

PHONE_TYPES = frozenset({"voice", "phone", "fax", "cellphone", "pager"})
PHONE_TIMES = frozenset({"morning", "afternoon", "evening", "nopreference", "day"})

_STREET_LINES = 5


def add_customer_contact(
    document: Draft, parent: Node, customer: Customer, missing_name: MissingName
) -> None:
    """Name, the primary e-mail, then phones (both ADF DTDs agree on that shape), then one address."""
    contact = document.branch(parent, "contact")
    emails, phones = _emails(document, customer), _phones(document, customer)
    if not _add_names(document, contact, customer):
        document.warn("name_missing", "customer/contact/name")
        ways = [value for value, _ in (*phones, *emails)] if missing_name == "contact" else []
        document.leaf(contact, "name", next(iter(ways), None), {"part": "full"})
    sources: list[Email | Phone] = [*(email for _, email in emails), *(phone for _, phone in phones)]
    preferred = next((source for source in sources if source.primary), None)
    if not emails and not phones:
        document.warn("contact_missing", "customer/contact")
        document.leaf(contact, "email", None)
    for address, source in emails[:1]:
        document.leaf(contact, "email", address, {"preferredcontact": "1" if source is preferred else None})
    for number, phone in phones:
        document.leaf(contact, "phone", number, _phone_attributes(phone, preferred=phone is preferred))
    for address, _ in emails[1:]:
        document.note("further_email", address)
    if customer.addresses:
        _add_address(document, contact, customer.addresses[0])
    for further in customer.addresses[1:]:
        document.note("further_address", _address_line(further))


def add_vendor(
    document: Draft, parent: Node, dealer: Dealer, lead_address: str, told: Carried = NONE
) -> None:
    """The dealer. Its contact needs a way to be reached: the lead address stands in where none is known.

    Never with an id: the directory has no dealer code, and a document's is that of whoever it came through.
    """
    vendor = document.branch(parent, "vendor")
    name = next(filter(text.line, (dealer.name, dealer.legal_name or "", dealer.dealer_id)), lead_address)
    document.leaf(vendor, "vendorname", name)
    _add_url(document, vendor, told)
    contact = document.branch(vendor, "contact")
    if text.line(dealer.contact or ""):
        document.leaf(contact, "name", dealer.contact, {"part": "full"})
    else:
        document.leaf(contact, "name", name, {"part": "full", "type": "business"})
    email, phone = text.line(dealer.email or ""), text.line(dealer.phone or "")
    if not PHONE.fullmatch(phone):
        phone = ""
    document.optional(contact, "email", email or ("" if phone else lead_address))
    document.optional(contact, "phone", phone, {"type": "voice"})
    if dealer.address:
        _add_address(document, contact, dealer.address)


def add_provider(document: Draft, parent: Node, provider: Provider, told: Carried = NONE) -> None:
    """Who originated the lead and what kind it is: the two strings CRMs break their reports down by.

    `told` is what its own document said of the provider of that name.
    """
    element = document.branch(parent, "provider")
    add_carried_ids(document, element, told)
    document.leaf(element, "name", provider.name, {"part": "full", "type": "business"})
    document.optional(element, "service", provider.service)
    _add_url(document, element, told)
    document.optional(element, "email", told.get("email"))
    _add_carried_phone(document, element, told)
    _add_carried_contact(document, element, told.below("contact"))


def add_timeframe(document: Draft, customer: Node, told: Carried) -> None:
    """When the customer means to buy: in the document's words, or by a description and dates."""
    words, dates = told.get("description") or told.get(""), {}
    for name in ("earliestdate", "latestdate"):
        date = text.line(told.get(name) or "")
        if moment.is_date(date):
            dates[name] = date
        else:
            document.note(name.replace("date", "_date"), date)
    if not (words or dates):
        return
    if not dates and told.get("description") is None:
        document.leaf(customer, "timeframe", words)
        return
    timeframe = document.branch(customer, "timeframe")
    document.optional(timeframe, "description", words)
    for name, date in dates.items():
        document.leaf(timeframe, name, date)


def _add_url(document: Draft, parent: Node, told: Carried) -> None:
    url = text.line(told.get("url") or "")
    if is_web_link(url) and text.fits(url, VALUE_BYTES):
        document.optional(parent, "url", url)


def _add_carried_phone(document: Draft, parent: Node, told: Carried) -> None:
    number = text.line(told.get("phone") or "")
    if PHONE.fullmatch(number):
        kind, time = told.word("phone@type", PHONE_TYPES), told.word("phone@time", PHONE_TIMES)
        document.optional(parent, "phone", number, {"type": kind, "time": time})


def _add_carried_contact(document: Draft, parent: Node, told: Carried) -> None:
    """The provider's person, where the document told a name and a way to reach them."""
    name, email = text.line(told.get("name") or ""), text.line(told.get("email") or "")
    number = text.line(told.get("phone") or "")
    if name and (email or PHONE.fullmatch(number)):
        contact = document.branch(parent, "contact")
        document.leaf(contact, "name", name, {"part": "full"})
        document.optional(contact, "email", email)
        _add_carried_phone(document, contact, told)


def _add_names(document: Draft, contact: Node, customer: Customer) -> bool:
    name = customer.name
    if not _said(name) and customer.company:
        document.optional(contact, "name", customer.company.name, {"part": "full", "type": "business"})
        return len(contact) > 0
    parts = {"first": name.first, "middle": name.middle, "last": name.last, "suffix": name.suffix}
    if text.line(name.first or "") or text.line(name.last or ""):
        for part, value in parts.items():
            document.optional(contact, "name", value, {"part": part})
    else:
        document.optional(contact, "name", name.full, {"part": "full"})
    if customer.company:
        document.note("company", customer.company.name)
    return len(contact) > 0


def _said(name: Name) -> bool:
    return any(text.line(part or "") for part in (name.full, name.first, name.last))


def _emails(document: Draft, customer: Customer) -> list[tuple[str, Email]]:
    """Usable addresses, the primary first, each once."""
    found: dict[str, Email] = {}
    for email in sorted(customer.emails, key=lambda email: not email.primary):
        if address := text.line(email.address or ""):
            found.setdefault(address, email)
        else:
            document.note("as_given", email.raw, what=document.say("email"))
    return list(found.items())


def _phones(document: Draft, customer: Customer) -> list[tuple[str, Phone]]:
    """Numbers that can be dialled, each once. What was sent is kept where it is not a number."""
    found: dict[str, Phone] = {}
    for phone in customer.phones:
        extension = f" x{text.line(phone.extension)}" if phone.extension else ""
        number = document.dialled(phone.e164) if phone.e164 else text.line(phone.raw)
        if PHONE.fullmatch(number + extension):
            found.setdefault(number + extension, phone)
        elif PHONE.fullmatch(number):
            found.setdefault(number, phone)
            document.note("extension_of", phone.extension, number=number)
        else:
            document.note("as_given", phone.raw, what=document.say("phone"))
    return list(found.items())


def _phone_attributes(phone: Phone, *, preferred: bool) -> dict[str, str | None]:
    return {
        "type": None if phone.type == "unknown" else phone.type,
        "time": "nopreference" if phone.best_time == "no_preference" else phone.best_time,
        "preferredcontact": "1" if preferred else None,
    }


def _add_address(document: Draft, contact: Node, address: Address) -> None:
    if not _address_line(address):
        return
    element = document.branch(contact, "address", {"type": address.type})
    streets = [street for street in map(text.line, address.street) if street]
    if len(streets) > _STREET_LINES:
        streets[_STREET_LINES - 1 :] = [", ".join(streets[_STREET_LINES - 1 :])]
    for number, street in enumerate(streets or [""], start=1):
        document.leaf(element, "street", street, {"line": str(number)})
    document.optional(element, "apartment", address.apartment)
    document.optional(element, "city", address.city)
    document.optional(element, "regioncode", address.region)
    document.optional(element, "postalcode", address.postal_code)
    if address.country in COUNTRIES:
        document.optional(element, "country", address.country)
    else:
        document.note("as_given", address.country, what=document.say("country"))


def _address_line(address: Address) -> str:
    parts = (*address.street, address.apartment, address.postal_code, address.city, address.region)
    return ", ".join(filter(None, (text.line(part or "") for part in (*parts, address.country))))
