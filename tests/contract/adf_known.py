"""What comes back from an ADF document otherwise than it was sent: the RD rows, each with its reason.

The table for people is in `services/adf-mailer/rules/document.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

from adf_mailer.domain import money, text
from adf_mailer.domain.iso_codes import COUNTRIES, CURRENCIES
from adf_mailer.domain.party import PHONE
from leadbus.contracts.web_link import is_web_link
from normalizer.sources.adf.words import is_placeholder, is_template

from tests.contract.adf_facts import WORDS, Facts, says

_GIVEN_AWAY = ("trade_in", "sell")


@dataclass(frozen=True, slots=True)
class Known:
    """One thing that comes back otherwise; `fold` makes the same of what was sent, or of both."""

    id: str
    what: str
    reason: str
    fold: Callable[[Facts, Facts], None]


def _own_id(sent: Facts, back: Facts) -> None:
    if sent["_own_id"] not in sent["ids"]:
        sent["ids"].append(sent["_own_id"])


def _no_time(sent: Facts, back: Facts) -> None:
    sent["requestdate"] = sent["requestdate"] or sent["_received_at"]


def _no_service(sent: Facts, back: Facts) -> None:
    sent["service"] = sent["service"] or "ADF"


def _salutation(sent: Facts, back: Facts) -> None:
    sent["words"].append(sent["name"]["salutation"] or "")
    sent["name"]["salutation"] = ANY


def _full_name(sent: Facts, back: Facts) -> None:
    name = sent["name"]
    if name["first"] and name["last"]:
        parts = (name["first"], name["middle"], name["last"], name["suffix"])
        name["full"] = " ".join(filter(None, parts))


def _half_name(sent: Facts, back: Facts) -> None:
    name = sent["name"]
    if bool(name["first"]) != bool(name["last"]):
        whole = " ".join(filter(None, (name["first"] or name["last"],)))
        sent["name"] = dict.fromkeys(name, ANY) | {"full": whole}


def _whole_name(sent: Facts, back: Facts) -> None:
    name = sent["name"]
    if name is not ANY and not (name["first"] or name["last"]):
        name["first"] = name["last"] = name["middle"] = name["suffix"] = ANY


def _business(sent: Facts, back: Facts) -> None:
    """Of a business with a person the company stands in words; of one without, it is the name."""
    if any(sent["name"][part] for part in ("full", "first", "last")) and sent["company"]:
        sent["words"].append(sent["company"])
        sent["company"] = back["company"]


def _no_name(sent: Facts, back: Facts) -> None:
    if sent["name"] is not ANY and not sent["name"]["full"] and not sent["company"]:
        sent["name"] = ANY


def _unread_email(sent: Facts, back: Facts) -> None:
    sent["words"] += [raw for address, raw, _ in sent["emails"] if not text.line(address or "")]
    usable: dict[str, tuple[str, str, bool]] = {}
    for address, _, primary in sent["emails"]:
        if address:
            usable.setdefault(address, (address, address, primary))
    sent["emails"] = list(usable.values())


def _further_emails(sent: Facts, back: Facts) -> None:
    sent["words"] += [address for address, _, _ in sent["emails"][1:]]
    sent["emails"] = sent["emails"][:1]


def _unread_phone(sent: Facts, back: Facts) -> None:
    kept: dict[str, Facts] = {}
    for phone in sent["phones"]:
        extension = f" x{phone['extension']}" if phone["extension"] else ""
        if PHONE.fullmatch(phone["number"] + extension):
            kept.setdefault(phone["number"] + extension, phone)
        elif PHONE.fullmatch(phone["number"]):
            sent["words"].append(phone["extension"])
            kept.setdefault(phone["number"], phone | {"extension": None})
        else:
            sent["words"].append(phone["number"])
    sent["phones"] = list(kept.values())


def _phone_as_written(sent: Facts, back: Facts) -> None:
    """A number in E.164 is compared as that; another one by what was written."""
    for phone, heard in zip(sent["phones"], back["phones"], strict=False):
        if phone["e164"]:
            phone["number"] = ANY
        else:
            phone["e164"] = ANY
            extension = f" x{phone['extension']}" if phone["extension"] else ""
            phone["number"], phone["extension"] = phone["number"] + extension, heard["extension"]


def _phone_type(sent: Facts, back: Facts) -> None:
    for phone in sent["phones"]:
        phone["type"] = ANY if phone["type"] == "unknown" else phone["type"]


def _one_preferred(sent: Facts, back: Facts) -> None:
    ways = [*sent["emails"], *sent["phones"]]
    preferred = [one for one in ways if (one["primary"] if isinstance(one, dict) else one[2])]
    for phone in sent["phones"]:
        phone["primary"] = phone["primary"] and phone is preferred[0]


def _further_addresses(sent: Facts, back: Facts) -> None:
    for address in sent["addresses"][1:]:
        told = [value for name, value in address.items() if value and name not in ("street", "type")]
        sent["words"] += [*told, *address["street"]]
    sent["addresses"] = sent["addresses"][:1]


def _empty_address(sent: Facts, back: Facts) -> None:
    sent["addresses"] = [one for one in sent["addresses"] if _says_where(one)]


def _says_where(address: dict[str, Any]) -> bool:
    return any(value for name, value in address.items() if name != "type")


def _six_streets(sent: Facts, back: Facts) -> None:
    for address in sent["addresses"]:
        if len(address["street"]) > 5:
            address["street"][4:] = [", ".join(address["street"][4:])]


def _no_country(sent: Facts, back: Facts) -> None:
    for address in list(sent["addresses"]):
        if address["country"] and address["country"] not in COUNTRIES:
            sent["words"].append(address["country"])
            address["country"] = None
            if not _says_where(address):
                sent["addresses"].remove(address)


def _silent_vehicle(sent: Facts, back: Facts) -> None:
    for facts in (sent, back):
        facts["vehicles"] = [one for one in facts["vehicles"] if says(one)]


def _wanted_first(sent: Facts, back: Facts) -> None:
    sent["vehicles"].sort(key=lambda one: not one["wanted"])


def _wanted_told(sent: Facts, back: Facts) -> None:
    for vehicle in sent["vehicles"]:
        if vehicle["wanted"] and vehicle["interest"] in _GIVEN_AWAY:
            vehicle["wanted"] = False
    if not any(one["wanted"] for one in sent["vehicles"]):
        wanted = next((one for one in sent["vehicles"] if one["interest"] not in _GIVEN_AWAY), None)
        if wanted:
            wanted["wanted"] = True


def _status_as_written(sent: Facts, back: Facts) -> None:
    for vehicle in sent["vehicles"]:
        if vehicle["status"] == "unknown":
            vehicle["status"] = "used" if vehicle["interest"] in _GIVEN_AWAY else "new"


def _one_price(sent: Facts, back: Facts) -> None:
    for vehicle in sent["vehicles"]:
        placed = [one for one in vehicle["prices"] if one[0] != "unknown" and money.amount_text(one[1])]
        sent["words"] += [str(one[1]) for one in vehicle["prices"] if one not in placed[:1] and one[1]]
        vehicle["prices"] = placed[:1]
        for index, (name, code, weighting, price) in enumerate(vehicle["options"]):
            if price and not (price[0] != "unknown" and money.amount_text(price[1])):
                sent["words"].append(str(price[1]) if price[1] is not None else "")
                vehicle["options"][index] = (name, code, weighting, None)


def _no_currency(sent: Facts, back: Facts) -> None:
    def told(price: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if price is None or price[2] is None or price[2] in CURRENCIES:
            return price
        sent["words"].append(price[2])
        return (price[0], price[1], None)

    for vehicle in sent["vehicles"]:
        vehicle["prices"] = [told(one) for one in vehicle["prices"]]
        vehicle["options"] = [(*one[:3], told(one[3])) for one in vehicle["options"]]
    finance = sent["finance"]
    if finance and finance["currency"] not in (None, *CURRENCIES):
        sums = any(finance[name] is not None for name in ("down_payment", "monthly", "total"))
        sent["words"].append(finance["currency"] if sums else "")
        finance["currency"] = None


def _preference(sent: Facts, back: Facts) -> None:
    for vehicle in sent["vehicles"]:
        vehicle["colours"] = [
            (exterior, interior, preference or place)
            for place, (exterior, interior, preference) in enumerate(vehicle["colours"], start=1)
        ]


def _no_link(sent: Facts, back: Facts) -> None:
    for vehicle in sent["vehicles"]:
        for name in ("url", "image"):
            if vehicle[name] and not is_web_link(vehicle[name]):
                sent["words"].append(vehicle[name])
                vehicle[name] = None


def _vehicle_words(sent: Facts, back: Facts) -> None:
    """Page, doubts and the like stand below the words of a vehicle: they are looked for within."""
    for facts in (sent, back):
        for vehicle in facts["vehicles"]:
            if facts is sent:
                sent["words"] += vehicle["words"].split("\n")
            vehicle["words"] = ANY


def _no_finance(sent: Facts, back: Facts) -> None:
    finance = sent["finance"]
    if not finance:
        return
    sums = [finance[name] for name in ("down_payment", "monthly", "total") if finance[name] is not None]
    first = next(iter(sent["vehicles"]), None)
    given_away = first is not None and first["interest"] in _GIVEN_AWAY
    if finance["product"] in (None, "unknown") or not sums or given_away:
        sent["words"] += [money.amount_text(one) or "" for one in sums]
        sent["finance"] = None


def _call_words(sent: Facts, back: Facts) -> None:
    call = sent["call"]
    if not call:
        return
    if call["tracking_number"] and not PHONE.fullmatch(call["tracking_number"]):
        sent["words"].append(call["tracking_number"])
        call["tracking_number"] = None
    if not (call["recording_url"] or call["tracking_number"] or call["answered"] is not None):
        sent["words"].append(str(call["duration_seconds"] or ""))
        sent["call"] = None


def _source_or_provider(sent: Facts, back: Facts) -> None:
    sent["lead_source"] = sent["lead_source"] or sent["provider"]


def _words_for_nothing(sent: Facts, back: Facts) -> None:
    def told(value: Any) -> Any:
        return None if isinstance(value, str) and (is_placeholder(value) or is_template(value)) else value

    for vehicle in sent["vehicles"]:
        for name in (*WORDS, "url", "image"):
            vehicle[name] = told(vehicle[name])
    for address in sent["addresses"]:
        address |= {name: told(value) for name, value in address.items() if name != "street"}
        address["street"] = [line for line in address["street"] if told(line)]


def _cut(sent: Facts, back: Facts) -> None:
    sent["words"] += [part for hop in sent["ids"] for part in hop]
    sent["ids"] = [(text.shorten(source, 120), text.shorten(value, 600)) for source, value in sent["ids"]]
    for vehicle in sent["vehicles"]:
        for name in WORDS:
            vehicle[name] = vehicle[name] and text.shorten(vehicle[name], 600)


KNOWN: tuple[Known, ...] = (
    Known("RD1", "our id", "a lead without it is given it: the last hop", _own_id),
    Known("RD2", "no time told", "ADF wants one: when it came to us", _no_time),
    Known("RD3", "no type told", "a lead without service is of type `ADF`", _no_service),
    Known("RD4", "company of a person", "CRMs take a second name for the customer's: in words", _business),
    Known("RD5", "salutation", "no part of a name in ADF: in words", _salutation),
    Known("RD6", "full name beside its parts", "parts alone are written: joined again", _full_name),
    Known("RD7", "first or last name alone", "read as a whole name, and split", _half_name),
    Known("RD8", "a whole name", "split by its reader", _whole_name),
    Known("RD9", "no name", "by the route: phone or e-mail, or nothing", _no_name),
    Known("RD10", "e-mail that is none, or told twice", "in words; once", _unread_email),
    Known("RD11", "further e-mails", "the printed DTD has room for one: in words", _further_emails),
    Known("RD12", "number nobody can dial, or told twice", "in words; once", _unread_phone),
    Known("RD13", "number without E.164", "as it was written, extension and all", _phone_as_written),
    Known("RD14", "unknown kind of line", "ADF's default is `voice`", _phone_type),
    Known("RD15", "several preferred ways", "one is preferred, the first", _one_preferred),
    Known("RD16", "further addresses", "a contact has one: in words", _further_addresses),
    Known("RD17", "address that says nothing", "not written", _empty_address),
    Known("RD18", "more than five street lines", "the fifth holds the rest", _six_streets),
    Known("RD19", "country that ISO 3166 has not", "in words", _no_country),
    Known("RD20", "link that is no web address", "in words, so that nobody is led to it", _no_link),
    Known(
        "RD21", "word for nothing (`NA`), unfilled template", "read as nothing, and kept", _words_for_nothing
    ),
    Known("RD22", "wanted vehicle not first", "it is written first: some read no further", _wanted_first),
    Known("RD23", "nobody said which is wanted", "the first that is not given away", _wanted_told),
    Known(
        "RD24",
        "new or used unknown",
        "written: `used` of a vehicle given away, else ADF's default `new`",
        _status_as_written,
    ),
    Known("RD25", "further prices, prices of no kind", "one `<price>`: in `<pricecomments>`", _one_price),
    Known("RD26", "currency that ISO 4217 has not", "in words", _no_currency),
    Known("RD27", "colour without preference", "ADF wants one: its place", _preference),
    Known("RD28", "finance without method or sum, or of no wanted vehicle", "in words", _no_finance),
    Known(
        "RD29", "vehicle that says nothing", "ADF wants one vehicle: an empty one is none", _silent_vehicle
    ),
    Known("RD30", "remarks on a vehicle", "with page and doubts below them", _vehicle_words),
    Known(
        "RD31", "call of which only the length is known", "in words: a line that means no call", _call_words
    ),
    Known("RD32", "no site told", "the provider is the source", _source_or_provider),
    Known("RD33", "value over 600 bytes, attribute over 120", "cut with a mark, whole in words", _cut),
)
