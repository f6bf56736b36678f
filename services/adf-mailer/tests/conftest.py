"""Leads to render, read from `golden/`, and the service in this process on a database of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from adf_mailer import addresses_api, api, bounces_api, profiles_api, silence_api, trying_api, vendors_api
from adf_mailer.addresses import Addresses
from adf_mailer.bounces.intake import BounceRoom
from adf_mailer.bounces.settling import Reopening, Settling
from adf_mailer.consumers import LeadsConsumer
from adf_mailer.delivery import DESTINATION_SHARE, AdfMailSink, DomainGates, SmartHost, SmartHosts
from adf_mailer.delivery.connection import Envelope as MailEnvelope
from adf_mailer.desk import Desk
from adf_mailer.domain.address_standing import AddressRules
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.return_path import ReturnPath
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.planning import SINK, Planner
from adf_mailer.refusals import Refusals
from adf_mailer.routes import ADF_ROUTE
from adf_mailer.silence import Silence
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from leadbus.clock import FakeClock
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadReceived
from leadbus.db import Database
from leadbus.delivery import DeliveryEngine, Outcome
from leadbus.delivery.router import router as deliveries
from leadbus.envelope import Envelope, encode
from leadbus.messages import IncomingMessage
from leadbus.settings import documents
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.smtp.scripted import ScriptedServer, scripted_servers
from pydantic import SecretStr

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden_lead() -> Callable[..., Lead]:
    """`golden_lead("chat", test=True)`: the lead of `golden/chat.json`, top-level fields replaced."""

    def read(kind: str = "chat", **changes: Any) -> Lead:
        return Lead.model_validate(json.loads((GOLDEN / f"{kind}.json").read_text()) | changes)

    return read


@pytest.fixture
def make_route() -> Callable[..., Route]:
    """`make_route("main", updates="ignore")`: a route of the golden leads' dealer."""

    def make(name: str = "main", **spec: Any) -> Route:
        defaults = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
        return Route(name, AdfRoute.model_validate(defaults | spec))

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, address = datetime.now(UTC), x509.IPAddress(IPv4Address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[..., Awaitable[ScriptedServer]]]:
    """`server = await scripted(rcpt="550 no")`, listening on a port of its own."""
    async with scripted_servers() as start:
        yield start


async def nothing() -> None:
    return


class SamplePool:
    """Sends one and the same mail, unless told otherwise, over `hosts`."""

    MAIL = MailEnvelope(
        "leads@leadbus.example", "leads@prairie.example", b"Subject: x\r\n\r\n.\r\n..a\r\nb\r\n"
    )

    def __init__(self, hosts: SmartHosts) -> None:
        self.hosts = hosts

    async def send(
        self, envelope: MailEnvelope = MAIL, before_data: Callable[[], Awaitable[None]] = nothing
    ) -> Outcome:
        return (await self.hosts.send(envelope, before_data)).outcome

    async def close(self) -> None:
        await self.hosts.close()


@pytest.fixture
def connect() -> Callable[..., SamplePool]:
    """`pool = connect(server, tls="required", pool={"size": 3})`: changes of the host, and of the pool.

    More servers are more smart hosts.
    """

    def connect(*servers: ScriptedServer, pool: dict[str, Any] | None = None, **host: Any) -> SamplePool:
        defaults: dict[str, Any] = {
            "ehlo_name": "leadbus.example",
            "tls": "off",
            "step_timeout_seconds": 0.3,
            "before_dot_timeout_seconds": 2.0,
            "answer_timeout_seconds": 0.5,
        }
        hosts = [SmartHost("127.0.0.1", server.port, **(defaults | host)) for server in servers]
        return SamplePool(SmartHosts(hosts, **({"size": 2} | (pool or {}))))

    return connect


@pytest.fixture
def send(connect: Callable[..., SamplePool]) -> Callable[..., Awaitable[Outcome]]:
    """`outcome = await send(server, tls="required")`: one mail over a connection of its own."""

    async def send(*servers: ScriptedServer, **host: Any) -> Outcome:
        pool = connect(*servers, **host)
        try:
            return await pool.send()
        finally:
            await pool.close()

    return send


TABLES = (
    *("bounce", "mail", "lead", "poison", "unrouted", "address_standing"),
    *("attempt", "delivery", "destination", "inbox", "outbox"),
    *("setting", "setting_history", "audit"),
)
TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
EVENT_SOURCE = "urn:leadbus:normalizer"


