"""Payloads, messages and a normalizer on a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus import checkpoint
from leadbus.clock import FakeClock
from leadbus.contracts.examples import CONTACTATONCE
from leadbus.contracts.examples.alfatrack import ALFATRACK_LEADS
from leadbus.contracts.lead import Dealer, Lead
from leadbus.db import Database
from leadbus.envelope import Envelope, Properties, encode
from leadbus.messages import IncomingMessage
from leadbus.settings.documents import DocumentStore
from leadbus.web import Actor, Condition, Role
from normalizer import directory
from normalizer.consumers import LedgerConsumer, RawConsumer
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits

DEALER = Dealer(dealer_id="prairie-motors", name="Prairie Motors", country="US", time_zone="America/Chicago")
LIMITS = Limits(body_bytes=4_194_304)
OPERATOR = Actor("olga", Role.OPERATOR)

TABLES = (
    "raw, lead, lead_term, lead_revision, knowledge, quarantine, ledger, inbox, outbox, setting,"
    " setting_history, audit, consent_act, consent_standing"
)

Payload = Callable[..., dict[str, Any]]


def make_payload(lead_type: str = "Chat", /, **changes: Any) -> dict[str, Any]:
    """The published example of a lead type with some fields changed; None leaves one out."""
    merged = {**json.loads(json.dumps(CONTACTATONCE[lead_type])), **changes}
    return {name: value for name, value in merged.items() if value is not None}


def make_message(
    body: dict[str, Any] | bytes,
    /,
    id: str | None = "raw-1",  # noqa: A002
    *,
    source: str = "contactatonce",
    account: str = "prairie-group",
    content_type: str | None = "application/json",
    **extensions: str,
) -> IncomingMessage:
    """A raw message as the consumer hands it over; `id` None: a bare body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers: dict[str, Any] = {"account": account}
    properties = Properties(content_type=content_type)
    if id is not None:
        envelope = Envelope(
            id=id,
            source="ingest",
            type=f"raw.{source}",
            datacontenttype=content_type,
            extensions={"account": account, **extensions},
            data=data,
        )
        headers, properties = encode(envelope)
    return IncomingMessage(
        body=data,
        exchange="leadbus.raw",
        routing_key=f"raw.{source}",
        headers=headers,
        properties=properties,
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


@dataclass(frozen=True)
class Published:
    """An event in the outbox."""

    type: str
    id: str
    data: dict[str, Any]


@dataclass
class Workshop:
    """The normalizer's parts on one database, and eyes to look into it."""

    database: Database
    clock: FakeClock
    raw: RawConsumer
    ledger: LedgerConsumer
    quarantining: Quarantining
    settings: DocumentStore

    async def map_dealer(
        self,
        name: str = "prairie-motors",
        external_id: str = "40217",
        account: str | None = None,
        **spec: Any,
    ) -> None:
        """A Dealer and the Location that maps a reference to it."""
        dealer = {"name": "Prairie Motors", "country": "US", "time_zone": "America/Chicago", **spec}
        anyway = Condition(tags=("*",)) if await self.has_setting("Dealer", name) else None
        await self.settings.put("Dealer", name, dealer, actor="test", condition=anyway)
        location = f"{name}-{external_id}-{account or 'any'}"
        if not await self.has_setting("Location", location):
            mapping = {
                "source": "contactatonce",
                "account": account,
                "external_id": external_id,
                "dealer": name,
            }
            await self.settings.put("Location", location, mapping, actor="test")

    async def map_project(self) -> None:
        """The dealer of Alfa-Track's project 4127."""
        dealer = {"name": "Север", "country": "RU", "time_zone": "Europe/Moscow"}
        await self.settings.put("Dealer", "north", dealer, actor="test")
        location = {"source": "alfatrack", "external_id": "4127", "dealer": "north"}
        await self.settings.put("Location", "north", location, actor="test")

    async def until(self, condition: Callable[[], Awaitable[object]], seconds: float = 10) -> None:
        """Wait until `condition` is true; TimeoutError when it does not become so."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await condition():
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError
            await asyncio.sleep(0.02)

    async def has_setting(self, kind: str, name: str) -> bool:
        async with self.database.acquire() as conn:
            return await self.settings.find(conn, kind, name) is not None

    async def fetch(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(sql, *arguments)]

    async def leads(self) -> dict[UUID, int]:
        return {row["lead_id"]: row["revision"] for row in await self.fetch("SELECT * FROM lead")}

    async def lead(self, lead_id: UUID | None = None) -> Lead:
        """The last revision of a lead, by default the only one."""
        (row,) = await self.fetch(
            "SELECT document::text FROM lead JOIN lead_revision USING (lead_id, revision)"
            " WHERE lead_id = $1 OR $1 IS NULL",
            lead_id,
        )
        return Lead.model_validate_json(row["document"])

    async def revisions(self) -> list[dict[str, Any]]:
        return await self.fetch(
            "SELECT lead_id, revision, event_type, changed, raw_key FROM lead_revision"
            " ORDER BY lead_id, revision"
        )

    async def quarantined(self) -> list[dict[str, Any]]:
        return await self.fetch("SELECT * FROM quarantine ORDER BY quarantined_at, raw_key")

    async def reasons(self, state: str = "open") -> list[str]:
        return [row["reason"] for row in await self.quarantined() if row["state"] == state]

    async def attribution(self) -> dict[str, tuple[str, str]]:
        """Per parameter of the only lead its value and the raw message that told it."""
        told = (await self.lead()).attribution
        return {key: (one.value, one.raw_id) for key, one in told if key != "known_at" and one is not None}

    async def knowledge(self) -> list[dict[str, Any]]:
        return await self.fetch("SELECT * FROM knowledge ORDER BY lead_id, place")

    async def event_types(self) -> list[str]:
        return [event.type for event in await self.published()]

    async def published(self) -> list[Published]:
        rows = await self.fetch("SELECT routing_key, headers, body FROM outbox ORDER BY id")
        return [
            Published(
                row["routing_key"], json.loads(row["headers"])["cloudEvents_id"], json.loads(row["body"])
            )
            for row in rows
        ]


@pytest.fixture
def passed() -> Iterator[list[str]]:
    """The points passed, in order."""
    points: list[str] = []
    checkpoint.observe(points.append)
    yield points
    checkpoint.observe(None)


@pytest.fixture
def payload() -> Payload:
    return make_payload


@pytest.fixture
def message() -> Callable[..., IncomingMessage]:
    return make_message


@pytest.fixture
def with_headers() -> Callable[..., IncomingMessage]:
    """A message with more headers or other attributes."""

    def change(
        base: IncomingMessage, headers: dict[str, Any] | None = None, **attributes: Any
    ) -> IncomingMessage:
        return replace(base, headers={**base.headers, **(headers or {})}, **attributes)

    return change


@pytest.fixture
def pushed() -> Callable[..., IncomingMessage]:
    """A push of Alfa-Track, seen by our door `at` that minute; `extensions` are attributes beside it."""

    def make(told: dict[str, Any], id_: str, at: int = 1) -> IncomingMessage:
        body = {name: value for name, value in told.items() if name != "extensions"}
        attributes = {"receivedat": f"2026-03-02T08:{at:02}:00Z", **told.get("extensions", {})}
        return make_message(body, id_, source="alfatrack", account="main", **attributes)

    return make


@pytest.fixture
def lead_push(pushed: Any) -> Callable[..., IncomingMessage]:
    def make(id_: str = "lead-1", type_: str = "form", /, at: int = 1, **changes: Any) -> IncomingMessage:
        message: IncomingMessage = pushed({**ALFATRACK_LEADS[type_], "lead_id": "AT-1", **changes}, id_, at)
        return message

    return make


@pytest.fixture
def knowledge_push(pushed: Any) -> Callable[..., IncomingMessage]:
    def make(id_: str = "know-1", /, at: int = 2, **changes: Any) -> IncomingMessage:
        told = {"event": "knowledge", "lead_id": "AT-1", "parameters": {"source": "yandex"}, **changes}
        message: IncomingMessage = pushed(told, id_, at)
        return message

    return make


@pytest.fixture
async def north(workshop: Workshop) -> Workshop:
    """The workshop, with Alfa-Track's project mapped."""
    await workshop.map_project()
    return workshop


@pytest.fixture(scope="session")
def dealer() -> Dealer:
    return DEALER


@pytest.fixture
def operator() -> Actor:
    return OPERATOR


@pytest.fixture(scope="session")
def shared_database_url(database_factory: Any) -> Iterator[str]:
    """One database for all tests of this worker: emptying it is twenty times faster than making it."""
    url = database_factory.create("normalizer")
    yield url
    database_factory.drop(url)


@pytest.fixture
async def workshop(shared_database_url: str) -> AsyncIterator[Workshop]:
    database = Database(shared_database_url, max_size=6)
    await database.open()
    async with database.acquire() as conn:
        await conn.execute(f"TRUNCATE {TABLES}")
    clock = FakeClock()
    normalizing = Normalizing(LIMITS)
    yield Workshop(
        database,
        clock,
        RawConsumer(database, normalizing, clock, bare_window_seconds=600),
        LedgerConsumer(database),
        Quarantining(
            database,
            normalizing,
            clock,
            batch_size=2,
            poll_seconds=timedelta(seconds=0.2).total_seconds(),
        ),
        DocumentStore(database, directory.kinds(), clock=clock),
    )
    await database.close()
