"""G: what is done here works with the rights a service has in production, and stops where they do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from leadbus.parked import HoldingReader, UnroutedRedrive
from leadbus.parked.reader import NoQueue
from leadbus.publisher import Publisher
from leadbus_devstack.broker_users import BrokerUsers
from pydantic import SecretStr

Bench = Any
QUEUE = "normalizer.raw"
PARKED = "normalizer.raw.parked"
UNROUTED = "leadbus.unrouted"


@pytest.fixture
async def users(bench: Bench) -> AsyncIterator[BrokerUsers]:
    made = BrokerUsers(bench.vhost, prefix=f"{bench.vhost.name}-")
    await made.apply()
    yield made
    made.delete()


def reader_of(users: BrokerUsers, service: str) -> HoldingReader:
    return HoldingReader(SecretStr(users.url(service)), service)


async def test_g1_a_service_reads_and_takes_from_its_own(bench: Bench, users: BrokerUsers) -> None:
    await bench.wire.park(b"1", b"2")
    reader = reader_of(users, "normalizer")
    async with reader.walk(PARKED) as walk:
        first, _ = await walk.take(10)
        await walk.ack(first)
    await bench.wire.settled(PARKED, 1)
    await reader.close()


@pytest.mark.parametrize(
    ("service", "queue"),
    [("adf-mailer", PARKED), ("ingest", PARKED), ("normalizer", UNROUTED), ("adf-mailer", UNROUTED)],
)
async def test_g2_no_service_reads_what_is_anothers(
    bench: Bench, users: BrokerUsers, service: str, queue: str
) -> None:
    await bench.wire.park(b"1")
    await bench.wire.publish(b"2", key="raw.nobody")
    await bench.wire.settled(UNROUTED, 1)
    reader = reader_of(users, service)
    with pytest.raises(NoQueue) as refused:
        async with reader.walk(queue) as walk:
            await walk.take(10)
    assert refused.value.code == "not_allowed"
    await reader.close()
    await bench.wire.settled(queue, 1)


async def test_g3_missing_rights_are_said_and_nothing_is_touched(bench: Bench, users: BrokerUsers) -> None:
    await bench.wire.park(b"1")
    reader = reader_of(users, "ingest")
    for kind in bench.kinds:
        kind._reader = reader
    answer = await bench.plan("parked.redrive", filter={"queue": QUEUE, "all": True})
    assert (answer.status_code, answer.json()["code"]) == (503, "not_allowed")
    assert answer.json()["type"].endswith("/queue-not-readable")
    await bench.wire.settled(PARKED, 1)
    await reader.close()


async def test_g4_ingest_may_publish_again_what_it_finds(bench: Bench, users: BrokerUsers) -> None:
    await bench.wire.channel.queue_unbind(QUEUE, "leadbus.raw", "raw.bdk")
    try:
        await bench.wire.publish(b"1", key="raw.bdk")
        await bench.wire.settled(UNROUTED, 1)
    finally:
        await bench.wire.channel.queue_bind(QUEUE, "leadbus.raw", "raw.bdk")
    reader = reader_of(users, "ingest")
    publisher = Publisher(SecretStr(users.url("ingest")), app_id="ingest")
    await publisher.start()
    kind = next(one for one in bench.kinds if isinstance(one, UnroutedRedrive))
    kind._reader, kind._publisher = reader, publisher
    bench.begin()
    assert (await bench.done("unrouted.redrive", filter={"all": True}))["done"] == 1
    await bench.wire.settled(QUEUE, 1)
    await publisher.close()
    await reader.close()
