"""The normalizer as a process, with real servers: foreign messages, kills, readiness."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.services import ServiceName, ServiceProcess
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
DEADLINE_SECONDS = 40.0
MANY = 200
TRACKED = 60
TRACKED_LEAD = {"event": "lead", "type": "form", "project": {"id": "4127"}}
TRACKED_KNOWLEDGE = {"event": "knowledge", "parameters": {"source": "ads"}}


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.03)


class Running:
    """A normalizer process, its servers, and a foreign publisher."""

    def __init__(self, vhost: Any, database_url: str, log: Path, **settings: str) -> None:
        self.vhost = vhost
        self.log = log
        self.database_url = database_url
        given = {"AMQP_URL": vhost.amqp_url, "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY, **settings}
        self.process = ServiceProcess(ServiceName("normalizer"), free_ports(1)[0], given, log)
        self.http = httpx2.AsyncClient(base_url=self.process.url, headers=ADMIN, timeout=20)

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)
        await asyncio.to_thread(self.process.wait_ready)

    async def connect(self) -> None:
        self.database = await asyncpg.connect(self.database_url)
        self.amqp = await aio_pika.connect(self.vhost.amqp_url)
        self.channel = await self.amqp.channel()
        self.raw = await self.channel.get_exchange("leadbus.raw")

    async def close(self) -> None:
        await self.http.aclose()
        await self.database.close()
        await self.amqp.close()
        await asyncio.to_thread(self.process.stop)

    async def map_dealer(self, reference: str = "40217", source: str = "contactatonce") -> None:
        dealer = {"spec": {"name": "Prairie Motors", "country": "US"}}
        assert (await self.http.put("/v1/settings/Dealer/prairie", json=dealer)).status_code == 201
        location = {"spec": {"source": source, "external_id": reference, "dealer": "prairie"}}
        assert (await self.http.put(f"/v1/settings/Location/{reference}", json=location)).status_code == 201

    async def publish(self, body: Any, **properties: Any) -> None:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        properties.setdefault("content_type", "application/json")
        key = properties.pop("routing_key", "raw.contactatonce")
        await self.raw.publish(aio_pika.Message(encoded, **properties), key)

    async def count(self, table: str, where: str = "true") -> int:
        return int(await self.database.fetchval(f"SELECT count(*) FROM {table} WHERE {where}"))

    async def events(self, count: int) -> list[Any]:
        """Lead events as a sink gets them, until `count` different ones came."""
        found: dict[str, Any] = {}
        queue = await self.channel.get_queue("adf-mailer.leads")
        async with asyncio.timeout(DEADLINE_SECONDS), queue.iterator() as iterator:
            async for message in iterator:
                await message.ack()
                found[str(message.message_id)] = json.loads(message.body)
                if len(found) == count:
                    break
        return list(found.values())

    def lines(self, event: str) -> list[dict[str, Any]]:
        logged = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, logged) if line.get("event") == event]


@pytest.fixture
async def start(
    topology: Any, make_database: Any, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    started: list[Running] = []

    async def start_one(**settings: str) -> Running:
        running = Running(topology, make_database("normalizer"), tmp_path / "normalizer.log", **settings)
        await running.connect()
        started.append(running)
        await running.start()
        return running

    yield start_one
    for running in started:
        await running.close()


def cloud(id_: str, **extensions: str) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "id": id_, "source": "partner", "type": "lead", **extensions}
    return {f"cloudEvents_{name}": value for name, value in attributes.items()}


async def test_foreign_messages_are_kept_and_their_neighbours_untouched(start: Any, payload: Any) -> None:
    normalizer = await start()
    await normalizer.map_dealer()
    replies = await normalizer.channel.declare_queue(exclusive=True)
    death = [{"queue": "q", "reason": "expired", "count": 99, "exchange": "e", "time": datetime.now(UTC)}]
    foreign: list[tuple[str, Any, dict[str, Any]]] = [
        ("undecodable", b"hello there", {"content_type": None}),
        ("payload_invalid", {"hello": "there"}, {"content_type": None}),
        ("unsupported_type", payload(lead_id="wrong-type"), {"content_type": "text/html"}),
        ("undecodable", b"\x00\x00\x00", {"headers": cloud("nul")}),
        ("too_large", b"[" + b"1," * 2_500_000 + b"1]", {"headers": cloud("big")}),
        ("undecodable", b'{"lead_id": "\xff\xfe"}', {"headers": cloud("utf-8")}),
        ("foreign_message", payload(lead_id="dead"), {"headers": {**cloud("dead"), "x-death": death}}),
        ("foreign_message", payload(lead_id="rpc"), {"headers": cloud("rpc"), "reply_to": replies.name}),
        ("id_reused", payload(lead_id="second"), {"headers": cloud("neighbour-0")}),
        ("envelope_invalid", payload(lead_id="long"), {"headers": cloud("x" * 300)}),
        ("xml_forbidden", b"<!DOCTYPE lead><lead/>", {"content_type": "text/xml"}),
        ("payload_invalid", b"<lead/>", {"content_type": "text/xml", "headers": cloud("<>&")}),
    ]
    for number, (_, body, properties) in enumerate(foreign):
        await normalizer.publish(payload(lead_id=f"CAO-{number}"), headers=cloud(f"neighbour-{number}"))
        await normalizer.publish(body, **properties)
    wanted = Counter(reason for reason, _, _ in foreign)
    await until(lambda: both(normalizer, len(foreign), len(foreign)))
    rows = await normalizer.database.fetch("SELECT reason FROM quarantine")
    assert Counter(row["reason"] for row in rows) == wanted
    await until(lambda: logged(normalizer, len(foreign)))
    assert Counter(line["reason"] for line in normalizer.lines("raw.quarantined")) == wanted
    kept = {row["body"] for row in await normalizer.database.fetch("SELECT body FROM raw")}
    assert {body for _, body, _ in foreign if isinstance(body, bytes)} <= kept
    assert (await replies.get(fail=False)) is None
    depths = [
        await normalizer.channel.get_queue(name) for name in ("normalizer.raw", "normalizer.raw.parked")
    ]
    assert [queue.declaration_result.message_count for queue in depths] == [0, 0]


async def logged(normalizer: Running, quarantined: int) -> bool:
    """Lines follow the commit."""
    return len(normalizer.lines("raw.quarantined")) >= quarantined


async def both(normalizer: Running, leads: int, quarantined: int) -> bool:
    return await normalizer.count("lead") == leads and await normalizer.count("quarantine") == quarantined


async def test_killed_in_the_middle_every_lead_comes_once(start: Any, payload: Any) -> None:
    normalizer = await start(BATCH_SIZE="5", PREFETCH="10")
    await normalizer.map_dealer()
    await publish_many(normalizer, payload, range(MANY // 2))
    await until(lambda: more_than(normalizer, MANY // 10))
    async with normalizer.database.transaction():
        # Nobody writes a lead from here on: whatever the machine's speed, the other half is not done.
        await normalizer.database.execute("LOCK TABLE lead IN SHARE ROW EXCLUSIVE MODE")
        await publish_many(normalizer, payload, range(MANY // 2, MANY))
        await until(lambda: waits_for(normalizer, "lead"))
        await asyncio.to_thread(normalizer.process.kill)
    await normalizer.start()
    await until(lambda: more_than(normalizer, MANY - 1))
    events = await normalizer.events(MANY)
    assert Counter(event["lead"]["ids"][0]["value"] for event in events) == {
        f"CAO-{n}": 1 for n in range(MANY)
    }
    assert {event["lead"]["revision"] for event in events} == {1}
    assert await normalizer.count("lead") == await normalizer.count("lead_revision") == MANY
    assert await normalizer.count("quarantine") == 0
    await until(lambda: emptied(normalizer))


async def publish_many(normalizer: Running, payload: Any, numbers: range) -> None:
    for number in numbers:
        await normalizer.publish(payload(lead_id=f"CAO-{number}"), headers=cloud(f"raw-{number}"))


async def waits_for(normalizer: Running, table: str) -> bool:
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted)"
    return bool(await normalizer.database.fetchval(waiting, table))


async def test_killed_in_the_middle_every_lead_is_enriched_once(start: Any) -> None:
    """Of every other lead the knowledge comes first."""
    normalizer = await start(BATCH_SIZE="5", PREFETCH="10")
    await normalizer.map_dealer("4127", "alfatrack")
    pushes = [
        (number, told)
        for number in range(TRACKED)
        for told in (TRACKED_LEAD, TRACKED_KNOWLEDGE)[:: 1 if number % 2 else -1]
    ]
    await push(normalizer, pushes[:TRACKED])
    await until(lambda: more_than(normalizer, TRACKED // 10))
    async with normalizer.database.transaction():
        await normalizer.database.execute("LOCK TABLE knowledge IN SHARE ROW EXCLUSIVE MODE")
        await push(normalizer, pushes[TRACKED:])
        await until(lambda: waits_for(normalizer, "knowledge"))
        await asyncio.to_thread(normalizer.process.kill)
    await normalizer.start()
    events = await normalizer.events(2 * TRACKED)
    told = Counter((event["lead"]["ids"][0]["value"], event["lead"]["revision"]) for event in events)
    assert told == {(f"AT-{number}", revision): 1 for number in range(TRACKED) for revision in (1, 2)}
    sources = {
        (event["lead"]["revision"], "source" in event["lead"].get("attribution", {})) for event in events
    }
    assert sources == {(1, False), (2, True)}
    assert await normalizer.count("knowledge") == 2 * TRACKED
    assert await normalizer.count("knowledge", "waiting") == await normalizer.count("quarantine") == 0


async def push(normalizer: Running, pushes: Any) -> None:
    for number, told in pushes:
        headers = cloud(f"{told['event']}-{number}")
        body = {**told, "lead_id": f"AT-{number}"}
        await normalizer.publish(body, headers=headers, routing_key="raw.alfatrack")


async def more_than(normalizer: Running, leads: int) -> bool:
    return await normalizer.count("lead") > leads


async def emptied(normalizer: Running) -> bool:
    return await normalizer.count("outbox") == 0


async def test_a_lead_from_an_unmapped_location_to_the_end_of_its_story(start: Any, payload: Any) -> None:
    normalizer = await start()
    checks = (await normalizer.http.get("/readyz")).json()["checks"]
    assert {"consumes normalizer.raw", "consumes normalizer.ledger", "database"} <= checks.keys()
    await normalizer.publish(payload(), headers=cloud("early"))
    await until(lambda: both(normalizer, 0, 1))
    await normalizer.map_dealer()
    (event,) = await normalizer.events(1)
    assert event["lead"]["dealer"]["dealer_id"] == "prairie"
    events = await normalizer.channel.get_exchange("leadbus.events")
    delivered = {
        "delivery_id": "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01",
        "sink": "adf-mailer",
        "subject_id": event["lead"]["lead_id"],
        "route": "prairie",
        "outcome": "delivered",
        "attempts": 1,
        "planned_at": "2026-04-14T16:03:07Z",
        "finished_at": "2026-04-14T16:03:08Z",
    }
    headers = cloud("e-1") | {"cloudEvents_type": "delivery.succeeded.v1"}
    body = json.dumps(delivered).encode()
    message = aio_pika.Message(body, headers=headers, content_type="application/json")
    await events.publish(message, "delivery.succeeded.v1")
    await until(lambda: more_than_in_ledger(normalizer))
    story = (await normalizer.http.get(f"/v1/leads/{event['lead']['lead_id']}")).json()
    assert (story["state"], story["ledger"][0]["sink"]) == ("delivered", "adf-mailer")
    exposition = (await normalizer.http.get("/metrics")).text
    assert 'leadbus_raw_normalized_total{change="received",source="contactatonce"} 1.0' in exposition

    queue = await normalizer.channel.get_queue("normalizer.ledger")
    await queue.delete(if_unused=False, if_empty=False)
    await until(lambda: not_ready(normalizer))


async def more_than_in_ledger(normalizer: Running) -> bool:
    return await normalizer.count("ledger") > 0


async def not_ready(normalizer: Running) -> bool:
    return (await normalizer.http.get("/readyz")).status_code == 503
