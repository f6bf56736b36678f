"""The publisher on a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.publisher import Publisher, PublishError, PublishResult
from leadbus_devstack.vhosts import Vhost

QUEUE = "adf-mailer.leads"
CONFIRMED, RETURNED, REFUSED = PublishResult.CONFIRMED, PublishResult.RETURNED, PublishResult.REFUSED


def message(
    body: bytes,
    *,
    key: str = "lead.received.v1",
    exchange: str = "leadbus.events",
    mandatory: bool = True,
    id_: str = "same-for-all",
    **headers: Any,
) -> OutgoingMessage:
    return OutgoingMessage(exchange, key, body, headers, Properties(message_id=id_), mandatory)


async def test_order_and_content_survive(publisher: Publisher, wire: Any) -> None:
    bodies = [f"{number}".encode() for number in range(700)]
    assert await publisher.publish_many([message(body) for body in bodies]) == [CONFIRMED] * 700
    assert await wire.bodies(QUEUE) == bodies


async def test_headers_and_properties_arrive(publisher: Publisher, wire: Any) -> None:
    outgoing = OutgoingMessage(
        "leadbus.events",
        "lead.received.v1",
        b"{}",
        {"cloudEvents_id": "1", "attempt": 3, "test": True},
        Properties("application/json", "m-1", "c-1", None, "lead.received.v1", "normalizer"),
        True,
    )
    await publisher.publish(outgoing)
    (got,) = await wire.take_all(QUEUE)
    sent = {"cloudEvents_id": "1", "attempt": 3, "test": True}
    assert {name: got.header.properties.headers[name] for name in sent} == sent
    assert got.header.properties.content_type == "application/json"
    assert got.header.properties.message_id == "m-1"
    assert got.header.properties.correlation_id == "c-1"
    assert got.header.properties.message_type == "lead.received.v1"
    assert got.header.properties.app_id == "normalizer"


async def test_the_application_is_named_where_the_message_does_not(publisher: Publisher, wire: Any) -> None:
    await publisher.publish(message(b"x"))
    (got,) = await wire.take_all(QUEUE)
    assert got.header.properties.app_id == "test"


async def test_bodies_around_the_frame_size_arrive_whole(publisher: Publisher, wire: Any) -> None:
    frame_bytes = 131072
    sizes = [
        0,
        1,
        frame_bytes - 9,
        frame_bytes - 8,
        frame_bytes - 7,
        frame_bytes,
        2 * frame_bytes - 16,
        3_000_000,
    ]
    results = await publisher.publish_many([message(b"x" * size) for size in sizes])
    assert results == [CONFIRMED] * len(sizes)
    assert [len(body) for body in await wire.bodies(QUEUE)] == sizes


async def test_a_return_is_told_to_its_own_message(publisher: Publisher, wire: Any) -> None:
    """All have the same message id, as two sources may give."""
    results = await publisher.publish_many(
        [
            message(b"a"),
            message(b"b", key="nobody.listens"),
            message(b"c", key="nobody.listens", mandatory=False),
            message(b"d"),
            message(b"e", key="nobody.listens"),
            message(b"f", key="nobody.else"),
        ]
    )
    assert results == [CONFIRMED, RETURNED, CONFIRMED, CONFIRMED, RETURNED, RETURNED]
    assert await wire.bodies(QUEUE) == [b"a", b"d"]


@pytest.mark.parametrize("id_", ["", None])
async def test_a_return_is_told_to_a_message_without_an_id(publisher: Publisher, id_: str | None) -> None:
    lost = OutgoingMessage("leadbus.events", "nobody.listens", b"x", {}, Properties(message_id=id_), True)
    assert await publisher.publish_many([lost, message(b"y")]) == [RETURNED, CONFIRMED]


async def test_many_returns_among_many_confirms(publisher: Publisher, wire: Any) -> None:
    keys = ["lead.received.v1", "nobody.listens", "nobody.listens"] * 200
    results = await publisher.publish_many([message(b"x", key=key) for key in keys])
    assert results == [CONFIRMED, RETURNED, RETURNED] * 200
    assert len(await wire.bodies(QUEUE)) == 200


async def test_one_message_the_broker_will_not_have_spoils_only_itself(
    publisher: Publisher, wire: Any
) -> None:
    messages = [message(f"{number}".encode()) for number in range(9)]
    messages[4] = message(b"lost", exchange="no.such.exchange")
    results = await publisher.publish_many(messages)
    assert results == [CONFIRMED] * 4 + [REFUSED] + [CONFIRMED] * 4
    assert set(await wire.bodies(QUEUE)) == {f"{number}".encode() for number in range(9) if number != 4}


async def test_one_message_that_is_no_amqp_spoils_only_itself(publisher: Publisher, wire: Any) -> None:
    results = await publisher.publish_many(
        [message(b"a"), message(b"long", key="k" * 256), message(b"odd", thing=object()), message(b"b")]
    )
    assert results == [CONFIRMED, REFUSED, REFUSED, CONFIRMED]
    assert await wire.bodies(QUEUE) == [b"a", b"b"]


async def test_a_queue_that_is_full_refuses(publisher: Publisher, wire: Any) -> None:
    await wire.channel.queue_declare(
        "small",
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"},
    )
    results: list[PublishResult] = []
    async with asyncio.timeout(20):
        while REFUSED not in results:  # quorum queues let a few more than the limit in
            results += await publisher.publish_many([message(b"x", exchange="", key="small")] * 20)
    assert set(results) == {CONFIRMED, REFUSED}


async def test_publish_raises_what_it_knows(publisher: Publisher) -> None:
    with pytest.raises(PublishError) as raised:
        await publisher.publish(message(b"x", key="nobody.listens"))
    assert raised.value.result is RETURNED


async def test_nothing_to_publish(publisher: Publisher) -> None:
    assert await publisher.publish_many([]) == []


async def test_concurrent_callers_each_get_their_own_results(publisher: Publisher, wire: Any) -> None:
    calls = [
        publisher.publish_many([message(b"x"), message(b"y", key="nobody.listens"), message(b"z")])
        for _ in range(20)
    ]
    assert await asyncio.gather(*calls) == [[CONFIRMED, RETURNED, CONFIRMED]] * 20
    assert len(await wire.bodies(QUEUE)) == 40


async def test_more_than_one_write(publisher: Publisher, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadbus.publisher.publisher.LARGEST_WRITE_BYTES", 10)
    bodies = [bytes([65 + number]) * 4 for number in range(7)]
    assert await publisher.publish_many([message(body) for body in bodies]) == [CONFIRMED] * 7
    assert await wire.bodies(QUEUE) == bodies


async def test_a_broker_that_is_away_refuses_in_time(publisher_to: Any) -> None:
    async with publisher_to("amqp://guest:guest@127.0.0.1:1", confirm_timeout_seconds=0.3) as publisher:
        assert not publisher.connected
        assert await publisher.publish_many([message(b"x"), message(b"y")]) == [REFUSED, REFUSED]


async def test_a_real_cancellation_stays_one(topology: Vhost, publisher_to: Any) -> None:
    async with publisher_to("amqp://guest:guest@127.0.0.1:1") as publisher:
        publishing = asyncio.create_task(publisher.publish(message(b"x")))
        await asyncio.sleep(0)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing


async def test_closing_ends_the_connection(topology: Vhost, publisher_to: Any, eventually: Any) -> None:
    async with publisher_to(topology.amqp_url) as publisher:
        await eventually(lambda: publisher.connected)
    assert not publisher.connected


async def test_no_password_and_no_body_is_logged(
    topology: Vhost, publisher_to: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    url = topology.amqp_url.replace("guest:guest", "guest:hunter2")
    async with publisher_to(url, confirm_timeout_seconds=0.5) as publisher:
        assert await publisher.publish_many([message(b"jane@example.com")]) == [REFUSED]
    said = "".join(capsys.readouterr()) + caplog.text
    assert "cannot_connect" in said
    assert "hunter2" not in said
    assert "jane" not in said
