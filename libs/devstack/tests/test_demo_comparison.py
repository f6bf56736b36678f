"""The demo's verdict: a mail that says the same passes, and every single lie is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus_devstack.demo.comparison import compare
from leadbus_devstack.demo.contactatonce import leads
from leadbus_devstack.demo.lead import DemoLead
from leadbus_devstack.demo.prospect import NotAdfError, parse_adf
from leadbus_devstack.smtp import Mailbox, StoredMail

NOW = datetime(2026, 4, 14, 17, 0, tzinfo=UTC)

CHAT = """\
From: "ContactAtOnce!" <leads@leadbus.example>
To: prairiemotors@eleadtrack.example
Message-ID: <1@leadbus.example>
Content-Type: text/plain; charset=us-ascii

<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf>
  <prospect status="new">
    <id sequence="1" source="ContactAtOnce!">CAO-88120977</id>
    <id sequence="2" source="ContactAtOnce! conversation_id">IM-7741203</id>
    <id sequence="3" source="leadbus">3d8793d4-7aa1-5642-b9bf-70b70d8a7ed2</id>
    <requestdate>2026-04-14T11:56:00-05:00</requestdate>
    <vehicle interest="buy" status="new">
      <year>2026</year><make>Honda</make><model>CR-V</model><trim>EX-L</trim>
    </vehicle>
    <customer>
      <contact>
        <name part="first">Jos&#233;</name>
        <name part="last">N&#250;&#241;ez</name>
        <email preferredcontact="1">jose.nunez@example.net</email>
        <phone>+13125550191</phone>
      </contact>
      <comments>Lead source: autos.example

