"""MT50–MT59: a real mail server killed, frozen, silent, between and during mails: rules/real-mta.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from leadbus import checkpoint
from leadbus.delivery import Ambiguous, Delivered, Transient
from leadbus_devstack.postfix import NativePostfix, To

from tests.support.postfix_client import RAW, Client, arrived, send_once

BEFORE_THE_DOT = ["smtp.connected", "smtp.addressed"]


@contextmanager
def happening(point: str, act: Callable[[], None]) -> Iterator[None]:
    """`act` once, the next time `point` is passed."""
    acts = [act]

    def observe(passed: str) -> None:
        if passed == point and acts:
            acts.pop()()

    checkpoint.observe(observe)
    try:
        yield
        assert not acts, f"{point} was not passed"
    finally:
        checkpoint.observe(None)


async def test_mt50_killed_between_mails(private_postfix: NativePostfix) -> None:
    postfix = private_postfix
    first, again = RAW + b"1\r\n", RAW + b"2\r\n"
    async with Client(postfix) as client:
        assert isinstance(await client.send(To.MAILBOX, first), Delivered)
        postfix.kill()
        got = await client.send(To.MAILBOX, again)
        assert got == Transient("connect_failed", destination_down=True)
        postfix.start()
        assert isinstance(await client.send(To.MAILBOX, again), Delivered)

    assert set(await arrived(postfix, [first, again])) == {first, again}


@pytest.mark.parametrize("point", BEFORE_THE_DOT)
async def test_mt51_killed_during_a_mail_before_its_dot(point: str, private_postfix: NativePostfix) -> None:
    """Certainly not taken: nothing is in doubt, and it is there once in the end."""
    postfix = private_postfix
    async with Client(postfix) as client:
        with happening(point, postfix.kill):
            got = await client.send(To.MAILBOX)
        assert isinstance(got, Transient)
        assert got.destination_down
        postfix.start()
        assert isinstance(await client.send(To.MAILBOX), Delivered)
        marker = RAW + b"the last\r\n"
        assert isinstance(await client.send(To.MAILBOX, marker), Delivered)

    assert sorted(await arrived(postfix, [RAW, marker])) == sorted([RAW, marker])


@pytest.mark.parametrize(
    ("point", "possible"), [("smtp.content_written", Ambiguous), ("smtp.dot_sent", Ambiguous | Delivered)]
)
async def test_mt52_killed_at_the_dot(point: str, possible: Any, private_postfix: NativePostfix) -> None:
    """In doubt, unless the answer was on its way: what was answered with 250 is there after the restart."""
    postfix = private_postfix
    async with Client(postfix) as client:
        with happening(point, postfix.kill):
            got = await client.send(To.MAILBOX)
        assert isinstance(got, possible)
        postfix.start()
        marker = RAW + b"the last\r\n"
        assert isinstance(await client.send(To.MAILBOX, marker), Delivered)

    if isinstance(got, Ambiguous):
        assert isinstance(await send_once(postfix, To.MAILBOX), Delivered)
    assert set(await arrived(postfix, [RAW, marker])) == {RAW, marker}


async def test_mt53_killed_among_many_mails_loses_none_that_it_took(private_postfix: NativePostfix) -> None:
    postfix = private_postfix
    taken: list[bytes] = []
    doubtful: list[bytes] = []
    sent = [RAW + f"mail {number}\r\n".encode() for number in range(60)]
    left = iter(sent)

    async def one_after_the_other(client: Client) -> None:
        for raw in left:
            got = await client.send(To.MAILBOX, raw)
            assert isinstance(got, Delivered | Transient | Ambiguous)
            if isinstance(got, Delivered):
                taken.append(raw)
            if isinstance(got, Ambiguous):
                doubtful.append(raw)
            if len(taken) == 20:
                postfix.kill()

    async with Client(postfix) as client:
        await asyncio.gather(*(one_after_the_other(client) for _ in range(4)))
    assert 20 <= len(taken) < len(sent)
    postfix.start()

    mails = await arrived(postfix, taken)
    assert set(mails) <= {*taken, *doubtful}, "what was not in doubt was not taken"


async def test_mt54_frozen_before_it_greets(private_postfix: NativePostfix) -> None:
    """The kernel takes the connection; nobody says a word."""
    private_postfix.freeze()
    got = await send_once(private_postfix, To.MAILBOX, step_timeout_seconds=0.5)
    assert isinstance(got, Transient)
    assert got.destination_down
    assert got.reason in ("connect_timeout", "timeout")


async def test_mt55_frozen_during_a_mail_before_its_dot(private_postfix: NativePostfix) -> None:
    postfix = private_postfix
    async with Client(postfix, step_timeout_seconds=0.5) as client:
        with happening("smtp.addressed", postfix.freeze):
            got = await client.send(To.MAILBOX)
        assert got == Transient("timeout", destination_down=True)
        postfix.thaw()
    async with Client(postfix) as client:
        assert isinstance(await client.send(To.MAILBOX), Delivered)

    assert len(postfix.wait_for_mails(1)) == 1


async def test_mt56_frozen_at_the_dot_it_took_the_mail_that_is_in_doubt(
    private_postfix: NativePostfix,
) -> None:
    """Sent again it is there twice, byte for byte and under one Message-ID: whoever reads it can tell."""
    postfix = private_postfix
    async with Client(postfix, answer_timeout_seconds=0.5) as client:
        with happening("smtp.content_written", postfix.freeze):
            got = await client.send(To.MAILBOX)
    assert got == Ambiguous("timeout")
    postfix.thaw()
    assert isinstance(await send_once(postfix, To.MAILBOX), Delivered)

    mails = postfix.wait_for_mails(2)
    assert [mail.sent for mail in mails] == [RAW, RAW]
    assert {mail.message_id for mail in mails} == {"<1@leadbus.example>"}


async def test_mt57_a_kept_connection_that_it_closed_for_silence(postfix: NativePostfix) -> None:
    before = postfix.log.read_text().count("timeout after")
    async with Client(postfix, "impatient") as client:
        assert isinstance(await client.send(To.MAILBOX), Delivered)
        async with asyncio.timeout(30):
            while postfix.log.read_text().count("timeout after") == before:  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.05)
        assert isinstance(await client.send(To.MAILBOX), Delivered)

    assert len(postfix.wait_for_mails(2)) == 2


async def test_mt58_stopped_politely_between_mails(private_postfix: NativePostfix) -> None:
    postfix = private_postfix
    async with Client(postfix) as client:
        assert isinstance(await client.send(To.MAILBOX), Delivered)
        postfix.stop()
        assert await client.send(To.MAILBOX) == Transient("connect_failed", destination_down=True)
        postfix.start()
        assert isinstance(await client.send(To.MAILBOX), Delivered)

    assert len(postfix.wait_for_mails(2)) == 2


async def test_mt59_what_it_took_for_a_host_behind_it_survives_its_death(
    private_postfix: NativePostfix,
) -> None:
    """250 means that it is theirs, though nobody listens behind."""
    postfix = private_postfix
    assert isinstance(await send_once(postfix, To.BEHIND), Delivered)
    postfix.kill()
    assert postfix.queued() >= 1
