"""SMTP and LMTP as mail servers speak them to us, without a database behind. Ids: README, "Mail"."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from ingest.mail.connection import MOST_RECIPIENTS, MOST_STRANGERS
from ingest.mail.listener import Listener, Rules
from ingest.mail.mailroom import Mail, Taken
from ingest.mail.recipient import MailRecipient, Recipient
from ingest.mail.refusal import MailReason, MailRefused
from leadbus.db import DatabaseUnavailable

DEADLINE_SECONDS = 20.0
KNOWN = "k7@leads.example"
RULES = Rules(
    hostname="mx.leads.example",
    size_limit_bytes=100_000,
    held_bytes=150_000,
    most_connections=3,
    idle_seconds=60,
    transfer_seconds=60,
)


@dataclass
class FakeMailroom:
    """Knows every address that begins with `k`, and fails as it is told to."""

    mails: list[Mail] = field(default_factory=list)
    fails: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def recipient(self, address: str) -> Recipient:
        if not address.startswith("k"):
            raise MailRefused(MailReason.UNKNOWN_RECIPIENT)
        return Recipient(address, MailRecipient(address=address))

    async def take(self, mail: Mail) -> Taken:
        if self.fails:
            raise self.fails
        self.waiting += 1
        await self.gate.wait()
        self.mails.append(mail)
        return Taken(1, 1)


@dataclass
class Client:
    """One connection of a mail server, word by word."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hears(self) -> str:
        """One reply, its lines joined; "" when the connection has ended."""
        lines = []
        while line := (await self.reader.readline()).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    async def says(self, line: str | bytes) -> str:
        self.sends(line)
        return await self.hears()

    def sends(self, line: str | bytes) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    async def addresses(self, *recipients: str, hello: str = "EHLO") -> None:
        """Up to DATA, everything agreed to."""
        named = [f"RCPT TO:<{recipient}>" for recipient in recipients]
        for command in (f"{hello} c.example", "MAIL FROM:<a@b.example>", *named):
            assert (await self.says(command)).startswith("250"), command
        assert (await self.says("DATA")).startswith("354")


Start = Callable[..., Awaitable[Listener]]
Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
def mailroom() -> FakeMailroom:
    room = FakeMailroom()
    room.gate.set()
    return room


@pytest.fixture
async def start(mailroom: FakeMailroom) -> AsyncIterator[Start]:
    listeners: list[Listener] = []

    async def begin(**rules: Any) -> Listener:
        whole = Rules(**{**{name: getattr(RULES, name) for name in Rules.__slots__}, **rules})
        room: Any = mailroom
        listener = Listener(room, whole, host="127.0.0.1", ports={"smtp": 0, "lmtp": 0})
        await listener.open()
        listeners.append(listener)
        return listener

    yield begin
    for listener in listeners:
        listener.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with contextlib.AsyncExitStack() as stack:

        async def join(listener: Listener, protocol: str = "smtp") -> Client:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port(protocol))
            stack.callback(writer.close)
            return Client(reader, writer)

        async with asyncio.timeout(DEADLINE_SECONDS):
            yield join


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 -- the condition is another task's
            await asyncio.sleep(0.005)


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


@pytest.mark.parametrize(
    ("case", "commands", "answer"),
    [
        ("SM1", ["EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<x@leads.example>"], "550 5.1.1"),
        ("SM1 latin-1", ["EHLO c", "MAIL FROM:<a@b.example>", b"RCPT TO:<\xe4@leads.example>"], "550 5.1.1"),
        ("SM6 declared", ["EHLO c", "MAIL FROM:<a@b.example> SIZE=100001"], "552"),
        ("SM13 nothing", [""], "500"),
        ("SM13 unheard of", ["BDAT 3"], "500"),
        ("SM13 no hello", ["MAIL FROM:<a@b.example>"], "503"),
        ("SM13 no sender", ["EHLO c", f"RCPT TO:<{KNOWN}>"], "503"),
        ("SM13 no recipient", ["EHLO c", "MAIL FROM:<a@b.example>", "DATA"], "503"),
        ("SM13 unknown only", ["EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<x@y>", "DATA"], "503"),
        ("SM13 argument", ["EHLO c", "MAIL FROM:<a@b.example>", f"RCPT TO:<{KNOWN}>", "DATA 5"], "501"),
        ("SM13 long", ["EHLO c", "NOOP " + "x" * 5_000], "500"),
        ("SM13 login", ["EHLO c", "AUTH PLAIN AGEAYg=="], "538"),
    ],
)
async def test_what_is_said_wrong(
    start: Start,
    connect: Connect,
    mailroom: FakeMailroom,
    case: str,
    commands: list[str | bytes],
    answer: str,
) -> None:
    client = await connect(await start())
    await client.hears()
    *first, last = commands
    for command in first:
        await client.says(command)
    assert (await client.says(last)).startswith(answer)
    # The connection is as good as before.
    assert (await client.says("RSET")).startswith("250")
    await client.addresses(KNOWN)
    assert (await client.says("x\r\n.")).startswith("250")
    assert len(mailroom.mails) == 1


