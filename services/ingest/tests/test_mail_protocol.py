"""SMTP and LMTP as mail servers speak them to us, without a database behind. Ids: README, "Mail"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.mailin.listener import Listener

from tests.support.mail_client import (
    DEADLINE_SECONDS,
    KNOWN,
    Client,
    FakeMailroom,
    dialled,
    listening,
    until,
)

Start = Callable[..., Awaitable[Listener]]
Connect = Callable[..., Awaitable[Client]]


async def test_a_mail_is_taken_byte_for_byte(start: Start, connect: Connect, mailroom: FakeMailroom) -> None:
    client = await connect(await start())
    assert await client.hears() == "220 mx.leads.example Leadbus"
    offered = (await client.says("EHLO c.example")).replace("250-", "250 ").split("\n")
    assert offered == [
        "250 mx.leads.example",
        "250 SIZE 100000",
        "250 8BITMIME",
        "250 SMTPUTF8",
        "250 PIPELINING",
        "250 HELP",
    ]
    assert await client.says("MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8 SIZE=99") == "250 OK"
    assert await client.says("RCPT TO:<kö@leads.example>") == "250 2.1.5 Recipient ok"
    await client.says("DATA")
    text = b"Subject: x\r\n\r\n..dot\r\n.\n\xff\x00\n.\r\r\nlf \n.\nend"
    client.sends(text.replace(b"\r\n.", b"\r\n.."))
    assert await client.says(".") == "250 2.0.0 Stored"
    (mail,) = mailroom.mails
    assert mail.body == text + b"\r\n"
    assert (mail.sender, [one.name for one in mail.recipients]) == ("a@b.example", ["kö@leads.example"])
    assert "dot" not in repr(mail)
    assert await client.says("QUIT") == "221 Bye"


ENDS = [b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"\n.\r\n", b"y" * 1_500]
TEXTS = st.lists(st.sampled_from(ENDS) | st.binary(max_size=5), max_size=12).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_any_text_arrives_as_it_is(text: bytes, cuts: list[int]) -> None:
    """However the network cuts it, and whatever in it looks like an end."""
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in text.split(b"\r\n"))
    assert asyncio.run(_bring_in_pieces(stuffed + b"\r\n.\r\n", cuts)) == text + b"\r\n"


async def _bring_in_pieces(wire: bytes, cuts: list[int]) -> bytes:
    mailroom = FakeMailroom()
    mailroom.gate.set()
    listener = await listening(mailroom)
    client = await dialled(listener)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await client.hears()
        await client.addresses(KNOWN)
        for cut in cuts:
            client.writer.write(wire[:cut])
            wire = wire[cut:]
            await asyncio.sleep(0)
        client.writer.write(wire)
        assert (await client.hears()).startswith("250")
        client.writer.close()
    listener.close()
    return mailroom.mails[0].body


async def test_all_at_once(start: Start, connect: Connect, mailroom: FakeMailroom) -> None:
    """Pipelined, two mails in one write, and the text of the first not told from the commands after it."""
    client = await connect(await start())
    mail = f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{KNOWN}>\r\nDATA"
    client.sends("\r\n".join(["EHLO c.example", mail, "one", ".", mail, "two", ".", "QUIT"]))
    replies = [await client.hears() for _ in range(11)]
    assert [reply[:3] for reply in replies] == (["220", "250", *("250", "250", "354", "250") * 2, "221"])
    assert [mail.body for mail in mailroom.mails] == [b"one\r\n", b"two\r\n"]


async def test_one_recipient_named_twice_is_told_once(
    start: Start, connect: Connect, mailroom: FakeMailroom
) -> None:
    client = await connect(await start())
    await client.hears()
    await client.addresses(KNOWN, KNOWN, "k8@leads.example")
    assert await client.says("x\r\n.") == "250 2.0.0 Stored"
    assert [one.name for one in mailroom.mails[0].recipients] == [KNOWN, "k8@leads.example"]


@pytest.mark.parametrize("fails", [None, OSError("away")])
async def test_lmtp_answers_for_each_recipient(
    start: Start, connect: Connect, mailroom: FakeMailroom, fails: Exception | None
) -> None:
    mailroom.fails = fails
    client = await connect(await start(), "lmtp")
    await client.hears()
    assert (await client.says("EHLO c.example")).startswith("500")
    assert (await client.says("HELO c.example")).startswith("500")
    await client.addresses(KNOWN, "k8@leads.example", KNOWN, hello="LHLO")
    client.sends("x\r\n.")
    answer = "451 4.3.0 Cannot be stored now, try again later" if fails else "250 2.0.0 Stored"
    assert [await client.hears() for _ in range(3)] == [answer] * 3
    assert await client.says("QUIT") == "221 Bye"
    assert [len(mail.recipients) for mail in mailroom.mails] == ([] if fails else [2])


@pytest.mark.parametrize("size", [998, 1_001, 5_000, 70_000])
async def test_sm14_lines_of_any_length(
    start: Start, connect: Connect, mailroom: FakeMailroom, size: int
) -> None:
    client = await connect(await start())
    await client.hears()
    await client.addresses(KNOWN)
    line = b"." + b"<" * size + b"\r"
    assert await client.says(b"." + line + b"\r\n.") == "250 2.0.0 Stored"
    assert mailroom.mails[0].body == line + b"\r\n"


async def test_nobody_is_named_in_the_log(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "leadbus")
    client = await connect(await start())
    await client.hears()
    await client.addresses(KNOWN)
    await client.says("Zoe Rivers\r\n.")
    await client.says("RCPT TO:<x@leads.example>")
    assert "mail.brought" in caplog.text
    for private in ("a@b.example", "x@leads.example", "Rivers"):
        assert private not in caplog.text


async def test_a_drain_ends_idle_connections_and_waits_for_mails_in_hand(
    start: Start, connect: Connect, mailroom: FakeMailroom
) -> None:
    mailroom.gate.clear()
    listener = await start()
    idle, busy = await connect(listener), await connect(listener)
    await idle.hears()
    await busy.hears()
    await busy.addresses(KNOWN)
    busy.sends("x\r\n.")
    await until(lambda: mailroom.waiting)
    port = listener.port("smtp")
    draining = asyncio.create_task(listener.drain(DEADLINE_SECONDS))
    assert (await idle.hears()).startswith("421 4.3.2")
    assert await idle.hears() == ""
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection("127.0.0.1", port)
    assert not draining.done()
    mailroom.gate.set()
    assert await busy.hears() == "250 2.0.0 Stored"
    assert (await busy.hears()).startswith("421 4.3.2")
    await draining
    assert len(mailroom.mails) == 1


async def test_a_drain_does_not_wait_for_ever(start: Start, connect: Connect, mailroom: FakeMailroom) -> None:
    listener = await start()
    client = await connect(listener)
    await client.hears()
    await client.addresses(KNOWN)
    await listener.drain(0.01)
    assert mailroom.mails == []
