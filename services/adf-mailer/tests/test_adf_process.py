"""W1–W9: adf-mailer as a process on real servers, started, fed, drained and killed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadReceived
from leadbus.envelope import Envelope
from leadbus.messages import event_message
from leadbus.publisher import Publisher
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.pytest_plugin import MakeDatabase
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
DEADLINE_SECONDS = 60.0
MANY = 100

Leads = Callable[..., Lead]


class Running:
    """An adf-mailer process, a client of its API, and somebody who publishes events."""

    def __init__(self, vhost: Vhost, database_url: str, smtp: SmtpServer, log: Path) -> None:
        settings = {
            "AMQP_URL": vhost.amqp_url,
            "DATABASE_URL": database_url,
            "TOKEN_KEY": TOKEN_KEY,
            "SMTP_HOST": smtp.host,
            "SMTP_PORT": str(smtp.port),
            "SMTP_TLS": "off",
            "FROM_ADDRESS": "leads@leadbus.example",
            "SMTP_STEP_TIMEOUT_SECONDS": "1",
            "SMTP_BEFORE_DOT_TIMEOUT_SECONDS": "1",
            "SMTP_ANSWER_TIMEOUT_SECONDS": "1",
            "RETRY_STEPS_SECONDS": "[0.2, 0.5]",
        }
        self.log = log
        self.database_url = database_url
        self.process = ServiceProcess(ServiceName("adf-mailer"), free_ports(1)[0], settings, log)
        self.http = httpx2.AsyncClient(base_url=self.process.url, timeout=20)
        self.publisher = Publisher(SecretStr(vhost.amqp_url), app_id="test")

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)
        await asyncio.to_thread(self.process.wait_ready)

    async def route(self) -> None:
        spec = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
        path, admin = "/v1/settings/AdfRoute/main", self.token("admin")
        put = await self.http.put(path, json={"spec": spec}, headers=admin)
        assert put.status_code == 201, put.text

    def token(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', role)}"}

    async def publish(self, *leads: Lead) -> None:
        envelopes = [
            Envelope(
                id=str(uuid4()),
                source="urn:leadbus:normalizer",
                type="lead.received.v1",
                datacontenttype="application/json",
                data=LeadReceived(lead=lead).to_json(),
            )
            for lead in leads
        ]
        results = await self.publisher.publish_many([event_message(one) for one in envelopes])
        assert {result.value for result in results} == {"confirmed"}

    async def rows(self, query: str) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@pytest.fixture
async def running(
    topology: Vhost, make_database: MakeDatabase, smtp: SmtpServer, tmp_path: Path
) -> AsyncIterator[Running]:
    made = Running(topology, make_database("adf_mailer"), smtp, tmp_path / "adf-mailer.log")
    await made.publisher.start()
    await made.start()
    await made.route()
    yield made
    await asyncio.to_thread(made.process.stop)
    await made.publisher.close()
    await made.http.aclose()


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            if await what():
                return
            await asyncio.sleep(0.1)


async def test_w1_event_in_mail_out_and_said(
    running: Running, topology: Vhost, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await running.publish(golden_lead())

    async def arrived() -> bool:
        return bool(smtp.messages())

    await until(arrived)
    (mail,) = smtp.messages()
    assert b"<service>Chat</service>" in mail.content
    told = await one_message(topology.amqp_url, "normalizer.ledger")
    assert told["outcome"] == "delivered"
    assert UUID(told["subject_id"]) == golden_lead().lead_id
    exposed = (await running.http.get("/metrics")).text
    assert 'leadbus_smtp_responses_total{class="2xx",enhanced="2.0"} 1.0' in exposed
    ready = (await running.http.get("/readyz")).json()
    assert ready["checks"]["consumes adf-mailer.leads"] == "ok"
    assert "nunez" not in running.log.read_text().lower()


async def test_w2_killed_in_mid_stream_no_lead_is_lost_or_doubled_unsaid(
    running: Running, smtp: SmtpServer, golden_lead: Leads
) -> None:
    leads = [golden_lead(lead_id=str(uuid4())) for _ in range(MANY)]
    await running.publish(*leads)

    async def under_way() -> bool:
        return len(smtp.messages()) >= MANY // 5

    await until(under_way)
    await asyncio.to_thread(running.process.kill)
    await running.start()

    async def all_ended() -> bool:
        rows = await running.rows("SELECT count(*) AS n FROM delivery WHERE phase = 'delivered'")
        return bool(rows[0]["n"] == MANY)

    await until(all_ended)
    sent = Counter(str(mail.message["X-Leadbus-Lead"]) for mail in smtp.messages())
    assert set(sent) == {str(lead.lead_id) for lead in leads}
    in_doubt = {row["subject_id"] for row in await running.rows("SELECT * FROM delivery WHERE doubts > 0")}
    assert {lead_id for lead_id, times in sent.items() if times > 1} <= in_doubt
    # Not vacuous: most were sent without any doubt.
    assert len(in_doubt) < MANY // 2
    for mails in by_lead(smtp).values():
        assert len(set(mails)) == 1


async def test_w3_drained_it_finishes_what_it_began_and_leaves_the_rest(
    running: Running, smtp: SmtpServer, golden_lead: Leads
) -> None:
    leads = [golden_lead(lead_id=str(uuid4())) for _ in range(40)]
    await running.publish(*leads)

    async def under_way() -> bool:
        return bool(smtp.messages())

    await until(under_way)
    await asyncio.to_thread(running.process.stop)

    rows = await running.rows("SELECT phase, doubts FROM delivery")
    assert {row["phase"] for row in rows} <= {"delivered", "queued"}
    assert {row["doubts"] for row in rows} <= {0}
    assert len(smtp.messages()) == sum(row["phase"] == "delivered" for row in rows)
    await running.start()

    async def all_sent() -> bool:
        return len(smtp.messages()) >= len(leads)

    await until(all_sent)
    assert len(by_lead(smtp)) == len(smtp.messages()) == len(leads)


def by_lead(smtp: SmtpServer) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for mail in smtp.messages():
        found.setdefault(str(mail.message["X-Leadbus-Lead"]), []).append(mail.content)
    return found


async def one_message(amqp_url: str, queue: str) -> dict[str, Any]:
    connection = await aio_pika.connect(amqp_url)
    async with connection, asyncio.timeout(DEADLINE_SECONDS):
        channel = await connection.channel()
        source = await channel.get_queue(queue)
        async with source.iterator(no_ack=True) as messages:
            async for message in messages:
                return dict(json.loads(message.body))
    raise AssertionError("the queue ended")