@dataclass
class Mailer:
    """adf-mailer in this process without RabbitMQ: batches are handed in, the engine is stepped by hand."""

    database: Database
    clock: FakeClock
    leads: LeadsConsumer
    engine: DeliveryEngine
    hosts: SmartHosts
    http: httpx2.AsyncClient
    settling: Settling
    room: BounceRoom
    addresses: Addresses

    def token(self, role: str, dealers: list[str] | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), f'test-{role}', role, dealers)}"}

    async def route(self, name: str = "main", **spec: Any) -> httpx2.Response:
        """Put a route of the golden leads' dealer."""
        defaults = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
        headers = self.token("admin")
        known = await self.http.get(f"/v1/settings/AdfRoute/{name}", headers=headers)
        if known.status_code == 200:
            headers["If-Match"] = known.headers["ETag"]
        return await self.http.put(
            f"/v1/settings/AdfRoute/{name}", json={"spec": defaults | spec}, headers=headers
        )

    def event(self, kind: str, lead: Lead, *, event_id: str | None = None) -> IncomingMessage:
        """`event("received", lead)`: the message as it comes in."""
        data = LeadReceived(lead=lead).to_json()
        return self.message(f"lead.{kind}.v1", data, event_id=event_id)

    def message(self, type_: str, data: bytes, *, event_id: str | None = None) -> IncomingMessage:
        envelope = Envelope(
            id=event_id or str(uuid4()),
            source=EVENT_SOURCE,
            type=type_,
            datacontenttype="application/json",
            data=data,
        )
        headers, properties = encode(envelope)
        return IncomingMessage(data, "leadbus.events", type_, headers, properties, False, 0, 1)

    async def take(self, *messages: IncomingMessage) -> None:
        await self.leads.handle(messages)

    async def work(self) -> None:
        """Let the engine do everything that is due."""
        async with asyncio.timeout(20):
            while await self.engine.step() or self.engine.in_flight:
                if tries := [act.task for act in self.engine._acts.values() if act.task]:
                    await asyncio.wait(tries)

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.engine._next.clear()
        await self.work()

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM delivery ORDER BY seq")

    async def events(self) -> list[dict[str, Any]]:
        """What was told to the outside: type and data of every message in the outbox."""
        rows = await self.rows("SELECT routing_key, body FROM outbox ORDER BY id")
        return [{"type": row["routing_key"], **json.loads(row["body"])} for row in rows]


@pytest.fixture(scope="session")
def mailer_database_url(database_factory: DatabaseFactory) -> Iterator[str]:
    """One database for all tests in process; each finds it empty."""
    url = database_factory.create("adf_mailer")
    yield url
    database_factory.drop(url)


RETURN_PATH = ReturnPath("bounces@mail.leadbus.example", (b"a-bounce-key-of-tests-of-32-bytes-or-more",))


@pytest.fixture
def letterhead() -> Letterhead:
    """What the mails of `mailer` have of ours."""
    return Letterhead("leads@leadbus.example")


@pytest.fixture
def reopening() -> Reopening:
    """What `mailer` tries again of bounces."""
    return Reopening()


@pytest.fixture
async def mailer(
    mailer_database_url: str, smtp: SmtpServer, letterhead: Letterhead, reopening: Reopening
) -> AsyncIterator[Mailer]:
    clock = FakeClock(datetime(2026, 4, 15, 16, 0, tzinfo=UTC))
    database = Database(mailer_database_url)
    await database.open()
    async with database.acquire() as conn:
        # Not TRUNCATE, which makes and syncs new files for every table.
        await conn.execute(";".join(f"DELETE FROM {table}" for table in TABLES))
    host = SmartHost(
        smtp.host,
        smtp.port,
        "leadbus.example",
        return_path=RETURN_PATH.address,
        tls="off",
        step_timeout_seconds=2,
        answer_timeout_seconds=0.5,
    )
    hosts = SmartHosts([host], size=4)
    gates = DomainGates(capacity=4, most=4)
    planner = Planner(
        hosts.name,
        letterhead,
        clock,
        lambda planned: engine.offer(planned),
        lambda planning: engine.starting(planning),
    )
    addresses = Addresses(database, clock, AddressRules(3, (900.0, 3600.0)))
    desk = Desk(database, planner)
    refusals = Refusals(database, addresses, desk)
    engine = DeliveryEngine(
        database,
        AdfMailSink(desk, hosts, gates, addresses, refusals, clock),
        clock=clock,
        capacity=4,
        destination_share=DESTINATION_SHARE,
        act_timeout_seconds=10,
        poll_seconds=0.05,
    )
    settling = Settling(database, clock, reopening, engine.wake, refusals=refusals)
    consumer = LeadsConsumer(database, planner, clock, lambda: None)
    store = documents.DocumentStore(database, [ADF_ROUTE], clock=clock)
    silence = Silence(database, clock, expected_leads=3, interval_seconds=300)
    app = create_app(
        "adf-mailer",
        "adf-mailer",
        "0",
        [
            deliveries(
                database,
                sink=SINK,
                wake=engine.wake,
                clock=clock,
                details=api.details(database),
                redrivable=api.redrivable,
            ),
            api.router(database, consumer, clock),
            addresses_api.router(database, clock, lambda: engine.wake()),
            bounces_api.router(database),
            vendors_api.router(),
            silence_api.router(silence),
            trying_api.router(database, planner),
            profiles_api.router(),
            documents.router(store),
        ],
        verifier=TokenVerifier(StaticKey(SecretStr(TOKEN_KEY))),
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://mailer") as http:
        room = BounceRoom(database, RETURN_PATH, settling, clock)
        yield Mailer(database, clock, consumer, engine, hosts, http, settling, room, addresses)
    await engine.drain(1)
    await hosts.close()
    await database.close()


@pytest.fixture
def refusing(
    mailer: Mailer,
    scripted: Callable[..., Awaitable[ScriptedServer]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Awaitable[ScriptedServer]]:
    """`await refusing(rcpt=…)`: from here on the mailer's host answers so."""

    async def put(**answers: Any) -> ScriptedServer:
        server = await scripted(**answers)
        host = SmartHost("127.0.0.1", server.port, "leadbus.example", tls="off")
        monkeypatch.setattr(mailer.engine._acting._sink, "_hosts", SmartHosts([host], size=4))
        return server

    return put
