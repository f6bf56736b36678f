"""Mails from a provider, a bank and a person to the dealer's mail; what bounces makes nothing."""

from __future__ import annotations

import asyncio
import secrets
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from leadbus_devstack.servers import Servers

from tests.e2e.house import House, running_stack, until

pytestmark = pytest.mark.timeout(300)

DEALER = "leads@prairie.example"
PROVIDERS, BANKS = "prairie-7f3k@in.example", "prairie-bank@in.example"
PROSPECT = """<prospect><id source="Cars">{id}</id>
<vehicle><year>2026</year><make>Ram</make><model>1500</model></vehicle>
<customer><contact><name part="full">{name}</name><email>{id}@example.org</email></contact></customer>
</prospect>"""


class Mailroom(House):
    """A dealer with two addresses for leads, and everything between."""

    async def set_up(self) -> None:
        """Two addresses, both of the one dealer, and where its leads go."""
        await self.put("normalizer", "Dealer", "prairie", name="Prairie Motors", country="US")
        for source in ("adf", "bdk"):
            await self.put(
                "normalizer", "Location", source, source=source, external_id="P-1", dealer="prairie"
            )
        await self.put("adf-mailer", "AdfRoute", "prairie", dealer="prairie", address=DEALER)
        await self.put(
            "ingest", "MailRecipient", "cars", address=PROVIDERS, location="P-1", plain_text_leads=True
        )
        await self.put("ingest", "MailRecipient", "bank", address=BANKS, source="bdk", location="P-1")

    async def bring(self, recipient: str, mail: bytes, sender: str = "sender@example.org") -> None:
        """As a mail server does; it is answered when the mail is stored."""

        def send() -> None:
            port = self.stack.mail_in_port
            assert port is not None
            with smtplib.SMTP("127.0.0.1", port, local_hostname="c.example", timeout=30) as client:
                client.sendmail(sender, [recipient], mail)

        await asyncio.to_thread(send)

    def everything(self) -> str:
        """All that the dealer's mail server has."""
        return "\n".join(mail.content.decode() for mail in self.stack.smtp.messages())


def written(text: str, sender: str = "Cars <leads@cars.example>", subject: str = "New lead") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = sender, subject
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.org>"
    mail.set_content(text)
    return mail


@pytest.fixture
def house(servers: Servers, worker_label: str, tmp_path: Path) -> Iterator[Mailroom]:
    with running_stack(servers, tmp_path, worker_label, takes_mail=True) as stack:
        yield Mailroom(stack)


async def test_mails_become_leads_and_what_bounces_does_not(house: Mailroom) -> None:
    await house.set_up()
    several = written("Attached.")
    prospects = PROSPECT.format(id="c1", name="Zoe Rivers") + PROSPECT.format(id="c2", name="Ann Mills")
    document = f"<adf>{prospects}</adf>".encode()
    several.add_attachment(document, maintype="application", subtype="xml", filename="lead.xml")
    await house.bring(PROVIDERS, several.as_bytes())
    await house.bring(PROVIDERS, several.as_bytes())
    await house.bring(PROVIDERS, written("Still there?", "Jo Park <jo@example.org>", "The Ram").as_bytes())
    of_bank = "Lead-ID: LS-1\nName: Ida Koch\nE-Mail: ida@example.org\n"
    await house.bring(BANKS, written(of_bank, "noreply@juhu.auto", "juhu.auto Probefahrt").as_bytes())

    await until(house.mailed(4))
    for name in ("Zoe", "Ann", "Jo", "Ida"):
        assert f">{name}<" in house.everything()
    assert {address for mail in house.stack.smtp.messages() for address in mail.rcpt_to} == {DEALER}
    leads = await house.items("normalizer", "/v1/leads")
    assert sorted((lead["source"], lead["account"]) for lead in leads) == [
        ("adf", "cars"),
        ("adf", "cars"),
        ("adf", "cars"),
        ("bdk", "bank"),
    ]

    # The dealer's server sends all of it back, as a bounce does: without a sender.
    for mail in house.stack.smtp.messages():
        await house.bring(PROVIDERS, mail.content, sender="")
    kept = await house.items("ingest", "/v1/quarantine")
    assert [entry["reason"] for entry in kept] == ["not_a_lead"] * len(house.stack.smtp.messages())
    # A lead that comes after them: whatever they would have made is before it.
    await house.bring(PROVIDERS, written("And now?", "Kim Lee <kim@example.org>", "The Ram").as_bytes())

    async def last_mailed() -> bool:
        return ">Kim<" in house.everything()

    await until(last_mailed)
    assert len(await house.items("normalizer", "/v1/leads")) == 5
