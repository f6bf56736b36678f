"""W10–W11: what app.py wires together, in this process on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import aio_pika
import httpx2
import pytest
from adf_mailer import app
from adf_mailer.settings import AdfMailerSettings
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadReceived
from leadbus.envelope import Envelope
from leadbus.messages import event_message
from leadbus.outbox import OutboxRelay
from leadbus.publisher import Publisher
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.pytest_plugin import MakeDatabase
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
DEADLINE_SECONDS = 30.0

Leads = Callable[..., Lead]


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (found := await condition()):  # noqa: ASYNC110 -- the broker has no event for it
            await asyncio.sleep(0.02)
    return found


class Wired:
    """The service as `build` makes it, but for a relay that never polls."""

    def __init__(self, vhost: Vhost, settings: AdfMailerSettings, publisher: Publisher) -> None:
        self.publisher = publisher
        self.http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}", timeout=20)
        self._amqp_url = vhost.amqp_url

    async def ready(self) -> bool:
        try:
            answer = await self.http.get("/readyz")
        except httpx2.TransportError:
            return False
        return answer.status_code == 200 and self.publisher.connected

    async def route(self) -> None:
        spec = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
        token = sign_token(SecretStr(TOKEN_KEY), "test", "admin")
        put = await self.http.put(
            "/v1/settings/AdfRoute/main",
            json={"spec": spec},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert put.status_code == 201, put.text

    async def receive(self, lead: Lead) -> None:
        await self.publisher.publish(
            event_message(
                Envelope(
                    id=str(uuid4()),
                    source="urn:leadbus:normalizer",
                    type="lead.received.v1",
                    datacontenttype="application/json",
                    data=LeadReceived(lead=lead).to_json(),
                )
            )
        )

    async def told(self) -> dict[str, Any]:
        """The first `delivery.*` event to come out, and its type."""
        async with await aio_pika.connect(self._amqp_url) as connection:
            queue = await (await connection.channel()).get_queue("normalizer.ledger", ensure=False)
            message = await until(lambda: queue.get(fail=False))
        return {"type": message.type, **json.loads(message.body)}


@pytest.fixture
async def wired(
    topology: Vhost, make_database: MakeDatabase, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wired]:
    settings = AdfMailerSettings(
        amqp_url=SecretStr(topology.amqp_url),
        database_url=SecretStr(make_database("adf_mailer")),
        token_key=SecretStr(TOKEN_KEY),
        http_port=free_ports(1)[0],
        smtp_host=smtp.host,
        smtp_port=smtp.port,
        smtp_tls="off",
        from_address="leads@leadbus.example",
    )
    publisher = Publisher(settings.amqp_url, app_id="adf-mailer")
    monkeypatch.setattr(app, "Publisher", lambda *_, **__: publisher)
    monkeypatch.setattr(app, "OutboxRelay", partial(OutboxRelay, poll_seconds=3600))
    service = app.build(settings)
    running = asyncio.create_task(service.run())
    wired = Wired(topology, settings, publisher)
    try:
        await until(wired.ready)
        yield wired
    finally:
        service._on_signal()
        await running
        await wired.http.aclose()


async def test_w10_an_outcome_is_told_without_waiting_for_the_poll(wired: Wired, golden_lead: Leads) -> None:
    await wired.route()
    await wired.receive(golden_lead())
    assert (await wired.told())["type"] == "delivery.succeeded.v1"


async def test_w11_a_skip_is_told_without_waiting_for_the_poll(wired: Wired, golden_lead: Leads) -> None:
    await wired.receive(golden_lead())
    told = await wired.told()
    assert (told["type"], told["outcome"]) == ("delivery.skipped.v1", "no_route")
