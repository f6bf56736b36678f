"""What a service says about itself, whatever else is broken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from leadbus import outbox
from leadbus.clock import SystemClock
from leadbus.db import Database, is_unavailable
from leadbus.envelope import Properties
from leadbus.health import Health
from leadbus.messages import OutgoingMessage
from leadbus.service.diagnosis import Diagnosing, router
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from leadbus_devstack.pytest_plugin import MakeDatabase
from pydantic import SecretStr

KEY = SecretStr("a key for tests that is long enough to sign with")
AMQP_URL = SecretStr("amqp://normalizer:hidden@broker.example:5671/leads")


@dataclass(frozen=True, slots=True)
class Consumer:
    queue: str
    consuming: bool


@dataclass(frozen=True, slots=True)
class Publisher:
    connected: bool


class Ahead(SystemClock):
    """A service whose machine is ahead of the database's."""

    def now(self) -> Any:
        return super().now() + timedelta(hours=1)


async def ask(diagnosing: Diagnosing, role: str | None = "operator") -> httpx2.Response:
    app = create_app("normalizer", "t", "1", [router(diagnosing)], verifier=TokenVerifier(StaticKey(KEY)))
    headers = {"Authorization": f"Bearer {sign_token(KEY, 'ann', role)}"} if role else {}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://t") as client:
        return await client.get("/v1/diagnosis", headers=headers)


def diagnosing(database: Database | None = None, **more: Any) -> Diagnosing:
    health = Health("normalizer", unavailable=is_unavailable)
    if database is not None:
        health.check_ready("database", database.ping)
    options = {"database": database, "amqp_url": AMQP_URL, **more}
    return Diagnosing("normalizer", "normalizer", "1.2.3", health, **options)


@pytest.fixture
async def database(make_database: MakeDatabase) -> AsyncIterator[Database]:
    database = Database(make_database("normalizer"))
    await database.open()
    yield database
    await database.close()


async def test_a_service_that_is_well(database: Database) -> None:
    async with database.transaction() as conn:
        message = OutgoingMessage(
            "leadbus.events", "lead.received.v1", b"{}", {}, Properties(), mandatory=True
        )
        await outbox.add(conn, [message, message])
    answer = await ask(
        diagnosing(database, publisher=Publisher(True), consumers=[Consumer("normalizer.raw", False)])
    )
    seen = answer.json()
    assert (seen["service"], seen["version"], seen["token"]) == (
        "normalizer",
        "1.2.3",
        {"subject": "ann", "role": "operator"},
    )
    assert (seen["database"]["reachable"], seen["database"]["schema_state"]) == (True, "current")
    assert seen["database"]["server_version"][0].isdigit()
    # The same machine's clock: what separates them is the round trip, whatever that took.
    assert abs(seen["database"]["ahead_seconds"]) <= 1 + seen["database"]["round_trip_seconds"]
    assert seen["outbox"]["pending"] == 2
    assert seen["checks"] == {"database": "ok"}
    assert seen["broker"] == {
        "user": "normalizer",
        "host": "broker.example",
        "port": 5671,
        "vhost": "leads",
        "publishing": True,
        "consuming": {"normalizer.raw": False},
    }
    assert "hidden" not in answer.text


async def test_clocks_apart_are_seen(database: Database) -> None:
    seen = (await ask(diagnosing(database, clock=Ahead()))).json()
    assert -3700 < seen["database"]["ahead_seconds"] < -3500


async def test_a_schema_behind_is_seen(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("DROP TABLE alembic_version")
    assert (await ask(diagnosing(database))).json()["database"]["schema_state"] == "behind"


async def test_without_an_outbox_there_is_none(database_url: str) -> None:
    empty = Database(database_url)
    await empty.open()
    seen = (await ask(diagnosing(empty))).json()
    await empty.close()
    assert (seen["outbox"], seen["database"]["reachable"]) == (None, True)


@pytest.mark.parametrize("how", ["not open", "hangs", "refuses"])
async def test_a_database_that_is_away_hides_nothing_else(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def hang() -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    @contextlib.asynccontextmanager
    async def refuse() -> AsyncIterator[None]:
        raise asyncpg.TooManyConnectionsError
        yield

    away = Database("postgresql://127.0.0.1:1/none")
    if how != "not open":
        monkeypatch.setattr(away, "acquire", hang if how == "hangs" else refuse)
    answer = await ask(diagnosing(away, publisher=Publisher(False), part_seconds=0.1))
    seen = answer.json()
    assert answer.status_code == 200
    assert seen["database"]["reachable"] is False
    assert (
        seen["database"]["error"]
        == {
            "not open": "DatabaseUnavailable",
            "hangs": "TimeoutError",
            "refuses": "TooManyConnectionsError",
        }[how]
    )
    assert (seen["outbox"], seen["broker"]["publishing"], seen["ready"]) == (None, False, False)


async def test_a_service_with_neither_says_so() -> None:
    seen = (await ask(diagnosing())).json()
    assert (seen["database"], seen["outbox"], seen["broker"]) == (None, None, None)


@pytest.mark.parametrize(
    ("role", "status"), [(None, 401), ("viewer", 403), ("operator", 200), ("admin", 200)]
)
async def test_it_is_for_operators(role: str | None, status: int) -> None:
    assert (await ask(diagnosing(), role)).status_code == status
