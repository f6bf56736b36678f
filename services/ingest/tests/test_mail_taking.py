"""What becomes of a mail on a real database. Ids: README, "Mail"."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from ingest.mail.mailroom import Mailroom
from leadbus.mailin.head import MOST_HOPS
from leadbus.mailin.refusal import MailRefused
from leadbus.mailin.room import Mail, Taken
from leadbus.messages import DOORS_BODY_BYTES
from leadbus.outbox import LeftToClaims

ADDRESS = "prairie-7f3k@leads.example"
OTHER = "lakeside-9x@leads.example"
HEAD = b"From: Cars <leads@cars.example>\r\nMessage-ID: <1@cars.example>\r\nSubject: Lead\r\n"
ADF = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n<adf><prospect/></adf>\r\n"


class Room:
    """A mailroom on ingest's database, and eyes to look into it."""

    def __init__(self, ingest: Any) -> None:
        self.ingest = ingest
        self.mailroom = Mailroom(ingest.database, clock=ingest.clock, outgoing=LeftToClaims())

    async def set_up(self, name: str = "prairie", address: str = ADDRESS, **spec: Any) -> Any:
        return await self.ingest.http.put(
            f"/v1/settings/MailRecipient/{name}",
            json={"spec": {"address": address, **spec}},
            headers={**self.ingest.token("admin"), "If-Match": "*"}
            if await self.exists(name)
            else self.ingest.token("admin"),
        )

    async def exists(self, name: str) -> bool:
        return bool(await self.ingest.rows("SELECT FROM setting WHERE name = $1", name))

    async def bring(self, *addresses: str, body: bytes = ADF, sender: str = "leads@cars.example") -> Taken:
        recipients = [await self.mailroom.recipient(address) for address in addresses or (ADDRESS,)]
        return await self.mailroom.take(Mail(sender, recipients, body))

    async def messages(self) -> list[dict[str, Any]]:
        """What waits to be published: CloudEvents attributes, and `key`, `type` and `body`."""
        rows = await self.ingest.rows("SELECT routing_key, headers, properties, body FROM outbox ORDER BY id")
        return [
            {name.removeprefix("cloudEvents_"): value for name, value in json.loads(row["headers"]).items()}
            | {"key": row["routing_key"], "content_type": json.loads(row["properties"])["content_type"]}
            | {"body": bytes(row["body"])}
            for row in rows
        ]


@pytest.fixture
async def room(ingest: Any) -> Room:
    made = Room(ingest)
    assert (await made.set_up(location="D-1")).status_code == 201
    return made


async def test_a_mail_is_a_raw_message(room: Room) -> None:
    assert (await room.bring()).outcome == "taken"
    (row,) = await room.ingest.rows("SELECT * FROM raw")
    assert (row["source"], row["account"], row["key_id"]) == ("adf", "prairie", None)
    assert (row["content_type"], bytes(row["body"]), row["test"]) == ("message/rfc822", ADF, False)
    (message,) = await room.messages()
    assert (message["key"], message["content_type"], message["body"]) == ("raw.adf", "message/rfc822", ADF)
    assert (message["id"], message["source"]) == (str(row["raw_id"]), "/ingest/adf/prairie")
    assert (message["account"], message["location"]) == ("prairie", "D-1")
    assert not {"letters", "locationalways", "test"} & message.keys()


async def test_the_setting_goes_along(room: Room) -> None:
    spec: dict[str, Any] = {
        "source": "bdk",
        "account": "group",
        "location": "D-2",
        "location_always": True,
        "plain_text_leads": True,
    }
    assert (await room.set_up(**spec)).status_code == 200
    await room.bring()
    (message,) = await room.messages()
    assert (message["key"], message["account"], message["location"]) == ("raw.bdk", "group", "D-2")
    assert (message["locationalways"], message["letters"]) == ("true", "true")


async def test_each_recipient_has_a_message_of_its_own(room: Room) -> None:
    await room.set_up("lakeside", OTHER, account="prairie", location="D-2")
    taken = await room.bring(ADDRESS, OTHER.upper())
    assert (taken.facts["new"], taken.facts["messages"]) == (2, 2)
    first, second = sorted(await room.messages(), key=lambda message: str(message["location"]))
    assert (first["location"], second["location"]) == ("D-1", "D-2")
    assert first["id"] != second["id"]
    assert first["body"] == second["body"] == ADF


@pytest.mark.parametrize(
    ("again", "new"),
    [
        (ADF, 0),
        (b"Received: from b by c;\r\n\ttoday\r\nReturn-Path: <x@y>\r\n" + ADF, 0),
        (ADF.replace(b"<1@", b"<2@"), 1),
        (ADF.replace(b"<prospect/>", b"<prospect></prospect>"), 1),
        (ADF.replace(b"Message-ID: <1@cars.example>\r\n", b""), 1),
    ],
    ids=["SM18", "SM18 by another server", "another Message-ID", "another text", "no Message-ID"],
)
async def test_a_mail_that_comes_again(room: Room, again: bytes, new: int) -> None:
    first = await room.bring()
    second = await room.bring(body=again)
    assert (first.facts["new"], second.facts["new"]) == (1, new)
    assert second.outcome == ("taken" if new else "repeated")
    assert len(await room.messages()) == await room.ingest.count("raw") == 1 + new
    assert (await room.bring(body=again)).outcome == "repeated"


