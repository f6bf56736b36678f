"""Inbound ADF, BDK's mails and letters, from the message off the queue to leads: by HTTP, queue and mail."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

MAIL = "message/rfc822"
XML = "application/xml; charset=utf-8"
EVENT = ["lead.received.v1"]
DOCUMENT = """<?xml version="1.0" encoding="utf-16"?><?ADF VERSION="1.0"?><adf>{prospects}</adf>"""
PROSPECT = """<prospect><id sequence="1" source="Cars">{id}</id>
<requestdate>2026-04-14T09:30:00-05:00</requestdate>
<vehicle interest="trade-in"><year>2015</year><make>Ford</make><model>F-150</model></vehicle>
<vehicle interest="buy" status="new"><year>2026</year><make>Ram</make><model>1500</model></vehicle>
<customer><contact><name part="full">{name}</name>
<phone type="cellphone">312 555 0148</phone></contact></customer>
{vendor}<provider><name>Cars</name></provider></prospect>"""
VENDOR = "<vendor><id>V-9</id><vendorname>Prairie</vendorname></vendor>"
NAMES = ("Zoë Rivers", "Jörg von Ahlen", "Ann Mills")


def document(*ids: str, vendor: str = VENDOR) -> bytes:
    prospects = (
        PROSPECT.format(id=id_, name=name, vendor=vendor) for id_, name in zip(ids, NAMES, strict=False)
    )
    return DOCUMENT.format(prospects="".join(prospects)).encode()


def mail(text: str, *attached: bytes, sender: str = "Cars <leads@cars.example>", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, "New lead", "<1@cars.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    for number, body in enumerate(attached):
        message.add_attachment(body, maintype="application", subtype="xml", filename=f"{number}.xml")
    return message.as_bytes()


async def place(workshop: Any, reference: str, source: str = "adf", account: str | None = None) -> None:
    """Map a reference of the source to the one dealer."""
    await workshop.map_dealer()
    spec = {"source": source, "account": account, "external_id": reference, "dealer": "prairie-motors"}
    await workshop.settings.put("Location", f"{source}-{reference}", spec, actor="test")


async def told(workshop: Any) -> dict[str, Any]:
    """The leads by their provider's or sender's id."""
    leads = [await workshop.lead(lead_id) for lead_id in await workshop.leads()]
    return {lead.ids[0].value: lead for lead in leads}


BROUGHT = [
    ("http", document("77", "78", "79"), XML, {"id": "raw-1"}),
    ("queue", document("77", "78", "79"), "application/xml", {"id": None}),
    ("queue-without-type", document("77", "78", "79"), None, {"id": None}),
    ("mail-body", mail(document("77", "78", "79").decode()), MAIL, {"id": "raw-1"}),
    (
        "mail-attachments",
        mail("Attached.", document("77", "78"), document("79").replace(NAMES[0].encode(), b"Ann Mills")),
        MAIL,
        {"id": "raw-1"},
    ),
]


@pytest.mark.parametrize(("way", "body", "content_type", "named"), BROUGHT, ids=[row[0] for row in BROUGHT])
async def test_several_prospects_are_several_leads(
    workshop: Any, message: Any, way: str, body: bytes, content_type: str | None, named: dict[str, Any]
) -> None:
    await place(workshop, "V-9")
    brought = message(body, source="adf", account="main", content_type=content_type, **named)
    await workshop.raw.handle([brought])
    leads = await told(workshop)
    assert {id_: lead.customer.name.full for id_, lead in leads.items()} == dict(
        zip(("77", "78", "79"), NAMES, strict=True)
    )
    for lead in leads.values():
        assert (lead.source, lead.account, lead.revision) == ("adf", "main", 1)
        assert [(one.source, one.sequence) for one in lead.ids] == [("Cars", 1), ("leadbus", 2)]
        assert [(one.interest, one.wanted) for one in lead.vehicles] == [("trade_in", False), ("buy", True)]
        assert lead.customer.phones[0].e164 == "+13125550148"
        assert lead.dealer.dealer_id == "prairie-motors"
    assert [event.type for event in await workshop.published()] == EVENT * 3

    # Told again, as a sender without an answer does: nothing comes of it.
    await workshop.raw.handle([brought])
    assert (await workshop.leads()) == dict.fromkeys((lead.lead_id for lead in leads.values()), 1)
    assert len(await workshop.published()) == 3


async def test_one_prospect_that_cannot_be_placed_costs_the_others_nothing(
    workshop: Any, message: Any
) -> None:
    await place(workshop, "V-9")
    body = document("77", "78", "79").replace(b"<id>V-9</id>", b"<id>V-10</id>", 1)
    await workshop.raw.handle([message(mail(body.decode()), source="adf", content_type=MAIL)])
    assert set(await told(workshop)) == {"78", "79"}
    assert await workshop.reasons() == ["location_unmapped"]
    await place(workshop, "V-10")
    assert await workshop.quarantining.release_mapped() == 1
    assert set(await told(workshop)) == {"77", "78", "79"}


async def test_the_way_tells_the_dealer_also_when_it_is_read_again(
    workshop: Any, message: Any, operator: Any
) -> None:
    body = mail(document("77", "78", vendor="").decode())
    brought = message(body, source="adf", account="prairie", content_type=MAIL, location="D-1")
    await workshop.raw.handle([brought])
    assert await workshop.reasons() == ["location_unmapped"] * 2
    assert {row["location"] for row in await workshop.quarantined()} == {"D-1"}
    await place(workshop, "D-1", account="prairie")
    assert await workshop.quarantining.release_mapped() == 2
    leads = await told(workshop)
    assert set(leads) == {"77", "78"}
    for row in await workshop.fetch("SELECT raw_key FROM raw"):
        assert (await workshop.quarantining.replay_raw(row["raw_key"], operator)).change == "unchanged"


async def test_without_a_reference_the_account_is_it(workshop: Any, message: Any) -> None:
    await place(workshop, "prairie-key", account="prairie-key")
    await workshop.raw.handle(
        [message(document("77", vendor=""), source="adf", account="prairie-key", content_type=XML)]
    )
    assert set(await told(workshop)) == {"77"}


async def test_a_letter_is_a_lead_only_where_the_way_says_so(workshop: Any, message: Any) -> None:
    await place(workshop, "D-1")
    letter = mail("Is the Ram still there?", sender="Zoe Rivers <zoe@example.org>")
    sent = {"source": "adf", "content_type": MAIL, "location": "D-1"}
    await workshop.raw.handle([message(letter, "1", **sent)])
    assert (await workshop.leads(), await workshop.reasons()) == ({}, ["not_a_lead"])
    await workshop.raw.handle([message(letter, "2", **sent, letters="true")])
    lead = await workshop.lead()
    assert (lead.channel, lead.message, lead.customer.name.last) == (
        "email",
        "Is the Ram still there?",
        "Rivers",
    )
    # The same letter by another server is the same lead: its Message-ID says so.
    await workshop.raw.handle([message(b"Received: by x; y\r\n" + letter, "3", **sent, letters="true")])
    assert list((await workshop.leads()).values()) == [1]


@pytest.mark.parametrize("source", ["adf", "bdk"])
async def test_a_bounce_makes_no_leads_of_what_it_brings_back(
    workshop: Any, message: Any, source: str
) -> None:
    await place(workshop, "V-9", source)
    bounce = mail(document("77", "78").decode(), Auto_Submitted="auto-replied")
    await workshop.raw.handle([message(bounce, source=source, content_type=MAIL, letters="true")])
    assert (await workshop.leads(), await workshop.reasons()) == ({}, ["not_a_lead"])


async def test_bdks_mails_are_leads(workshop: Any, message: Any) -> None:
    await place(workshop, "0047110", "bdk")
    text = "Lead-ID: LS-77\nPartnernummer: 0047110\nName: Jördis von Ahlen\nTelefon: 0431 5550148\n"
    sent = {"source": "bdk", "account": "bank", "content_type": MAIL}
    body = mail(text, sender="juhu.auto <noreply@juhu.auto>", X_Subject="x")
    await workshop.raw.handle([message(body.replace(b"New lead", b"juhu.auto Probefahrt"), **sent)])
    lead = await workshop.lead()
    assert (lead.source_type, lead.ids[0].value, lead.customer.name.last) == ("1b", "LS-77", "von Ahlen")

    # By the API it is the same lead, where both came through one account.
    by_api = {
        "leadId": "LS-77",
        "partnerNumber": "0047110",
        "bdkLeadTypeId": "1b",
        "customer": {"email": "joerdis@example.org"},
    }
    await workshop.raw.handle([message(by_api, "2", source="bdk", account="bank")])
    lead = await workshop.lead()
    assert (lead.revision, lead.customer.emails[0].address) == (2, "joerdis@example.org")
    assert lead.customer.name.last == "von Ahlen"


async def test_a_mail_of_nobody_who_sends_leads(workshop: Any, message: Any) -> None:
    await workshop.raw.handle([message(mail("Hallo"), source="bdk", content_type=MAIL)])
    assert await workshop.reasons() == ["not_a_lead"]