Transcript:
[11:53:00] System: Jos&#233; joined from autos.example
[11:53:00] Customer (Jos&#233;): Hi! Do you have the CR-V in blue?
[11:54:00] Agent (Marcy): Two, both EX-L. May I have an e-mail to send pictures to?
[11:55:00] Customer (Jos&#233;): jose.nunez@example.net &#8211; and what is my &lt;2019&gt; Civic worth
&amp; can I trade it in?
[11:56:00] Agent (Marcy): Gladly. A colleague will write within the hour.</comments>
    </customer>
    <vendor><vendorname>Prairie Motors</vendorname></vendor>
    <provider><name part="full">ContactAtOnce!</name><service>Chat</service></provider>
  </prospect>
</adf>
"""

CALL = """\
From: "ContactAtOnce!" <leads@leadbus.example>
To: leads@autohaus-hoffmann.dealercrm.example
Message-ID: <2@leadbus.example>
Content-Type: text/plain; charset=us-ascii

<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf>
  <prospect>
    <id sequence="1" source="ContactAtOnce!">CAO-88121733</id>
    <id sequence="2" source="ContactAtOnce! call_id">C-5519381</id>
    <requestdate>2026-04-14T18:51:00+02:00</requestdate>
    <vehicle interest="buy" status="used">
      <year>2023</year><make>Volkswagen</make><model>ID.4</model><trim>Pro</trim>
    </vehicle>
    <customer>
      <contact>
        <name part="full">Katharina Brandt</name>
        <phone>+493090182030</phone>
      </contact>
      <comments>Leadquelle: autos.example
Call recording: https://calls.contactatonce.example/audio/C-5519381?sig=4f9a1c&amp;exp=1798761600
Anrufdauer: 187 Sek.
Number called: +49 30 56795801</comments>
    </customer>
    <vendor><vendorname>Autohaus Hoffmann</vendorname></vendor>
    <provider><name part="full">ContactAtOnce!</name><service>TrackedCall</service></provider>
  </prospect>
</adf>
"""


def lead_of(lead_type: str) -> DemoLead:
    return next(lead for lead in leads(NOW) if lead.kind == lead_type)


def received(folder: Path, text: str, *recipients: str) -> StoredMail:
    mailbox = Mailbox(folder)
    mailbox.clear()
    return mailbox.store(
        text.replace("\n", "\r\n").encode(),
        mail_from="leads@leadbus.example",
        rcpt_to=list(recipients) or [lead_of("Chat" if "Prairie" in text else "TrackedCall").address],
        helo="x",
    )


def differences(folder: Path, text: str, lead_type: str) -> list[str]:
    mail = received(folder, text)
    return [difference.field for difference in compare(lead_of(lead_type), mail, parse_adf(mail))]


@pytest.mark.parametrize(("text", "lead_type"), [(CHAT, "Chat"), (CALL, "TrackedCall")])
def test_a_faithful_mail_passes(tmp_path: Path, text: str, lead_type: str) -> None:
    assert differences(tmp_path, text, lead_type) == []


@pytest.mark.parametrize(
    ("told", "altered", "field"),
    [
        ("CAO-88120977", "CAO-88120978", "id of ContactAtOnce!"),
        ("IM-7741203", "IM-7741204", "id conversation_id"),
        ("11:56:00-05:00", "11:56:00-06:00", "requestdate"),
        ("<year>2026", "<year>2025", "vehicle 1 year"),
        ("<make>Honda", "<make>Hond", "vehicle 1 make"),
        ("<model>CR-V", "<model>HR-V", "vehicle 1 model"),
        ("<trim>EX-L</trim>", "", "vehicle 1 trim"),
        ('status="new">\n      <year>', 'status="used">\n      <year>', "vehicle 1 status"),
        ("N&#250;&#241;ez", "Nunez", "customer/contact/name"),
        ('<email preferredcontact="1">jose.nunez@example.net</email>', "", "customer/contact/email"),
        ("+13125550191", "+13125550192", "customer/contact/phone"),
        ("Lead source: autos.example", "Lead source: autos", "lead_source"),
        ("in blue?", "in red?", "transcript line 2"),
        ("Agent (Marcy): Two", "Customer (Marcy): Two", "transcript line 3"),
        ("&lt;2019&gt;", "2019", "transcript line 4"),
        ("Prairie Motors</vendorname>", "Prairie</vendorname>", "vendor/vendorname"),
        ("ContactAtOnce!</name>", "ContactAtOnce</name>", "provider/name"),
        ("<service>Chat", "<service>chat", "provider/service"),
        ("To: prairiemotors@", "To: prairie@", "header To"),
    ],
)
def test_every_lie_is_found(tmp_path: Path, told: str, altered: str, field: str) -> None:
    assert told in CHAT
    assert field in differences(tmp_path, CHAT.replace(told, altered, 1), "Chat")


def test_a_changed_recording_and_a_second_recipient_are_found(tmp_path: Path) -> None:
    assert "recording_url" in differences(tmp_path, CALL.replace("sig=4f9a1c", "sig=4f9a1d"), "TrackedCall")
    mail = received(tmp_path, CALL, lead_of("TrackedCall").address, "else@where.example")
    fields = [difference.field for difference in compare(lead_of("TrackedCall"), mail, parse_adf(mail))]
    assert fields == ["envelope recipients"]


def test_lines_out_of_order_are_found(tmp_path: Path) -> None:
    lines = CHAT.split("\n")
    first = next(index for index, line in enumerate(lines) if "Agent (Marcy): Two" in line)
    lines[first], lines[first - 1] = lines[first - 1], lines[first]
    assert differences(tmp_path, "\n".join(lines), "Chat")


@pytest.mark.parametrize(
    ("told", "altered", "why"),
    [
        ('<?adf version="1.0"?>\n', "", "does not begin"),
        ("</adf>", "", "not XML"),
        ("</prospect>\n</adf>", "</prospect><prospect/>\n</adf>", "not exactly one prospect"),
        ("<requestdate>2026-04-14T11:56:00-05:00</requestdate>", "<comments/>", "DTD's order"),
    ],
)
def test_what_is_no_adf_is_told(tmp_path: Path, told: str, altered: str, why: str) -> None:
    with pytest.raises(NotAdfError, match=why):
        parse_adf(received(tmp_path, CHAT.replace(told, altered)))


def test_the_xml_form_says_what_the_payload_says() -> None:
    assert b"<speaker>customer</speaker><name>Jos\xc3\xa9</name>" in lead_of("Chat").body


@pytest.mark.parametrize("kind", ["ClickForCallBack", "TextToChat", "TrackedCall"])
def test_a_payload_follows_the_published_contract(kind: str) -> None:
    ContactAtOnceLead.model_validate_json(lead_of(kind).body)