@pytest.mark.parametrize(
    ("case", "address", "spec", "reason"),
    [
        ("SM1", "nobody@leads.example", {}, "unknown_recipient"),
        ("SM1", "no address", {}, "unknown_recipient"),
        ("SM1", f"{ADDRESS}.org", {}, "unknown_recipient"),
        ("SM2", ADDRESS, {"enabled": False}, "recipient_disabled"),
        ("SM3", ADDRESS.replace("@", "+test@"), {"allow_test": False}, "test_not_allowed"),
    ],
)
async def test_who_is_not_taken_for(
    room: Room, case: str, address: str, spec: dict[str, Any], reason: str
) -> None:
    await room.set_up(**spec)
    with pytest.raises(MailRefused) as caught:
        await room.mailroom.recipient(address)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (ADDRESS.replace("@", "+TEST@"), ADF),
        (ADDRESS, b"X-Leadbus-Test: yes\r\n" + ADF),
    ],
    ids=["the address says so", "another Leadbus says so"],
)
async def test_a_test_is_marked_and_is_no_repeat_of_the_real_mail(
    room: Room, address: str, body: bytes
) -> None:
    await room.bring()
    assert (await room.bring(address, body=body)).facts["new"] == 1
    real, test = await room.messages()
    assert ("test" in real, test["test"]) == (False, "true")
    assert [row["test"] for row in await room.ingest.rows("SELECT test FROM raw ORDER BY test")] == [
        False,
        True,
    ]


async def test_sm3_a_mail_that_says_it_is_a_test_where_none_is_taken(room: Room) -> None:
    await room.set_up("lakeside", OTHER, allow_test=False)
    with pytest.raises(MailRefused) as caught:
        await room.bring(ADDRESS, OTHER, body=b"X-Leadbus-Test: yes\r\n" + ADF)
    assert caught.value.reason == "test_not_allowed"
    assert await room.ingest.count("raw") == 0


APART = [
    ("SM15", "", ADF),
    ("SM15", "<>", ADF),
    ("SM16", "a@b.example", b"Auto-Submitted: auto-replied\r\n" + ADF),
    ("SM16", "a@b.example", b"Content-Type: multipart/report; boundary=x\r\n" + ADF),
    ("SM17", "a@b.example", b"Received: by x; today\r\n" * (MOST_HOPS + 1) + ADF),
]


@pytest.mark.parametrize(("case", "sender", "body"), APART, ids=[row[0] for row in APART])
async def test_what_is_kept_apart(room: Room, case: str, sender: str, body: bytes) -> None:
    taken = await room.bring(sender=sender, body=body)
    assert taken.outcome == "kept_apart"
    assert await room.ingest.count("raw") == 0
    (entry,) = await room.ingest.rows("SELECT * FROM quarantine")
    assert (entry["reason"], entry["account"], bytes(entry["body"])) == ("not_a_lead", "prairie", body)
    assert entry["detail"] == taken.facts["why_apart"]
    (event,) = await room.messages()
    assert event["type"] == "raw.quarantined.v1"
    assert b"cars.example" not in event["body"]
    assert (await room.bring(sender=sender, body=body)).outcome == "repeated"
    assert len(await room.messages()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"Auto-Submitted: auto-generated\r\n" + ADF,
        b"Received: by x; today\r\n" * MOST_HOPS + ADF,
        HEAD + b"\r\nIs the Ram still there?\r\n",
        b"\x00\xff no mail at all",
        b"",
    ],
    ids=["made by a machine", "many servers", "SM20 a letter", "SM20 bytes", "SM20 nothing"],
)
async def test_what_is_not_judged_here(room: Room, body: bytes) -> None:
    assert (await room.bring(body=body)).outcome == "taken"
    (message,) = await room.messages()
    assert message["body"] == body


async def test_sm19_a_mail_that_the_normalizer_would_not_read(room: Room) -> None:
    large = ADF + b"x" * (DOORS_BODY_BYTES - len(ADF) + 1)
    assert (await room.bring(body=large)).facts["new"] == 1
    (entry,) = await room.ingest.rows("SELECT reason, body FROM quarantine")
    assert (entry["reason"], bytes(entry["body"]) == large) == ("too_large", True)
    assert await room.ingest.count("raw") == 0
    assert (await room.bring(body=large[:-1])).facts["new"] == 1
    assert await room.ingest.count("raw") == 1


async def test_all_recipients_or_none(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    await room.set_up("lakeside", OTHER)
    recipients = [await room.mailroom.recipient(address) for address in (ADDRESS, OTHER)]
    broken = recipients[1].setting.model_copy(update={"account": "no\x00account"})
    recipients[1] = type(recipients[1])("lakeside", broken)
    with pytest.raises(asyncpg.PostgresError):
        await room.mailroom.take(Mail("a@b.example", recipients, ADF))
    assert await room.ingest.count("raw") == await room.ingest.count("outbox") == 0


@pytest.mark.parametrize(
    ("name", "spec", "pointer", "code"),
    [
        ("lakeside", {"address": ADDRESS.upper()}, "/spec/address", "taken"),
        ("lakeside", {"address": "nobody"}, "/spec/address", "value_error"),
        ("lakeside", {"address": OTHER, "location_always": True}, "/spec/location", "missing"),
        ("lake:side", {"address": OTHER}, "/spec/account", "missing"),
    ],
)
async def test_settings_that_are_refused(
    room: Room, name: str, spec: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await room.set_up(name, **spec)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


async def test_an_address_moves_to_another_setting(room: Room) -> None:
    assert (await room.set_up(address=OTHER)).status_code == 200
    assert (await room.set_up("lakeside", ADDRESS)).status_code == 201
    assert (await room.mailroom.recipient(ADDRESS)).name == "lakeside"
    assert (await room.mailroom.recipient(OTHER)).name == "prairie"
