"""MT70 to MT72: a real mail server takes leads and gives some back. services/adf-mailer/rules/real-mta.md.

Postfix is adf-mailer's smart host, and hands its reports to adf-mailer. Behind it are its own mailboxes, a
host that knows nobody, and the stack's mail server, which refuses for as long as it is told to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from typing import Any

import httpx2
import pytest
from leadbus.contracts.examples import CONTACTATONCE
from leadbus_devstack import private_servers
from leadbus_devstack.certificates import CertificateAuthority
from leadbus_devstack.postfix import HOST_NAME, NativePostfix, To
from leadbus_devstack.pytest_plugin import private
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import RETURN_PATH, Ports

from tests.e2e.house import House, running_stack, until
from tests.support.told_events import ToldEvents

pytestmark = pytest.mark.timeout(300)

DELIVERED, BOUNCED = ("delivery.succeeded.v1", "delivered"), ("delivery.failed.v1", "bounced")
RECOVERED = ("delivery.recovered.v1", "delivered")


@dataclass
class Group(House):
    """Dealers by whom their mail is for, and what the rest of the world is told of their leads."""

    postfix: NativePostfix
    told: ToldEvents

    async def open(self, dealer: str, address: str, **others: list[str]) -> None:
        await self.put("normalizer", "Dealer", dealer, name=f"Dealer {dealer}", country="US")
        await self.put(
            *("normalizer", "Location", dealer), source="contactatonce", external_id=dealer, dealer=dealer
        )
        await self.put("adf-mailer", "AdfRoute", dealer, dealer=dealer, address=address, **others)

    async def sold(self, dealer: str, customer: str) -> str:
        """Somebody is interested; the raw message that ingest took."""
        said = {"lead_id": f"CAO-{dealer}-{customer}", "dealer": {"id": dealer}}
        person = {"customer": {"name": customer, "email": f"{customer.lower()}@example.org"}}
        async with httpx2.AsyncClient(base_url=self.stack.services["ingest"].url, timeout=20) as http:
            answer = await http.post(
                "/v1/raw/contactatonce",
                json=dict(CONTACTATONCE["Chat"]) | said | person,
                headers={"Authorization": f"Bearer {self.stack.api_keys['contactatonce']}"},
            )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["raw_id"])

    async def lead_of(self, raw_id: str) -> str:
        found: list[str] = []

        async def read() -> bool:
            query = "/v1/leads?source=contactatonce&limit=100"
            for one in await self.items("normalizer", query):
                story = await self.ask("normalizer", "GET", f"/v1/leads/{one['lead_id']}")
                if story["revisions"][0]["raw_id"] == raw_id:
                    found.append(one["lead_id"])
            return bool(found)

        await until(read)
        return found[0]

    async def until_told(self, lead_id: str, *expected: tuple[str, str]) -> None:
        """Returns when that was told of it, and nothing else."""

        async def all_told() -> bool:
            # A bounce that comes at once may be told before it is told that the mail was taken.
            return len(await self.told.of(lead_id)) >= len(expected)

        await until(all_told)
        assert await self.told.of(lead_id) == list(expected)

    async def until_in_ledger(self, lead_id: str, state: str, outcome: str) -> None:
        async def noted() -> bool:
            story = await self.ask("normalizer", "GET", f"/v1/leads/{lead_id}")
            entries = [(one["state"], one["outcome"]) for one in story["ledger"]]
            return entries == [(state, outcome)] and story["state"] == state

        await until(noted)

    async def shown(self, lead_id: str) -> dict[str, Any]:
        """The one delivery of it, as the command tells it to programs."""
        (delivery,) = json.loads(await self.leadbus("lead", "show", lead_id, "--json"))["deliveries"]
        return dict(delivery)


@pytest.fixture(scope="module")
def postfix(certificate_authority: CertificateAuthority) -> Iterator[NativePostfix]:
    """It gives up after seconds, where others try for days."""
    certificate, settings = certificate_authority.issue(), {"maximal_queue_lifetime": "3s"}
    with private(private_servers.private_postfix(certificate=certificate, settings=settings)) as server:
        yield server


@pytest.fixture(scope="module")
def house(
    servers: Servers,
    worker_label: str,
    tmp_path_factory: pytest.TempPathFactory,
    certificate_authority: CertificateAuthority,
    postfix: NativePostfix,
) -> Iterator[Group]:
    mailer = {
        "SMTP_PORT": str(postfix.port),
        "SMTP_TLS": "required",
        "SMTP_CA_FILE": str(certificate_authority.ca_file),
        "BOUNCE_REOPEN_AFTER_SECONDS": "0.1",
        "BOUNCE_REOPEN_TIMES": "10",
    }
    with running_stack(
        servers,
        tmp_path_factory.mktemp("bounces"),
        worker_label,
        settings={"adf-mailer": mailer},
        ports=Ports(smtp=postfix.next_hop_port, bounces=postfix.bounces_port),
        takes_bounces=True,
    ) as stack:
        assert (stack.smtp.port, stack.bounce_port) == (postfix.next_hop_port, postfix.bounces_port)
        group = Group(stack, postfix, ToldEvents(stack.vhost.amqp_url))
        asyncio.run(set_up(group))
        stack.create_api_key("contactatonce")
        yield group


async def set_up(group: Group) -> None:
    await group.told.listen()
    await group.put("ingest", "Source", "contactatonce")
    await group.open("gone", To.BOUNCED)
    await group.open("well", To.MAILBOX)
    await group.open("full", To.BEHIND)
    await group.open("several", To.BOUNCED, more_addresses=[To.DISCARDED], copies=[To.OTHER_MAILBOX])


async def test_mt70_a_lead_that_bounces_is_told_with_its_bounce_and_others_arrive(house: Group) -> None:
    raw_ids = [await house.sold("gone", "Ada"), await house.sold("well", "Ben")]
    lead, other = [await house.lead_of(raw_id) for raw_id in raw_ids]

    await house.until_told(lead, DELIVERED, BOUNCED)
    await house.until_in_ledger(lead, "failed", "bounced")
    delivery = await house.shown(lead)
    assert (delivery["phase"], delivery["outcome"], delivery["reason"]) == (
        "failed",
        "bounced",
        "bad_address",
    )
    (tried,) = delivery["tries"]
    assert tried["answer"].startswith("250 2.0.0 Ok: queued as")
    (bounce,) = delivery["details"]["bounces"]
    assert bounce["diagnostic"].startswith("smtp; 550 5.1.1")

    story = await house.leadbus("lead", "show", lead)
    for seen in ("bounced", "bad_address", "delivery_status", "5.1.1", HOST_NAME, "No such mailbox here"):
        assert seen in story
    assert lead in await house.leadbus("deliveries", "list", "--outcome", "bounced")
    (listed,) = json.loads(await house.leadbus("adf", "bounces", "--dealer", "gone", "--json"))["items"]
    assert (listed["delivery_id"], listed["became"]) == (delivery["id"], "failed")
    assert listed["matched_by"] == "envelope_id"

    await house.until_told(other, DELIVERED)
    await house.until_in_ledger(other, "delivered", "delivered")
    (mail,) = house.postfix.wait_for_mails(1, To.MAILBOX, timeout_seconds=60)
    other_delivery = await house.shown(other)
    path = f"/v1/deliveries/{other_delivery['id']}/mail"
    assert mail.sent == await raw_mail(house, path)
    assert str(mail.message["Return-Path"]).startswith("<" + RETURN_PATH.partition("@")[0] + "+")
    assert other_delivery["details"]["bounces"] == []


async def test_mt73_what_one_address_returns_no_other_makes_good(house: Group) -> None:
    lead = await house.lead_of(await house.sold("several", "Eve"))
    expected = [("", "failed"), ("copies.1", "delivered"), ("more_addresses.1", "delivered")]

    async def noted() -> bool:
        story = await house.ask("normalizer", "GET", f"/v1/leads/{lead}")
        return [(one["target"], one["state"]) for one in story["ledger"]] == expected

    await until(noted)
    story = await house.ask("normalizer", "GET", f"/v1/leads/{lead}")
    assert (story["state"], story["ledger"][0]["outcome"]) == ("failed", "bounced")
    assert "several (copies.1)" in await house.leadbus("lead", "show", lead)


async def raw_mail(house: Group, path: str) -> bytes:
    headers = {"Authorization": f"Bearer {house.stack.token('operator')}"}
    async with httpx2.AsyncClient(base_url=house.stack.services["adf-mailer"].url, timeout=20) as http:
        answer = await http.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


FULL = [
    pytest.param({"rcpt": {To.BEHIND: "552 5.2.2 Over quota"}, "times": 1}, "5.2.2", "Cid", id="MT71"),
    pytest.param({"rcpt": {To.BEHIND: "452 4.2.2 Over quota"}}, "4.2.2", "Dot", id="MT72"),
]


@pytest.mark.parametrize(("faults", "status", "customer"), FULL)
async def test_a_lead_for_a_full_mailbox_arrives_once_it_is_not_full(
    faults: dict[str, Any], status: str, customer: str, house: Group
) -> None:
    house.stack.smtp.reset()
    house.stack.smtp.control(**faults)
    lead = await house.lead_of(await house.sold("full", customer))

    async def bounced() -> bool:
        return BOUNCED in await house.told.of(lead)

    await until(bounced)
    house.stack.smtp.control()

    # Postfix may have given up on a repeat as well, before it was heard that the mailbox has room again.
    async def arrived() -> bool:
        told = await house.told.of(lead)
        return (*told[:2], told[-1]) == (DELIVERED, BOUNCED, RECOVERED) and bool(house.stack.smtp.messages())

    await until(arrived)
    await house.until_in_ledger(lead, "delivered", "delivered")

    (mail,) = house.stack.smtp.messages()
    delivery = await house.shown(lead)
    first, *repeats = delivery["details"]["mails"]
    assert (first["status"], {one["status"] for one in repeats}) == ("new", {"resend"})
    assert mail.message_id == repeats[-1]["message_id"] != first["message_id"]
    assert b'status="resend"' in mail.content
    assert f"{customer.lower()}@example.org".encode() in mail.content

    repeated = [one for one in delivery["details"]["bounces"] if one["became"] == "repeated"]
    assert {(one["verdict"], one["reason"], one["status"]) for one in repeated} == {
        ("transient", "mailbox_full", status)
    }
    listed = json.loads(await house.leadbus("adf", "bounces", "--delivery", delivery["id"], "--json"))[
        "items"
    ]
    about = next(one for one in listed if one["became"] == "repeated" and one["repeat_number"] == 0)
    told_in_full = json.loads(await house.leadbus("adf", "bounce", str(about["id"]), "--raw", "--json"))
    report = message_from_string(told_in_full["body"])
    returned = next(part for part in report.walk() if part.get_content_type() == "text/rfc822-headers")
    assert first["message_id"] in returned.get_payload()
    assert "mailbox_full" in await house.leadbus("lead", "show", lead)
