"""Mails brought to ingest as a process, on real servers that die and come back."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.db import migrate
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.pytest_plugin import MakeDatabase
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
DEADLINE_SECONDS = 30.0
ADDRESS = "prairie-7f3k@leads.example"
TEXT = b"Message-ID: <%d@cars.example>\r\nSubject: Lead\r\n\r\n<adf>\xc3\xbc</adf>\r\n.\r\n.dots\r\n"


class Running:
    """An ingest process that takes mails, and its client."""

    def __init__(self, amqp_url: str, database_url: str, log: Path) -> None:
        self.smtp_port, self.lmtp_port, http_port = free_ports(3)
        settings = {"AMQP_URL": amqp_url, "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY}
        ports = {"MAIL_SMTP_PORT": str(self.smtp_port), "MAIL_LMTP_PORT": str(self.lmtp_port)}
        self.process = ServiceProcess(ServiceName("ingest"), http_port, {**settings, **ports}, log)
        self.http = httpx2.AsyncClient(base_url=self.process.url, timeout=20)

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)
        await asyncio.to_thread(self.process.wait_ready)
        await until(self.listens)

    async def set_up(self) -> None:
        spec = {"address": ADDRESS, "location": "D-1"}
        put = await self.http.put("/v1/settings/MailRecipient/prairie", json={"spec": spec}, headers=ADMIN)
        assert put.status_code == 201, put.text

    async def listens(self) -> bool:
        try:
            with await asyncio.to_thread(self.connect):
                return True
        except OSError:
            return False

    def connect(self, kind: type[smtplib.SMTP] = smtplib.SMTP) -> smtplib.SMTP:
        port = self.lmtp_port if kind is smtplib.LMTP else self.smtp_port
        return kind("127.0.0.1", port, local_hostname="c.example", timeout=20)

    def bring(self, number: int, kind: type[smtplib.SMTP] = smtplib.SMTP) -> None:
        """Send a mail as a mail server does; raises smtplib's errors."""
        with self.connect(kind) as client:
            client.sendmail("leads@cars.example", [ADDRESS], TEXT % number)

    def reach_data(self) -> smtplib.SMTP:
        """A connection that is asked for the text of a mail."""
        client = self.connect()
        client.ehlo()
        assert [client.mail("a@b.example")[0], client.rcpt(ADDRESS)[0]] == [250, 250]
        assert client.docmd("DATA")[0] == 354
        return client


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[[str, str], Awaitable[Running]]]:
    started: list[Running] = []

    async def start_one(amqp_url: str, database_url: str) -> Running:
        running = Running(amqp_url, database_url, tmp_path / f"ingest-{len(started)}.log")
        started.append(running)
        await running.start()
        await running.set_up()
        return running

    yield start_one
    for running in started:
        await running.http.aclose()
        await asyncio.to_thread(running.process.stop)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.05)


async def stored(database_url: str, count: int = 1, *, published: bool = False) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        condition = "published_at IS NOT NULL" if published else "true"
        return bool(await connection.fetchval(f"SELECT count(*) FROM raw WHERE {condition}") == count)
    finally:
        await connection.close()


async def published(vhost: Vhost) -> list[Any]:
    """What lies in the normalizer's queue."""
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection:
        queue = await (await connection.channel()).get_queue("normalizer.raw")
        found: list[Any] = []
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            found.append(message)
        return found


@pytest.mark.parametrize("kind", [smtplib.SMTP, smtplib.LMTP])
async def test_a_mail_is_published_as_it_came(
    topology: Vhost, make_database: MakeDatabase, start: Any, kind: type[smtplib.SMTP]
) -> None:
    database_url = make_database("ingest")
    ingest = await start(topology.amqp_url, database_url)
    await asyncio.to_thread(ingest.bring, 1, kind)
    await until(partial(stored, database_url, published=True))
    (message,) = await published(topology)
    assert (message.body, message.content_type) == (TEXT % 1, "message/rfc822")
    assert (message.exchange, message.routing_key) == ("leadbus.raw", "raw.adf")
    assert message.headers["cloudEvents_account"] == "prairie"
    assert message.headers["cloudEvents_location"] == "D-1"
    answer = await ingest.http.get(f"/v1/raw/{message.message_id}", headers=ADMIN)
    assert (answer.json()["status"], answer.json()["source"]) == ("published", "adf")


async def test_killed_between_commit_and_answer_it_is_one_message(
    topology: Vhost, make_database: MakeDatabase, start: Any
) -> None:
    database_url = make_database("ingest")
    ingest = await start(topology.amqp_url, database_url)
    client = await asyncio.to_thread(ingest.reach_data)
    client.send((TEXT % 1).replace(b"\r\n.", b"\r\n..") + b".\r\n")
    await until(partial(stored, database_url))
    ingest.process.kill()
    # What the sender knows: the connection ended, and it has read no answer.
    client.close()
    await ingest.start()
    await asyncio.to_thread(ingest.bring, 1)
    await asyncio.to_thread(ingest.bring, 2)
    await until(partial(stored, database_url, 2, published=True))
    assert {message.body for message in await published(topology)} == {TEXT % 1, TEXT % 2}
    assert await stored(database_url, 2)


async def test_sm11_without_its_database_the_sender_keeps_the_mail(
    topology: Vhost, private_postgres: Any, start: Any
) -> None:
    await asyncio.to_thread(migrate, "ingest", private_postgres.url)
    ingest = await start(topology.amqp_url, private_postgres.url)
    client = await asyncio.to_thread(ingest.reach_data)
    await asyncio.to_thread(private_postgres.kill)
    client.send(TEXT % 1 + b".\r\n")
    code, told = await asyncio.to_thread(client.getreply)
    assert (code, told[:5]) == (451, b"4.3.0")
    client.close()
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await asyncio.to_thread(ingest.bring, 1)
    assert caught.value.recipients[ADDRESS][0] == 451

    await asyncio.to_thread(private_postgres.start)

    async def taken() -> bool:
        with suppress(smtplib.SMTPException):
            await asyncio.to_thread(ingest.bring, 1)
            return True
        return False

    await until(taken)
    assert await stored(private_postgres.url)


async def test_a_mail_in_hand_is_stored_before_the_process_ends(
    topology: Vhost, make_database: MakeDatabase, start: Any
) -> None:
    database_url = make_database("ingest")
    ingest = await start(topology.amqp_url, database_url)
    busy = await asyncio.to_thread(ingest.reach_data)
    busy.send(b"Subject: half\r\n")
    idle = await asyncio.to_thread(ingest.connect)
    stopping = asyncio.create_task(asyncio.to_thread(ingest.process.stop))
    assert (await asyncio.to_thread(idle.getreply))[0] == 421
    assert not await ingest.listens()
    busy.send(b"\r\nwhole\r\n.\r\n")
    assert (await asyncio.to_thread(busy.getreply))[0] == 250
    with suppress(smtplib.SMTPException, socket.error):
        assert (await asyncio.to_thread(busy.getreply))[0] == 421
    await stopping
    assert ingest.process.process.exit_code == 0
    # What was stored last is published before the end.
    assert await stored(database_url, published=True)
    assert [message.body for message in await published(topology)] == [b"Subject: half\r\n\r\nwhole\r\n"]