@pytest.mark.parametrize(
    ("case", "rules", "answer"),
    [("SM6", {}, "552 5.3.4"), ("SM7", {"size_limit_bytes": 150_001, "held_bytes": 150_000}, "452 4.3.1")],
)
async def test_mails_that_are_too_much(
    start: Start, connect: Connect, mailroom: FakeMailroom, case: str, rules: dict[str, int], answer: str
) -> None:
    listener = await start(**rules)
    client = await connect(listener)
    await client.hears()
    await client.addresses(KNOWN)
    assert (await client.says(b"<" * 150_001 + b"\r\n.")).startswith(answer)
    assert listener.budget.held_bytes == 0
    await client.addresses(KNOWN)
    assert (await client.says("x\r\n.")).startswith("250")
    assert [mail.body for mail in mailroom.mails] == [b"x\r\n"]
    assert listener.budget.held_bytes == 0


async def test_sm4_too_many_recipients(start: Start, connect: Connect, mailroom: FakeMailroom) -> None:
    client = await connect(await start())
    await client.hears()
    for command in ("EHLO c.example", "MAIL FROM:<a@b.example>"):
        await client.says(command)
    answers = [await client.says(f"RCPT TO:<k{n}@leads.example>") for n in range(MOST_RECIPIENTS + 2)]
    assert {answer[:9] for answer in answers[:-2]} == {"250 2.1.5"}
    assert {answer[:9] for answer in answers[-2:]} == {"452 4.5.3"}
    await client.says("DATA")
    assert (await client.says("x\r\n.")).startswith("250")
    assert len(mailroom.mails[0].recipients) == MOST_RECIPIENTS


async def test_sm5_whoever_guesses_addresses_is_sent_away(start: Start, connect: Connect) -> None:
    client = await connect(await start())
    await client.hears()
    for command in ("EHLO c.example", "MAIL FROM:<a@b.example>"):
        await client.says(command)
    answers = [await client.says(f"RCPT TO:<x{n}@leads.example>") for n in range(MOST_STRANGERS)]
    assert {answer[:9] for answer in answers} == {"550 5.1.1"}
    assert (await client.hears()).startswith("421 4.7.0")
    assert await client.hears() == ""


@pytest.mark.parametrize(
    ("rules", "begins"),
    [({"idle_seconds": 0.2}, ()), ({"idle_seconds": 0.2}, (KNOWN,)), ({"transfer_seconds": 0.2}, (KNOWN,))],
    ids=["SM8 silent", "SM8 silent in the text", "SM8 slow"],
)
async def test_who_is_too_slow(
    start: Start, connect: Connect, mailroom: FakeMailroom, rules: dict[str, float], begins: tuple[str, ...]
) -> None:
    listener = await start(**rules)
    client = await connect(listener)
    await client.hears()
    if begins:
        await client.addresses(*begins)
        client.sends("the first line")
    assert (await client.hears()).startswith("421 4.4.2")
    assert await client.hears() == ""
    await until(lambda: listener.budget.held_bytes == 0)
    assert mailroom.mails == []


async def test_sm9_gone_before_the_final_dot(start: Start, connect: Connect, mailroom: FakeMailroom) -> None:
    listener = await start()
    client = await connect(listener)
    await client.hears()
    await client.addresses(KNOWN)
    client.sends("half a mail")
    await until(lambda: listener.budget.held_bytes > 0)
    client.writer.transport.abort()
    await until(lambda: listener.budget.held_bytes == 0)
    assert mailroom.mails == []


async def test_sm10_more_connections_than_there_is_room_for(start: Start, connect: Connect) -> None:
    listener = await start(most_connections=2)
    clients = [await connect(listener) for _ in range(2)]
    assert [(await client.hears())[:3] for client in clients] == ["220", "220"]
    assert (await (await connect(listener)).hears()).startswith("421 4.3.2")
    assert await clients[0].says("QUIT") == "221 Bye"
    assert await clients[0].hears() == ""

    # Who hung up is counted out a moment later.
    while not (await (await connect(listener)).hears()).startswith("220"):  # noqa: ASYNC110 -- see above
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (DatabaseUnavailable(), "451 4.3.0 Cannot be stored"),
        (RuntimeError("Zoe"), "451 4.3.0 Failed"),
    ],
    ids=["SM11", "SM11 a defect"],
)
async def test_what_fails_behind(
    start: Start,
    connect: Connect,
    mailroom: FakeMailroom,
    error: Exception,
    answer: str,
) -> None:
    client = await connect(await start())
    await client.hears()
    await client.addresses(KNOWN)
    mailroom.fails = error
    assert (await client.says("x\r\n.")).startswith(answer)
    mailroom.fails = None
    await client.addresses(KNOWN)
    assert (await client.says("x\r\n.")).startswith("250")


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
