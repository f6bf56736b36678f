"""P1–P9: whatever a lead holds, the mail is one that every receiver can parse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any, get_args
from uuid import UUID

import pytest
from adf_mailer.domain import text, validation
from adf_mailer.domain.document import Document, Form, render
from adf_mailer.domain.fixed_texts import LANGUAGES
from adf_mailer.domain.letter import delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, compose
from adf_mailer.domain.route import AdfRoute, Route
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus.contracts import Lead
from leadbus.contracts.vocabulary import Channel, Interest, PhoneType, PriceKind, VehicleStatus
from lxml import etree
from pydantic import ValidationError

# Everything Python can hold but NUL, which the contract refuses; surrogates cannot arrive through JSON.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
NASTY = st.sampled_from(
    [
        *("\r\nBcc: x@evil.example", "=?utf-8?q?=0D=0ABcc:x?=", "]]>", "<!--", "&#0;", "\x0b\x1f\ufffe", "."),
        *("https://t.example/" + "u" * 1500, "車" * 700, "a" * 1200, "", " ", '"', "\u202e", "😀"),
    ]
)
TEXT = st.one_of(st.text(CHARACTERS, max_size=40), NASTY, st.tuples(NASTY, NASTY).map("".join))
MAYBE = st.none() | TEXT
MOMENT = st.datetimes(timezones=st.sampled_from([UTC])).map(datetime.isoformat)
PHONE = st.fixed_dictionaries(
    {"raw": TEXT, "type": st.sampled_from(get_args(PhoneType)), "primary": st.booleans()},
    optional={"e164": st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True) | MAYBE, "extension": MAYBE},
)
PRICE = st.fixed_dictionaries(
    {"kind": st.sampled_from(get_args(PriceKind))},
    optional={
        "amount": st.decimals(allow_nan=False, allow_infinity=False).map(str),
        "currency": st.just("USD"),
    },
)
VEHICLE = st.fixed_dictionaries(
    {
        "interest": st.sampled_from(get_args(Interest)),
        "status": st.sampled_from(get_args(VehicleStatus)),
    },
    optional={
        **dict.fromkeys(("year", "make", "model", "trim", "body", "stock", "transmission"), MAYBE),
        **dict.fromkeys(("url", "image", "comments", "vin_warning"), MAYBE),
        "vin": st.just("1M8GDM9AXKP042788"),
        "odometer": st.fixed_dictionaries({"value": st.integers(0, 10**30)}),
        "colours": st.lists(st.fixed_dictionaries({}, optional={"exterior": TEXT, "interior": TEXT})),
        "prices": st.lists(PRICE, max_size=3),
        "options": st.lists(st.fixed_dictionaries({"name": TEXT}, optional={"price": PRICE}), max_size=2),
    },
)
ADDRESS = st.fixed_dictionaries(
    {"street": st.lists(TEXT, max_size=7)},
    optional={"city": TEXT, "region": TEXT, "postal_code": TEXT, "country": st.just("US"), "apartment": TEXT},
)
CUSTOMER = st.fixed_dictionaries(
    {},
    optional={
        "name": st.fixed_dictionaries({}, optional=dict.fromkeys(("full", "first", "middle", "last"), TEXT)),
        "type": st.sampled_from(["person", "business"]),
        "company": st.fixed_dictionaries({}, optional={"name": TEXT}),
        "emails": st.lists(
            st.fixed_dictionaries({"raw": TEXT}, optional={"address": MAYBE, "primary": st.booleans()}),
            max_size=3,
        ),
        "phones": st.lists(PHONE, max_size=3),
        "addresses": st.lists(ADDRESS, max_size=2),
    },
)
LEAD = st.fixed_dictionaries(
    {
        "lead_id": st.uuids().map(str),
        "revision": st.integers(1, 9),
        "source": st.just("contactatonce"),
        "account": st.just("a"),
        "source_type": TEXT,
        "channel": st.sampled_from(get_args(Channel)),
        "received_at": MOMENT,
        "dealer": st.fixed_dictionaries(
            {"dealer_id": st.just("d"), "name": TEXT},
            optional={
                "contact": TEXT,
                "phone": TEXT,
                "email": TEXT,
                "address": ADDRESS,
                "time_zone": st.sampled_from(["America/Chicago", "Asia/Kathmandu", "No/Where", ""]),
            },
        ),
    },
    optional={
        "ids": st.lists(
            st.fixed_dictionaries(
                {"source": TEXT, "value": TEXT.filter(bool)}, optional={"sequence": st.integers(0, 10**12)}
            ),
            max_size=3,
        ),
        "occurred_at": MOMENT,
        "customer": CUSTOMER,
        "vehicles": st.lists(VEHICLE, max_size=2),
        "message": TEXT,
        "subject": TEXT,
        "transcript": st.lists(
            st.fixed_dictionaries({"speaker": st.just("agent"), "text": TEXT}, optional={"name": TEXT}),
            max_size=3,
        ),
        "call": st.fixed_dictionaries({}, optional={"recording_url": TEXT, "tracking_number": TEXT}),
        "finance": st.fixed_dictionaries(
            {"product": st.sampled_from(["cash", "financing", "leasing", "unknown"])},
            optional={"monthly": st.decimals(allow_nan=False, allow_infinity=False).map(str)},
        ),
        "extras": st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("lead_source", "vehicles.0.vin", "vehicles", "customer.phone", "call.recording_url"), TEXT
            ),
        ),
    },
)
SPEC = st.fixed_dictionaries(
    {"dealer": st.just("d"), "address": st.just("leads@x.example")},
    optional={
        "subject": st.sampled_from(["{dealer_name} {vehicle}", "{provider}{service}{lead_ref}"]),
        "missing_name": st.sampled_from(["contact", "empty"]),
    },
)
NAMES = {
    *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"),
    *("Content-Transfer-Encoding", "Auto-Submitted", "X-Leadbus-Lead", "X-Leadbus-Revision"),
}

relaxed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(LEAD, SPEC)
def test_any_lead_is_a_valid_safe_and_true_mail(told: dict[str, Any], spec: dict[str, Any]) -> None:
    lead, route = Lead.model_validate(told), Route("r", AdfRoute.model_validate(spec))
    written = write(
        lead,
        route,
        status="new",
        date=datetime(2026, 1, 1, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    )
    raw = written.mail.raw

    # P1: SMTP can carry it as it is.
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in raw.split(b"\r\n"))

    # P2: exactly our headers, one sender, one recipient.
    message = message_from_bytes(raw, policy=policy.default)
    assert set(message.keys()) == NAMES
    assert len(message.keys()) == len(NAMES)
    assert [one.addr_spec for one in message["From"].addresses] == ["leads@leadbus.example"]
    assert [one.addr_spec for one in message["To"].addresses] == ["leads@x.example"]

    # P3: the body is valid in both layers, and was not degraded to become so.
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert validation.problems(body) == []
    assert "degraded" not in {warning.code for warning in written.warnings}

    # P4: it says what the lead says.
    prospect = etree.fromstring(body)[0]
    assert_says(prospect, lead)


def assert_says(prospect: Any, lead: Lead) -> None:
    def shown(told: str | None) -> str:
        return text.shorten(text.line(told or ""), 600)

    def at(path: str) -> str:
        return str(prospect.findtext(path) or "")

    assert prospect.findall("id")[-1].text is not None
    assert at("vendor/vendorname") == next(
        filter(None, map(shown, (lead.dealer.name, lead.dealer.dealer_id)))
    )
    assert at("provider/name") == "ContactAtOnce!"
    assert at("provider/service") == shown(lead.source_type)
    for vehicle, element in zip(lead.vehicles, prospect.findall("vehicle"), strict=False):
        for tag in ("year", "make", "model", "trim", "stock"):
            assert (element.findtext(tag) or "") == shown(getattr(vehicle, tag))
    words = at("customer/comments").replace("\n", "").replace(" ", "")
    for phone in lead.customer.phones:
        if phone.e164 and phone.e164.startswith("+") and phone.e164[1:].isascii():
            numbers = " ".join(one.text for one in prospect.findall("customer/contact/phone"))
            assert phone.e164 in numbers or text.line(phone.raw).replace(" ", "")[:200] in words
    if "https://" not in (lead.message or ""):
        assert "".join(text.block(lead.message or "").split()) in "".join(words.split())


FORM = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(["body", "attachment", "both", "multipart"]),
        "mime_type": st.sampled_from(["text/plain", "application/xml", "application/x-adf+xml"]),
        "charset": st.sampled_from(["us-ascii", "utf-8"]),
        **dict.fromkeys(("cdata", "xml_declaration", "extensions"), st.booleans()),
        "phone_format": st.sampled_from(["e164", "national", "international"]),
        "unknown_status": st.sampled_from(["written", "left_out"]),
    },
)


@relaxed
@given(LEAD, FORM)
def test_p7_in_any_form_the_document_says_the_same(told: dict[str, Any], form: dict[str, Any]) -> None:
    lead = Lead.model_validate(told)

    def documents(form: dict[str, Any] | None) -> list[bytes]:
        spec = AdfRoute.model_validate({"dealer": "d", "address": "leads@x.example", "form": form})
        written = write(
            lead,
            Route("r", spec),
            status="new",
            date=datetime(2026, 1, 1, tzinfo=UTC),
            letterhead=Letterhead("leads@leadbus.example"),
            key="k",
        )
        raw = written.mail.raw
        assert raw.isascii()
        assert all(len(one) <= 998 and b"\n" not in one and b"\r" not in one for one in raw.split(b"\r\n"))
        assert "degraded" not in {warning.code for warning in written.warnings}
        message = message_from_bytes(raw, policy=policy.default)
        leaves = [part for part in message.walk() if not part.is_multipart()]
        assert not any(part.defects for part in (message, *leaves))
        contents = [part.get_payload(decode=True) for part in leaves]
        return [one for one in contents if isinstance(one, bytes) and b"<adf>" in one]

    found = documents(form)
    assert len(found) == (2 if form.get("layout") == "both" else 1)
    assert len(set(map(bytes.strip, found))) == 1
    assert validation.problems(found[0], extensions=form.get("extensions", False)) == []
    if form.get("phone_format", "e164") == "e164":
        (plain,) = documents({"unknown_status": form.get("unknown_status")})
        assert said(found[0]) == said(plain)


def said(document: bytes) -> list[tuple[str, str, dict[str, str]]]:
    """Every element of ADF 1.0 with text and attributes."""
    return [
        (str(one.tag), "".join((one.text or "").split()), {str(k): str(v) for k, v in one.items()})
        for one in etree.fromstring(document).iter(etree.Element)
        if one.tag not in ("leadtype", "language")
    ]


@relaxed
@given(subject=st.text(), display=st.text())
def test_p5_any_words_in_subject_and_name_stay_there(subject: str, display: str) -> None:
    letter = Letter(
        from_address="leads@leadbus.example",
        from_display=display,
        to_address="leads@x.example",
        subject=subject,
        date=datetime(2026, 1, 1, tzinfo=UTC),
        message_id="<a@leadbus.example>",
        lead_id=UUID(int=1),
        revision=1,
    )
    message = message_from_bytes(compose(letter, b"<adf/>\n", encoded=False).raw, policy=policy.default)

    assert set(message.keys()) == NAMES
    assert len(message.keys()) == len(NAMES)
    assert message.get_payload() == "<adf/>\r\n"


@given(st.one_of(TEXT, st.text("a \t\u00a0\n", max_size=6)))
def test_p6_ordinary_text_becomes_a_line_as_any_other(value: str) -> None:
    line = " ".join(text.block(value).split())
    assert text.line(value) == text.line(line) == line


PATHS = (
    *("vehicle.id", "vehicle.id@source", "vehicle.doors", "vehicle.condition", "vehicle.odometer@status"),
    *("vehicle.imagetag@width", "vehicle.imagetag@alttext", "vehicle.price", "vehicle.price@delta"),
    *("vehicle.price@relativeto", "vehicle.price@source", "vehicle.price@currency", "vehicle.pricecomments"),
    *("vehicle.0.price.1", "vehicle.0.price.1@delta", "vehicle.1.doors", "vehicle.1@interest"),
    *("vehicles.0.options.0.stock", "vehicle.finance.method", "vehicle.finance.amount"),
    *("vehicle.finance.amount@limit", "vehicle.finance.balance", "vehicle.finance.balance@currency"),
    *("vehicle.1.finance.method", "vehicle.1.finance.amount", "customer.id", "customer.timeframe"),
    *("customer.timeframe.description", "customer.timeframe.earliestdate", "vendor.url", "provider.id"),
    *("provider.name", "provider.url", "provider.email", "provider.phone", "provider.phone@type"),
    *("provider.contact.name", "provider.contact.email", "provider.contact.phone"),
)
LEGAL = st.sampled_from(
    [
        "4",
        "good",
        "finance",
        "percentage",
        "invoice",
        "trade-in",
        "2026-05-01",
        "exact",
        "+13125550148",
        "EUR",
    ]
)
CARRIED = st.dictionaries(st.sampled_from(PATHS), LEGAL | TEXT | st.just("https://x.example/a"))
LANGUAGE = st.sampled_from([None, *LANGUAGES])


def rendered(told: dict[str, Any], language: Any) -> Document:
    document = render(Lead.model_validate(told), Form("leads@x.example", language=language))
    assert validation.problems(document.content) == []
    assert document.content.isascii()
    assert document.long_lines == any(len(line) > 998 for line in document.content.split(b"\n"))
    return document


@relaxed
@given(LEAD, CARRIED, LANGUAGE)
def test_p7_whatever_an_adf_document_told_beside_the_lead_the_document_is_valid(
    told: dict[str, Any], carried: dict[str, str], language: Any
) -> None:
    document = rendered(told | {"source": "adf", "extras": carried}, language)
    assert "degraded" not in {warning.code for warning in document.warnings}


@relaxed
@given(LEAD, LANGUAGE, st.sampled_from(["_full", "_plain"]))
def test_p8_a_degraded_document_is_valid_too(told: dict[str, Any], language: Any, last: str) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_full", "_plain")[: ("_full", "_plain").index(last) + 1]:
            patch.setattr(f"adf_mailer.domain.document.{name}", defect)
        document = rendered(told, language)
    lead, content = Lead.model_validate(told), document.content
    words = "".join(etree.fromstring(content)[0].findtext("customer/comments", "").split())

    assert ("degraded", "ZeroDivisionError") in {(one.code, one.field) for one in document.warnings}
    assert b'<vehicle interest="buy" status="' in content
    for phone in lead.customer.phones:
        assert "".join(text.line(phone.e164 or phone.raw).split())[:200] in words or "https://" in words


HOSTILE = {
    "control characters": "a\x00\x01\x0b\x1f\x7f\x9d\ufffe\uffff".replace("\x00", ""),
    "a lone CDATA end": "]]>",
    "an entity": "&xxe; &#0; &#xD800; &lt;!DOCTYPE adf [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    "markup": "</comments></customer><customer><contact><name>other</name></contact></customer><!--",
    "without a blank": "x" * 100_000,
    "without a blank, in references": "\u8eca" * 10_000,
    "one long link": "https://t.example/" + "u" * 100_000,
    "blanks alone": " \t\u00a0" * 1000,
    "right to left": "\u202e\u2066" * 500,
}


@pytest.mark.parametrize("words", list(HOSTILE.values()), ids=list(HOSTILE))
@pytest.mark.parametrize("source", ["contactatonce", "adf"])
def test_p9_hostile_words_in_every_place(words: str, source: str) -> None:
    told: dict[str, Any] = {
        "lead_id": str(UUID(int=1)),
        "revision": 1,
        "source": source,
        "account": words,
        "source_type": words,
        "channel": "form",
        "received_at": "2026-01-01T00:00:00Z",
        "dealer": {"dealer_id": words, "name": words, "contact": words, "phone": words, "email": words},
        "ids": [{"source": words, "value": words}],
        "customer": {
            "name": dict.fromkeys(("full", "first", "middle", "last", "suffix", "salutation"), words),
            "company": dict.fromkeys(("name", "kind", "sector"), words),
            "emails": [{"raw": words, "address": words}, {"raw": words}],
            "phones": [{"raw": words, "extension": words}],
            "addresses": [{"street": [words] * 6, "city": words}, {"city": words}],
        },
        "vehicles": [
            dict.fromkeys(("make", "model", "year", "trim", "stock", "url", "image", "comments"), words)
            | {"options": [{"name": words, "code": words}], "colours": [{"exterior": words}]}
        ],
        "subject": words,
        "message": words,
        "transcript": [{"speaker": "agent", "name": words, "text": words}],
        "call": {"recording_url": words, "tracking_number": words},
        "extras": dict.fromkeys((*PATHS, "lead_source", "customer", "vehicles.0.vin"), words),
    }
    document = rendered(told, None)
    prospect = etree.fromstring(document.content)[0]

    assert "degraded" not in {warning.code for warning in document.warnings}
    assert [child.tag for child in prospect].count("customer") == 1


def test_p9_a_lone_surrogate_comes_by_no_message_and_would_be_dropped(
    golden_lead: Callable[..., Lead],
) -> None:
    with pytest.raises(ValidationError):
        Lead.model_validate_json(golden_lead(message="MARK").to_json().replace(b"MARK", b"a\\ud800b"))
    document = render(golden_lead(message="a\ud800b"), Form("leads@x.example"))

    assert validation.problems(document.content) == []
    assert b"\nab\n" in document.content
