"""S48–S55, S84: what goes over a connection, and which ones are kept for the next mail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Suspended, Transient
from leadbus.delivery.job import LeaseLost
from leadbus_devstack.smtp.scripted import DROP, HANG

Scripted = Any
Connect = Any
Pool = Any


async def outcomes(pool: Pool, *, mails: int) -> list[type[Outcome]]:
    """One mail after another, then the connections are closed."""
    got = [type(await pool.send()) for _ in range(mails)]
    await pool.close()
    return got


async def test_s48_dropped_inside_the_text_is_not_in_doubt(scripted: Scripted, connect: Connect) -> None:
    server = await scripted(text=DROP)
    pool = connect(server)
    envelope = replace(pool.MAIL, raw=b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 50_000)
    outcome = await pool.send(envelope)

    assert outcome == Transient("connection_lost")
    assert server.mails == []


async def test_s49_the_text_arrives_as_it_is(scripted: Scripted, connect: Connect) -> None:
    server = await scripted(extensions=("SIZE 1000",))
    pool = connect(server)
    await outcomes(pool, mails=1)

    assert server.mails == [b"Subject: x\r\n\r\n..\r\n...a\r\nb\r\n"]
    assert server.commands[:4] == [
        "EHLO leadbus.example",
        f"MAIL FROM:<leads@leadbus.example> SIZE={len(pool.MAIL.raw)}",
        "RCPT TO:<leads@prairie.example>",
        "DATA",
    ]


async def test_s50_a_connection_is_reused_with_rset_where_a_mail_was_left_unfinished(
    scripted: Scripted, connect: Connect
) -> None:
    server = await scripted(rcpt=["250 ok", "550 5.1.1 no", "250 ok"])
    pool = connect(server)

    assert await outcomes(pool, mails=3) == [Delivered, Permanent, Delivered]
    assert server.connections == 1
    assert [command.split(" ")[0] for command in server.commands] == [
        *("EHLO", "MAIL", "RCPT", "DATA"),
        *("MAIL", "RCPT"),
        *("RSET", "MAIL", "RCPT", "DATA", "QUIT"),
    ]


async def test_s51_a_connection_is_closed_after_its_share_of_mails(
    scripted: Scripted, connect: Connect
) -> None:
    server = await scripted()
    pool = connect(server, pool={"max_transactions": 2})
    await outcomes(pool, mails=5)

    assert server.connections == 3


async def test_s52_an_idle_connection_is_not_trusted_for_ever(scripted: Scripted, connect: Connect) -> None:
    server = await scripted()
    pool = connect(server, pool={"max_idle_seconds": 0.0})
    await outcomes(pool, mails=2)

    assert server.connections == 2


@pytest.mark.parametrize("end", [DROP, HANG, "421 4.4.2 idle for too long", "hello?"])
async def test_s53_a_kept_connection_that_died_costs_nothing(
    scripted: Scripted, connect: Connect, end: Any
) -> None:
    server = await scripted(mail=["250 ok", end])
    pool = connect(server)

    assert await outcomes(pool, mails=2) == [Delivered, Delivered]
    assert server.connections == 2


@pytest.mark.parametrize("end", [DROP, "421 4.4.2 idle for too long", "502 5.5.1 what"])
async def test_s53a_nor_does_one_that_cannot_forget_a_refused_mail(
    scripted: Scripted, connect: Connect, end: Any
) -> None:
    server = await scripted(rcpt=["550 5.1.1 no"], rset=end)
    pool = connect(server)

    assert await outcomes(pool, mails=2) == [Permanent, Delivered]
    assert server.connections == 2


async def test_s53b_a_mail_refused_on_a_kept_connection_is_not_sent_again(
    scripted: Scripted, connect: Connect
) -> None:
    server = await scripted(mail=["250 ok", "552 5.3.4 big"])
    pool = connect(server)

    assert await outcomes(pool, mails=2) == [Delivered, Permanent]
    assert server.connections == 1


async def test_s53c_a_host_that_went_away_is_down_whatever_was_kept(
    scripted: Scripted, connect: Connect
) -> None:
    server = await scripted(mail=["250 ok", "250 ok", DROP, DROP], connect=["220 a", "220 b", "421 no"])
    pool = connect(server)
    await asyncio.gather(*(pool.send() for _ in range(2)))

    assert await pool.send() == Transient("service_unavailable", answer="421 no", destination_down=True)
    await pool.close()


async def test_s54_a_connection_in_doubt_is_not_used_again(scripted: Scripted, connect: Connect) -> None:
    server = await scripted(dot=["hello?"])
    pool = connect(server)

    assert await outcomes(pool, mails=2) == [Ambiguous, Delivered]
    assert server.connections == 2


async def test_s55_a_lost_lease_stops_before_the_mail(scripted: Scripted, connect: Connect) -> None:
    server = await scripted()
    pool = connect(server)

    async def lost() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await pool.send(before_data=lost)
    await pool.close()

    assert server.mails == []
    assert "DATA" not in server.commands


async def test_s84_what_was_logged_in_before_is_not_kept_once_the_account_is_refused(
    scripted: Scripted, connect: Connect
) -> None:
    """Else a probe over it would find everything well."""
    server = await scripted(mail=["250 ok", "250 ok", "535 5.7.8 changed"])
    pool = connect(server, pool={"size": 3})
    taken = asyncio.Event()

    async def both_are_open() -> None:
        if server.connections == 2:
            taken.set()
        await taken.wait()

    await asyncio.gather(*(pool.send(before_data=both_are_open) for _ in range(2)))

    assert await outcomes(pool, mails=2) == [Suspended, Delivered]
    assert server.connections == 3, "neither of the two was used for the next mail"
