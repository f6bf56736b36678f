"""What the mail listener refuses, and that it goes on all the same. Ids: README, "Mail"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from leadbus.db import DatabaseUnavailable
from leadbus.mailin.connection import MOST_RECIPIENTS, MOST_STRANGERS
from leadbus.mailin.listener import Listener

from tests.support.mail_client import (
    KNOWN,
    Client,
    FakeMailroom,
    until,
)

Start = Callable[..., Awaitable[Listener]]
Connect = Callable[..., Awaitable[Client]]


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
