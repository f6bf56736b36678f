"""U: raw messages that no queue was bound for are published again, or given up on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from leadbus.parked import UnroutedRedrive
from leadbus.publisher import Publisher
from pydantic import SecretStr

Bench = Any
QUEUE = "normalizer.raw"
UNROUTED = "leadbus.unrouted"
KEY = "raw.contactatonce"
ALL = {"all": True}


@asynccontextmanager
async def unbound(bench: Bench) -> AsyncIterator[None]:
    """While no queue is bound for KEY."""
    await bench.wire.channel.queue_unbind(QUEUE, "leadbus.raw", KEY)
    try:
        yield
    finally:
        await bench.wire.channel.queue_bind(QUEUE, "leadbus.raw", KEY)


async def lose(bench: Bench, *bodies: bytes, **properties: Any) -> None:
    """Publish while nobody is bound."""
    before = await bench.wire.ready(UNROUTED)
    async with unbound(bench):
        await bench.wire.publish(*bodies, **properties)
        await bench.wire.settled(UNROUTED, before + len(bodies))


async def test_u1_published_again_as_it_was(bench: Bench) -> None:
    await lose(bench, b"1", b"2", message_id="m", headers={"ce-id": "1"}, user_id="guest")
    (first, _) = await bench.messages("/v1/unrouted")
    assert (first["routing_key"], first["exchange"], first["refusal"]) == (KEY, "leadbus.raw", None)
    bench.begin()
    job = await bench.done("unrouted.redrive", filter=ALL)
    assert (job["state"], job["done"], job["failed"]) == ("done", 2, 0)
    await bench.wire.settled(UNROUTED, 0)
    got = await bench.wire.channel.basic_get(QUEUE)
    properties = got.header.properties
    assert (bytes(got.body), got.delivery.exchange, got.delivery.routing_key) == (b"1", "leadbus.raw", KEY)
    assert (properties.message_id, properties.delivery_mode) == ("m", 2)
    assert (properties.headers["ce-id"], properties.headers["account"]) == ("1", "guest")
    await bench.wire.settled(QUEUE, 1)


async def test_u2_what_no_queue_is_declared_for_stays(bench: Bench) -> None:
    await bench.wire.publish(b"1", b"2", key="raw.nobody")
    await lose(bench, b"3")
    assert [one["refusal"] for one in await bench.messages("/v1/unrouted")] == ["unroutable"] * 2 + [None]
    bench.begin()
    job = await bench.done("unrouted.redrive", filter=ALL)
    assert (job["done"], job["failed"], job["last_error"]) == (1, 2, "unroutable")
    await bench.wire.settled(UNROUTED, 2)


async def test_u3_what_comes_back_counts_as_failed_and_is_there_once(bench: Bench) -> None:
    """Declared, but the binding is missing on the broker: the alternate exchange takes what we publish."""
    await lose(bench, *(b"%d" % number for number in range(5)))
    bench.begin()
    async with unbound(bench):
        job = await bench.done("unrouted.redrive", filter=ALL, batch_size=2)
        assert (job["state"], job["done"], job["failed"], job["remaining"]) == ("done", 0, 5, 0)
        assert {one["code"] for one in job["failures"]} == {"unroutable"}
        await bench.wire.settled(UNROUTED, 5)
    assert sorted(await bench.wire.bodies(UNROUTED)) == [b"%d" % number for number in range(5)]


async def test_u4_copies_are_messages_of_their_own(bench: Bench) -> None:
    await lose(bench, b"same", b"same", b"same", message_id="same")
    bench.begin()
    job = await bench.done("unrouted.redrive", filter=ALL, batch_size=1)
    assert (job["done"], job["failed"]) == (3, 0)
    await bench.wire.settled(QUEUE, 3)
    await bench.wire.settled(UNROUTED, 0)


async def test_u5_discarded_on_record(bench: Bench) -> None:
    await bench.wire.publish(b"1", b"2", key="raw.nobody")
    await bench.wire.settled(UNROUTED, 2)
    refused = await bench.plan("unrouted.discard", filter=ALL)
    assert refused.status_code == 422
    (first, _) = await bench.messages("/v1/unrouted")
    bench.begin()
    asked = {"filter": {"ids": [first["id"]]}, "reason": "a test of theirs"}
    assert (await bench.done("unrouted.discard", **asked))["done"] == 1
    (act,) = await bench.audited("unrouted.discard")
    assert act["object"] == f"parked/{UNROUTED}/{first['id']}"
    await bench.wire.settled(UNROUTED, 1)
    assert await bench.wire.bodies(UNROUTED) == [b"2"]


async def test_u6_waits_for_a_publisher_that_is_not_connected(bench: Bench) -> None:
    await lose(bench, b"1", b"2")
    kind = next(one for one in bench.kinds if isinstance(one, UnroutedRedrive))
    kind._publisher = publisher = Publisher(SecretStr(bench.vhost.amqp_url), app_id="late")
    job_id = await bench.start("unrouted.redrive", filter=ALL)
    bench.begin()
    await publisher.start()
    job = await bench.ended(job_id)
    assert (job["state"], job["done"], job["failed"]) == ("done", 2, 0)
    await bench.wire.settled(QUEUE, 2)
    await publisher.close()


@pytest.mark.parametrize("filter_", [{}, {"all": False}, {"queue": QUEUE, "all": True}], ids=str)
async def test_u7_plans_that_make_no_sense(bench: Bench, filter_: dict[str, Any]) -> None:
    assert (await bench.plan("unrouted.redrive", filter=filter_)).status_code == 422


async def test_u8_the_bytes_are_there_to_be_read(bench: Bench) -> None:
    await bench.wire.publish(b"who?", key="raw.nobody")
    await bench.wire.settled(UNROUTED, 1)
    (one,) = await bench.messages("/v1/unrouted")
    assert (await bench.http.get(f"/v1/unrouted/{one['id']}")).json() == one
    assert (await bench.http.get(f"/v1/unrouted/{one['id']}/body")).content == b"who?"
    assert len(await bench.audited("parked.read_body")) == 1
