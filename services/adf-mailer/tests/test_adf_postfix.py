"""MT1–MT24: what a real mail server answers, and the bytes that it delivers. Table: rules/real-mta.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.delivery import SmartHost
from leadbus.contracts import Lead
from leadbus.delivery import Delivered, Permanent, Transient
from leadbus_devstack.postfix import HOST_NAME, SIZE_LIMIT_BYTES, NativePostfix, To

from tests.support.postfix_client import RAW, Client, send_once

GOLDEN = Path(__file__).parent / "golden"

REPLIES = [
    ("MT1", To.MAILBOX, Delivered, "", "250 2.0.0 Ok: queued as"),
    ("MT2", To.GREYLISTED, Transient, "greylisted", "450 4.7.1"),
    ("MT3", To.BUSY, Transient, "mailbox_busy", "450 4.2.1"),
    ("MT4", To.DEFERRED, Transient, "deferred", "451 4.3.0"),
    ("MT5", To.FULL, Transient, "mailbox_full", "452 4.2.2"),
    ("MT6", To.CONTENT_DEFERRED, Transient, "deferred", "451 4.3.0"),
    ("MT7", To.UNKNOWN, Permanent, "bad_address", "550 5.1.1"),
    ("MT8", To.REFUSED, Permanent, "policy", "550 5.7.1"),
    ("MT9", To.NOT_OURS, Permanent, "policy", "554 5.7.1"),
    ("MT10", To.CONTENT_REFUSED, Permanent, "content_refused", "554 5.6.0"),
]


def connections(postfix: NativePostfix) -> int:
    """How many it has taken so far, those that look whether it listens included."""
    return postfix.log.read_text().count(": connect from ")


@pytest.mark.parametrize(
    ("recipient", "outcome", "reason", "answer"),
    [row[1:] for row in REPLIES],
    ids=[row[0] for row in REPLIES],
)
async def test_an_answer_about_the_mail(
    recipient: To, outcome: type[Any], reason: str, answer: str, postfix: NativePostfix
) -> None:
    got = await send_once(postfix, recipient)

    assert type(got) is outcome
    assert isinstance(got, Delivered | Transient | Permanent)
    assert got.answer.startswith(answer)
    assert getattr(got, "reason", "") == reason
    assert not getattr(got, "destination_down", False)
    if outcome is not Delivered:
        assert postfix.mails() == []


SESSIONS = [
    ("MT11", "smtp", To.CLOSING, "421 4.3.2"),
    ("MT12", "closed", To.MAILBOX, "421 4.3.2"),
]


@pytest.mark.parametrize(
    ("listener", "recipient", "answer"), [row[1:] for row in SESSIONS], ids=[row[0] for row in SESSIONS]
)
async def test_an_answer_about_the_host(
    listener: str, recipient: To, answer: str, postfix: NativePostfix
) -> None:
    got = await send_once(postfix, recipient, listener)

    assert isinstance(got, Transient)
    assert (got.reason, got.destination_down) == ("service_unavailable", True)
    assert got.answer.startswith(answer)


async def test_mt13_the_second_connection_where_one_is_allowed(postfix: NativePostfix) -> None:
    async with Client(postfix, "one_connection") as client:
        assert isinstance(await client.send(To.MAILBOX), Delivered)
        second = await send_once(postfix, To.MAILBOX, "one_connection")
        assert isinstance(second, Transient)
        assert (second.reason, second.destination_down) == ("service_unavailable", True)
        assert second.answer == f"421 4.7.0 {HOST_NAME} Error: too many connections from 127.0.0.1"
        assert isinstance(await client.send(To.MAILBOX), Delivered), "the first one goes on"


async def test_mt14_more_mails_than_a_minute_may_have(private_postfix: NativePostfix) -> None:
    async with Client(private_postfix, "one_mail") as client:
        assert isinstance(await client.send(To.MAILBOX), Delivered)
        second = await client.send(To.MAILBOX)

    assert isinstance(second, Transient)
    assert second.answer == "450 4.7.1 Error: too much mail from 127.0.0.1"


async def test_mt15_a_mail_over_the_size_that_is_announced(postfix: NativePostfix) -> None:
    async with Client(postfix) as client:
        large = await client.send(To.MAILBOX, RAW + b"x" * 76 * (SIZE_LIMIT_BYTES // 76))
        small = await client.send(To.MAILBOX)

    assert large == Permanent("too_large", "552 5.3.4 Message size exceeds fixed limit")
    assert isinstance(small, Delivered)


async def test_mt16_no_room_on_its_disk(postfix: NativePostfix) -> None:
    got = await send_once(postfix, To.MAILBOX, "full_disk")

    assert isinstance(got, Transient)
    assert (got.reason, got.answer) == ("storage_full", "452 4.3.1 Insufficient system storage")


@pytest.mark.parametrize("golden", sorted(path.stem for path in GOLDEN.glob("*.eml")))
async def test_mt17_every_golden_mail_arrives_byte_for_byte(golden: str, postfix: NativePostfix) -> None:
    raw = (GOLDEN / f"{golden}.eml").read_bytes()
    async with Client(postfix) as client:
        assert isinstance(await client.send(To.MAILBOX, raw), Delivered)

    (mail,) = postfix.wait_for_mails(1)
    assert mail.sent == raw


ODD_BYTES = {
    "dots": b".\r\n..\r\n. a\r\n.b\r\n\r\n.\r\n",
    "only a dot": b".\r\n",
    "the longest lines": b"c" * 998 + b"\r\n" + b"." + b"d" * 997 + b"\r\n",
    "blank lines at both ends": b"\r\n\r\ntext\r\n\r\n\r\n",
    "blanks at line ends": b"text  \r\n\t\r\n \r\n",
    "lines that look like headers and commands": b"From somebody\r\nQUIT\r\nSubject: y\r\nMAIL FROM:<>\r\n",
    "nearly as much as it takes": (b"e" * 76 + b"\r\n") * ((SIZE_LIMIT_BYTES - 2048) // 78),
}


@pytest.mark.parametrize("body", ODD_BYTES.values(), ids=ODD_BYTES)
async def test_mt18_odd_bytes_arrive_as_they_are(body: bytes, postfix: NativePostfix) -> None:
    raw = RAW + body
    async with Client(postfix) as client:
        assert isinstance(await client.send(To.MAILBOX, raw), Delivered)
        assert isinstance(await client.send(To.OTHER_MAILBOX), Delivered), "both sides know where it ended"

    (mail,) = postfix.wait_for_mails(1, To.MAILBOX)
    assert mail.sent == raw


async def test_mt19_a_hundred_mails_over_one_connection(postfix: NativePostfix) -> None:
    before = connections(postfix)
    sent = [RAW + f"mail {number}\r\n".encode() for number in range(100)]
    async with Client(postfix) as client:
        for raw in sent:
            assert isinstance(await client.send(To.MAILBOX, raw), Delivered)

    assert {mail.sent for mail in postfix.wait_for_mails(100)} == set(sent)
    assert len(postfix.mails()) == 100
    assert connections(postfix) - before == 1


async def test_mt20_a_connection_that_saw_too_many_bad_addresses_costs_no_mail(
    postfix: NativePostfix,
) -> None:
    """After twenty refusals it says 421 unasked and hangs up: that is about the connection, not a mail."""
    async with Client(postfix) as client:
        refused = [await client.send(f"nobody-{number}@crm.example") for number in range(25)]
        assert {type(one) for one in refused} == {Permanent}
        assert isinstance(await client.send(To.MAILBOX), Delivered)

    assert "too many errors" in postfix.log.read_text()


async def test_mt21_greylisted_means_again_later_with_the_same_bytes(postfix: NativePostfix) -> None:
    recipient = To.GREYLISTED.replace("@", f"+{uuid4().hex[:8]}@")
    async with Client(postfix) as client:
        first = await client.send(recipient)
        postfix.greylisting.pass_time(postfix.greylisting.delay_seconds - 1)
        too_early = await client.send(recipient)
        postfix.greylisting.pass_time(1)
        in_time = await client.send(recipient)

    assert [type(one) for one in (first, too_early, in_time)] == [Transient, Transient, Delivered]
    (mail,) = postfix.wait_for_mails(1)
    assert mail.sent == RAW


@pytest.fixture
def mailer_to_postfix(mailer: Any, postfix: NativePostfix) -> Any:
    """The service in this process, with Postfix for its mail host."""
    mailer.hosts._pools[0].host = SmartHost("127.0.0.1", postfix.port, "leadbus.example", tls="off")
    return mailer


async def test_mt22_a_greylisted_lead_is_delivered_by_the_schedule(
    mailer_to_postfix: Any, golden_lead: Callable[..., Lead], postfix: NativePostfix
) -> None:
    mailer = mailer_to_postfix
    assert (await mailer.route(address=To.GREYLISTED)).status_code == 201
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (waiting,) = await mailer.deliveries()
    assert (waiting["phase"], waiting["attempts"]) == ("waiting", 1)
    assert postfix.mails() == []

    postfix.greylisting.pass_time(postfix.greylisting.delay_seconds)
    await mailer.later(postfix.greylisting.delay_seconds * 2)

    (delivered,) = await mailer.deliveries()
    assert (delivered["phase"], delivered["attempts"]) == ("delivered", 2)
    (stored,) = await mailer.rows("SELECT raw, message_id FROM mail")
    (mail,) = postfix.wait_for_mails(1)
    assert (mail.sent, mail.message_id) == (stored["raw"], stored["message_id"])
    answers = await mailer.rows("SELECT answer FROM attempt ORDER BY n")
    assert [row["answer"][:9] for row in answers] == ["450 4.7.1", "250 2.0.0"]


async def test_mt23_a_bad_address_is_told_at_once(
    mailer_to_postfix: Any, golden_lead: Callable[..., Lead]
) -> None:
    mailer = mailer_to_postfix
    await mailer.route(address=To.UNKNOWN)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()

    (failed,) = await mailer.deliveries()
    assert (failed["phase"], failed["attempts"]) == ("failed", 1)
    assert [event["type"] for event in await mailer.events()] == ["delivery.failed.v1"]


async def test_mt24_what_was_refused_leaves_the_connection_fit_for_the_next(postfix: NativePostfix) -> None:
    before = connections(postfix)
    async with Client(postfix) as client:
        for recipient in (To.UNKNOWN, To.CONTENT_REFUSED, To.BUSY, To.CONTENT_DEFERRED, To.NOT_OURS):
            assert not isinstance(await client.send(recipient), Delivered)
        assert isinstance(await client.send(To.MAILBOX), Delivered)

    assert connections(postfix) - before == 1
    (mail,) = postfix.wait_for_mails(1)
    assert mail.sent == RAW
