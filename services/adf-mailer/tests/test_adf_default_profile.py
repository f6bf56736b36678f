"""PF1–PF34: every point of the form that most receivers parse, on the bytes of mails in the default form.

A row holds for every golden lead, smooth or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any, NamedTuple

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import Route
from leadbus.contracts import Lead
from lxml import etree

GOLDEN = ["chat", "click_for_call_back", "text_to_chat", "tracked_call", "rich"]
OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def written(lead: Lead, route: Route) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    )


class Sent(NamedTuple):
    """What a receiver has of a lead's mail."""

    lead: Lead
    raw: bytes

    @property
    def head(self) -> list[bytes]:
        return self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def prospect(self) -> Any:
        return etree.fromstring(self.body)[0]


def plain_text(sent: Sent) -> None:
    assert b"Content-Type: text/plain; charset=us-ascii" in sent.head
    assert b"multipart" not in sent.raw
    assert b"Content-Disposition" not in sent.raw


def seven_bit(sent: Sent) -> None:
    assert b"Content-Transfer-Encoding: 7bit" in sent.head
    assert sent.raw.isascii()
    assert b"=3D" not in sent.body


def line_ends(sent: Sent) -> None:
    assert sent.raw.endswith(b"</adf>\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", sent.raw)


def line_lengths(sent: Sent) -> None:
    assert max(map(len, sent.raw.split(b"\r\n"))) <= 998


def wrapped_at_spaces(sent: Sent) -> None:
    """Every word of the message is there whole."""
    words = (sent.prospect.findtext("customer/comments") or "").split()
    assert set((sent.lead.message or "").split()) <= set(words)


def declaration(sent: Sent) -> None:
    assert sent.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\r\n')


def instruction(sent: Sent) -> None:
    assert sent.body.split(b"\r\n")[1:3] == [b'<?adf version="1.0"?>', b"<adf>"]


def alone(sent: Sent) -> None:
    """Nothing but the document, and in it one lead."""
    root = etree.fromstring(sent.body)
    assert (root.tag, len(root), root.items()) == ("adf", 1, [])
    assert b"<!DOCTYPE" not in sent.body
    assert b"xmlns" not in sent.body


def order(sent: Sent) -> None:
    assert validation.problems(sent.body) == []


def status(sent: Sent) -> None:
    assert b'\r\n  <prospect status="new">\r\n' in sent.body


def own_id_last(sent: Sent) -> None:
    chain = [(one.get("source"), one.text) for one in sent.prospect.findall("id")]
    assert chain[-1] == ("leadbus", str(sent.lead.lead_id))
    assert [source for source, _ in chain].count("leadbus") == 1
    assert chain[:-1] == [(one.source, one.value) for one in sent.lead.ids if one.source != "leadbus"]


def hops(sent: Sent) -> None:
    assert [one.get("sequence") for one in sent.prospect.findall("id")] == [
        str(number) for number in range(1, len(sent.lead.ids) + 1)
    ]


def moment(sent: Sent) -> None:
    """The dealer's wall clock (Chicago in April) with its offset, to the second, never `Z`."""
    told = sent.prospect.findtext("requestdate")
    assert OFFSET.fullmatch(told)
    assert told.endswith("-05:00")
    at = sent.lead.occurred_at or sent.lead.received_at
    assert datetime.fromisoformat(told) == at.replace(microsecond=0)


def interest(sent: Sent) -> None:
    told = [one.get("interest") for one in sent.prospect.findall("vehicle")]
    assert told
    assert set(told) <= {"buy", "lease", "sell", "trade-in", "test-drive"}


def vehicle_status(sent: Sent) -> None:
    vehicles = sorted(sent.lead.vehicles, key=lambda one: not one.wanted)
    told = [one.get("status") for one in sent.prospect.findall("vehicle")]
    assert set(told) <= {"new", "used"}
    assert told == ([one.status for one in vehicles] or ["new"])


def year_make_model(sent: Sent) -> None:
    for vehicle in sent.prospect.findall("vehicle"):
        assert [child.tag for child in vehicle][:3] == ["year", "make", "model"]


def names(sent: Sent) -> None:
    told = {one.get("part"): one.text for one in sent.prospect.findall("customer/contact/name")}
    name = sent.lead.customer.name
    if name.first and name.last:
        assert told == {"first": name.first, "last": name.last}
    else:
        assert list(told) == ["full"]


def contact_then_comments(sent: Sent) -> None:
    assert [child.tag for child in sent.prospect.find("customer")] == ["contact", "comments"]


def reachable(sent: Sent) -> None:
    """The primary e-mail before the phones, and one e-mail at most: both DTDs of ADF take that."""
    ways = [one.tag for one in sent.prospect.find("customer/contact") if one.tag in ("email", "phone")]
    assert ways
    assert "email" not in ways[1:]


def vendor(sent: Sent) -> None:
    assert sent.prospect.findtext("vendor/vendorname") == sent.lead.dealer.name
    contact = sent.prospect.find("vendor/contact")
    assert [contact[0].tag, contact[0].get("part")] == ["name", "full"]
    assert contact.find("email") is not None or contact.find("phone") is not None


def provider_name(sent: Sent) -> None:
    assert b'\r\n      <name part="full" type="business">ContactAtOnce!</name>\r\n' in sent.body


def provider_service(sent: Sent) -> None:
    assert f"\r\n      <service>{sent.lead.source_type}</service>\r\n".encode() in sent.body


def entities(sent: Sent) -> None:
    assert b"CDATA" not in sent.body
    assert not re.search(rb"&(?!(?:amp|lt|gt|quot|#\d+);)", sent.body)


def no_html(sent: Sent) -> None:
    assert not re.search(rb"(?:<|&lt;)(?:br|p|div)\b", sent.body, re.IGNORECASE)


def no_extensions(sent: Sent) -> None:
    assert not {one.tag for one in etree.fromstring(sent.body).iter()} & {"leadtype", "language", "comment"}


def no_machine_readable_quoting(sent: Sent) -> None:
    assert b"quoted-printable" not in sent.raw
    assert b"base64" not in sent.raw


def subject_says_who(sent: Sent) -> None:
    told = message_from_bytes(sent.raw, policy=policy.default)["Subject"]
    assert told.startswith(sent.lead.dealer.name)
    assert f"ContactAtOnce! {sent.lead.source_type}" in told
    assert told.endswith(sent.lead.ids[0].value)


def sender_is_ours(sent: Sent) -> None:
    message = message_from_bytes(sent.raw, policy=policy.default)
    assert [one.addr_spec for one in message["From"].addresses] == ["leads@leadbus.example"]
    assert message["Reply-To"] is None
    assert message["Sender"] is None


POINTS = [
    pytest.param(plain_text, id="PF1-text-plain-us-ascii-and-no-part"),
    pytest.param(seven_bit, id="PF2-seven-bit"),
    pytest.param(no_machine_readable_quoting, id="PF3-never-quoted-printable-or-base64"),
    pytest.param(line_ends, id="PF4-crlf"),
    pytest.param(line_lengths, id="PF5-lines-of-at-most-998-bytes"),
    pytest.param(wrapped_at_spaces, id="PF6-comments-are-wrapped-at-spaces"),
    pytest.param(declaration, id="PF7-xml-declaration"),
    pytest.param(instruction, id="PF8-adf-instruction"),
    pytest.param(alone, id="PF9-the-document-is-all-there-is"),
    pytest.param(order, id="PF10-dtd-order"),
    pytest.param(status, id="PF11-prospect-status-is-written"),
    pytest.param(own_id_last, id="PF12-our-id-after-those-before-us"),
    pytest.param(hops, id="PF13-id-sequence-and-source"),
    pytest.param(moment, id="PF14-requestdate"),
    pytest.param(interest, id="PF15-vehicle-interest-always"),
    pytest.param(vehicle_status, id="PF16-vehicle-status-always"),
    pytest.param(year_make_model, id="PF17-year-make-model-always"),
    pytest.param(names, id="PF18-first-and-last-name-else-full"),
    pytest.param(contact_then_comments, id="PF19-contact-then-comments"),
    pytest.param(reachable, id="PF20-email-then-phones"),
    pytest.param(vendor, id="PF21-vendorname-and-contact"),
    pytest.param(provider_name, id="PF22-provider-name"),
    pytest.param(provider_service, id="PF23-provider-service"),
    pytest.param(entities, id="PF24-entities-not-cdata"),
    pytest.param(no_html, id="PF25-no-br"),
    pytest.param(no_extensions, id="PF26-nothing-but-adf"),
    pytest.param(subject_says_who, id="PF27-subject-says-dealer-provider-lead"),
    pytest.param(sender_is_ours, id="PF28-sender-is-ours"),
]


@pytest.mark.parametrize("kind", GOLDEN)
@pytest.mark.parametrize("holds", POINTS)
def test_the_default_form(
    holds: Callable[[Sent], None],
    kind: str,
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
) -> None:
    lead = golden_lead(kind)
    holds(Sent(lead, written(lead, make_route()).mail.raw))


@pytest.mark.parametrize(
    ("vehicle", "attributes"),
    [
        pytest.param(
            {"interest": "trade_in"},
            {"interest": "trade-in", "status": "used"},
            id="PF29-trade-in-of-unknown-status",
        ),
        pytest.param(
            {"interest": "sell"}, {"interest": "sell", "status": "used"}, id="PF30-sale-of-unknown-status"
        ),
        pytest.param(
            {"wanted": True}, {"interest": "buy", "status": "new"}, id="PF31-wanted-of-unknown-status"
        ),
        pytest.param(
            {"wanted": True, "status": "used"}, {"interest": "buy", "status": "used"}, id="PF32-wanted-used"
        ),
        pytest.param(
            {"interest": "trade_in", "status": "new"}, {"interest": "trade-in", "status": "new"}, id="PF33"
        ),
    ],
)
def test_the_status_of_a_vehicle_is_always_written(
    vehicle: dict[str, Any],
    attributes: dict[str, str],
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
) -> None:
    lead = golden_lead(vehicles=[vehicle])
    assert (
        dict(Sent(lead, written(lead, make_route()).mail.raw).prospect.find("vehicle").attrib) == attributes
    )


def test_pf34_provider_url_of_a_lead_that_came_as_adf(
    golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    extras = {"provider.name": "Cars", "provider.url": "https://cars.example/"}
    lead = golden_lead(source="adf", source_type="e Price", extras=extras)
    provider = Sent(lead, written(lead, make_route()).mail.raw).prospect.find("provider")
    assert [(one.tag, one.text) for one in provider] == [
        ("name", "Cars"),
        ("service", "e Price"),
        ("url", "https://cars.example/"),
    ]
    assert dict(provider[0].attrib) == {"part": "full", "type": "business"}
