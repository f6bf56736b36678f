"""What FastStream, aio-pika and RabbitMQ do by default to lose messages, and what leadbus does instead.

One section for each trap. All on a real broker, because a fake has none of these habits.
"""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame
from leadbus import metrics
from leadbus.consumer import UnreadablePropertiesError, make_broker
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.publisher import Publisher, PublishError, PublishResult
from leadbus.topology import apply
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.vhosts import Vhost
from pamqp import commands
from pamqp.body import ContentBody
from pydantic import SecretStr

QUEUE = "adf-mailer.leads"
PARKED = f"{QUEUE}.parked"
UNKNOWN = PublishResult.UNKNOWN


def lead(body: bytes, key: str = "lead.received.v1") -> OutgoingMessage:
    return OutgoingMessage("leadbus.events", key, body, {}, Properties(message_id="m"), True)


class Gate:
    """A handler that stops until the test lets it go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _: Any) -> None:
        self.reached.set()
        await self.opened.wait()


async def close_all_connections(server: NativeRabbitMQ, vhost: Vhost) -> None:
    await asyncio.to_thread(server.ctl, "close_all_connections", "--vhost", vhost.name, "a test does it")


# 1. An unroutable publish looks like a success.


async def test_trap_1_unroutable_must_not_look_like_success(publisher: Publisher, wire: Any) -> None:
    with pytest.raises(PublishError) as raised:
        await publisher.publish(lead(b"lost", key="nobody.listens"))
    assert raised.value.result is PublishResult.RETURNED
    assert await wire.bodies("leadbus.unrouted") == []


# 2. A publish to a server that does not answer never ends.


async def test_trap_2_publishing_is_bounded_and_its_connection_is_gone(
    own_rabbitmq: NativeRabbitMQ, own_vhost: Vhost, publisher_to: Any, eventually: Any
) -> None:
    async with publisher_to(own_vhost.amqp_url, confirm_timeout_seconds=0.5) as publisher:
        await publisher.publish(lead(b"before"))
        own_rabbitmq.freeze()
        try:
            async with asyncio.timeout(20):
                results = await publisher.publish_many([lead(b"a"), lead(b"b")])
            assert results == [UNKNOWN, UNKNOWN]
            assert not publisher.connected
        finally:
            own_rabbitmq.thaw()
        await eventually(lambda: publisher.connected)
        await publisher.publish(lead(b"after"))


async def test_trap_2_a_cancelled_publish_leaves_no_connection_behind(
    own_rabbitmq: NativeRabbitMQ, own_vhost: Vhost, publisher_to: Any, eventually: Any
) -> None:
    async with publisher_to(own_vhost.amqp_url, confirm_timeout_seconds=30) as publisher:
        await publisher.publish(lead(b"before"))
        own_rabbitmq.freeze()
        try:
            publishing = asyncio.create_task(publisher.publish_many([lead(b"a")]))
            await eventually(lambda: bool(publisher._link.channel._unanswered))
            publishing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await publishing
            assert not publisher.connected
        finally:
            own_rabbitmq.thaw()
        await eventually(lambda: publisher.connected)
        await publisher.publish(lead(b"after"))


@pytest.mark.full
async def test_trap_2_a_server_silent_past_the_heartbeat_is_left_and_found_again(
    own_rabbitmq: NativeRabbitMQ,
    own_vhost: Vhost,
    publisher_to: Any,
    consume: Any,
    recorder: Any,
    eventually: Any,
) -> None:
    consumer = await consume(own_vhost.amqp_url)
    async with publisher_to(own_vhost.amqp_url) as publisher:
        await eventually(lambda: publisher.connected)
        own_rabbitmq.freeze()
        try:
            await eventually(lambda: not consumer.consuming and not publisher.connected, seconds=60)
        finally:
            own_rabbitmq.thaw()
        await eventually(lambda: consumer.consuming and publisher.connected, seconds=60)
        await publisher.publish(lead(b"x"))
        await eventually(lambda: recorder.done == [b"x"])


# 3. Messages are transient unless somebody says otherwise.


async def test_trap_3_messages_are_persistent(publisher: Publisher, wire: Any) -> None:
    await publisher.publish(lead(b"x"))
    (got,) = await wire.take_all()
    assert got.header.properties.delivery_mode == 2


# 4. Everything in the queue is delivered at once.


async def test_trap_4_at_most_the_prefetch_is_with_us(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    gate = Gate()
    recorder.react = gate
    await wire.put(*[b"x"] * 500)
    await consume(topology.amqp_url)
    await gate.reached.wait()

    async def prefetched() -> bool:
        return bool(await wire.ready() == 300)

    await eventually(prefetched)
    gate.opened.set()
    await eventually(lambda: len(recorder.done) == 500)


def test_trap_4_plain_subscribers_have_a_prefetch_too() -> None:
    broker = make_broker(SecretStr("amqp://guest:guest@127.0.0.1:1"), "test")
    manager = broker.config.channel_manager
    assert manager._ChannelManagerImpl__default_channel.prefetch_count == 10


# 5. A poison message is retried without end, or vanishes.


async def test_trap_5_poison_is_tried_once_stored_once_and_spoils_nothing(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    async def fail(bodies: list[bytes]) -> None:
        if b"poison" in bodies:
            raise ValueError("cannot do it")

    recorder.react = fail
    await wire.put(b"a", b"poison", b"b")
    consumer = await consume(topology.amqp_url)
    await eventually(lambda: len(recorder.done) == 2 and len(recorder.poisoned) == 1)
    await consumer.drain(10)
    alone = [batch for batch in recorder.batches if batch == [b"poison"]]
    assert len(alone) == 1
    assert not any(message.redelivered for message in recorder.messages)
    assert await wire.take_all() == []


async def test_trap_5_what_cannot_be_stored_is_parked_not_lost(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    async def fail(_: Any) -> None:
        raise ValueError("cannot do it")

    recorder.react = recorder.react_to_poison = fail
    await wire.put(b"poison")
    consumer = await consume(topology.amqp_url)

    async def parked() -> bool:
        return bool(await wire.ready(PARKED) == 1)

    await eventually(parked)
    await consumer.drain(10)
    assert len(recorder.batches) == 1
    assert await wire.bodies(PARKED) == [b"poison"]


# 6. What cannot be decoded never reaches the handler and is dropped.

ODD_BODIES = [
    b"",
    b"\x00",
    b"{not json",
    b"\xff\xfe\x00\x01",
    b"\x80 invalid utf-8 \xc3",
    b'{"a": "' + b"x" * 5_000_000 + b'"}',
    b"NaN",
]


@pytest.mark.parametrize("content_type", [None, "application/json", "image/png; charset=nonsense"])
async def test_trap_6_every_body_reaches_the_handler_as_it_is(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any, content_type: str | None
) -> None:
    await consume(topology.amqp_url)
    for body in ODD_BODIES:
        await wire.put(body, content_type=content_type, content_encoding="gzip")
    await eventually(lambda: len(recorder.done) == len(ODD_BODIES))
    assert recorder.done == ODD_BODIES
    assert recorder.poisoned == []


def content_header(channel: int, body: bytes, flags: int, properties: bytes) -> bytes:
    """A content header frame whose properties no client library would write."""
    payload = struct.pack(">HHQH", 60, 0, len(body), flags) + properties
    return struct.pack(">BHI", 2, channel, len(payload)) + payload + b"\xce"


MESSAGE_ID, TIMESTAMP, HEADERS = 1 << 7, 1 << 6, 1 << 13
NANOSECONDS = struct.pack(">Q", int(datetime(2026, 5, 1, tzinfo=UTC).timestamp()) * 10**9)
LATIN_1 = bytes([4]) + "Jörg".encode("latin-1")
LATIN_1_KEY = struct.pack(">I", 7) + bytes([4]) + "Jörg".encode("latin-1") + b"t\x01"


def nested_tables(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return struct.pack(">I", len(table)) + table


@pytest.mark.parametrize(
    ("flags", "properties"),
    [(TIMESTAMP, NANOSECONDS), (MESSAGE_ID, LATIN_1), (HEADERS, LATIN_1_KEY), (HEADERS, nested_tables(5000))],
    ids=["nanoseconds", "latin-1 message id", "latin-1 header name", "headers nested too deep"],
)
async def test_trap_6_properties_that_no_client_can_read_do_not_end_the_connection(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any, flags: int, properties: bytes
) -> None:
    """pamqp raises in the connection's reader; every fetched neighbour would be counted until parked."""
    body = b"unreadable"
    channel = await wire.connection.channel(publisher_confirms=False)
    frames = [
        pamqp.frame.marshal(commands.Basic.Publish(exchange="", routing_key=QUEUE), channel.number),
        content_header(channel.number, body, flags, properties),
        pamqp.frame.marshal(ContentBody(body), channel.number),
    ]
    await wire.put(b"before")
    await channel.write_queue.put(ChannelFrame(b"".join(frames), should_close=False))

    async def there() -> bool:
        return bool(await wire.ready() == 2)

    await eventually(there)
    await wire.put(b"after")
    consumer = await consume(topology.amqp_url)
    await eventually(lambda: recorder.done == [b"before", b"after"] and len(recorder.poisoned) == 1)
    ((found, error),) = recorder.poisoned
    assert found == body
    assert isinstance(error, UnreadablePropertiesError)
    await consumer.drain(10)
    assert not any(message.redelivered for message in recorder.messages)


# 7. A sender's reply_to is obeyed.


async def test_trap_7_reply_to_is_ignored(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    await wire.channel.queue_declare("answers", durable=True)
    await wire.put(b"a", reply_to="answers", correlation_id="1")
    await wire.put(b"b", reply_to="x|missing-exchange")
    consumer = await consume(topology.amqp_url)
    await eventually(lambda: len(recorder.done) == 2)
    await consumer.drain(10)
    assert recorder.done == [b"a", b"b"]
    assert await wire.take_all("answers") == []
    assert await wire.take_all() == []


async def test_trap_7_the_consuming_broker_cannot_publish_at_all() -> None:
    broker = make_broker(SecretStr("amqp://guest:guest@127.0.0.1:1"), "test")
    with pytest.raises(TypeError, match=r"leadbus\.publisher"):
        await broker.publish(b"x", "anywhere")


# 8. A service that consumes nothing says that it is ready.


async def test_trap_8_without_its_queue_it_is_not_consuming_and_starts_when_it_appears(
    clean_vhost: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    consumer = await consume(clean_vhost.amqp_url, wait=False)
    refused = metrics.REGISTRY.get_sample_value
    labels = {"queue": QUEUE, "reason": "no_queue"}
    await eventually(lambda: (refused("leadbus_consumer_refused_total", labels) or 0) >= 2)
    assert not consumer.consuming
    await apply(clean_vhost.amqp_url, clean_vhost.management_url)
    await eventually(lambda: consumer.consuming)


async def test_trap_8_a_start_without_a_server_waits_and_can_be_ended() -> None:
    before = asyncio.all_tasks()
    broker = make_broker(SecretStr("amqp://guest:guest@127.0.0.1:1"), "test")
    starting = asyncio.create_task(broker.start())
    done, _ = await asyncio.wait([starting], timeout=0.5)
    assert not done
    starting.cancel()
    await asyncio.wait([starting])
    await broker.stop()
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=5)
    assert not left


# 9. A lost channel cancels the handler; a lost connection raises CancelledError out of a publish.


async def test_trap_9_a_lost_connection_does_not_cancel_the_handler(
    own_rabbitmq: NativeRabbitMQ,
    own_vhost: Vhost,
    own_wire: Any,
    consume: Any,
    recorder: Any,
    eventually: Any,
) -> None:
    gate = Gate()
    recorder.react = gate
    await own_wire.put(b"a", b"b", b"c")
    consumer = await consume(own_vhost.amqp_url, batch_size=3)
    await gate.reached.wait()
    await close_all_connections(own_rabbitmq, own_vhost)
    await eventually(lambda: not consumer.consuming)
    in_hand = list(recorder.batches[0])
    gate.opened.set()
    await eventually(lambda: consumer.consuming)
    await eventually(lambda: len(recorder.done) >= 3 + len(in_hand))
    assert recorder.cancelled == 0
    assert recorder.done[: len(in_hand)] == in_hand
    again = [message for message in recorder.messages[len(in_hand) :] if message.redelivered]
    assert {message.body for message in again} >= set(in_hand)
    await consumer.drain(10)
    checking = await type(own_wire).open(own_vhost.amqp_url)
    assert await checking.take_all() == []
    await checking.close()


async def test_trap_9_a_lost_connection_is_a_result_not_a_cancellation(
    own_rabbitmq: NativeRabbitMQ, own_vhost: Vhost, publisher_to: Any, eventually: Any
) -> None:
    async with publisher_to(own_vhost.amqp_url, confirm_timeout_seconds=30) as publisher:
        await publisher.publish(lead(b"x"))
        # Frozen, the server confirms nothing, so the batch is surely in flight when the connection goes.
        own_rabbitmq.freeze()
        publishing = asyncio.create_task(publisher.publish_many([lead(b"y")] * 3))
        await eventually(lambda: bool(publisher._link and publisher._link.channel._unanswered))
        publisher._link._transport.writer.transport.abort()
        try:
            assert await publishing == [UNKNOWN] * 3
        finally:
            own_rabbitmq.thaw()
        await eventually(lambda: publisher.connected)
        await publisher.publish(lead(b"z"))


async def test_trap_9_a_cancellation_that_leaks_into_a_handler_is_tried_again(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    async def leak_once(_: Any) -> None:
        if len(recorder.batches) == 1:
            raise asyncio.CancelledError

    recorder.react = leak_once
    await wire.put(b"x")
    await consume(topology.amqp_url)
    await eventually(lambda: recorder.done == [b"x"])
    assert recorder.poisoned == []


# 10. After the broker cancels a consumer, nobody consumes.


async def test_trap_10_a_deleted_and_recreated_queue_is_consumed_again(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    consumer = await consume(topology.amqp_url)
    await wire.put(b"first")
    await eventually(lambda: recorder.done == [b"first"])
    await wire.channel.queue_delete(QUEUE)
    await eventually(lambda: not consumer.consuming)
    await apply(topology.amqp_url, topology.management_url)
    await eventually(lambda: consumer.consuming)
    await wire.put(b"second")
    await eventually(lambda: recorder.done == [b"first", b"second"])


# Bonus. During an alarm publishes hang and land later, and acknowledgements stop with them.


async def test_bonus_what_timed_out_in_an_alarm_does_not_land_later_and_acks_go_on(
    own_rabbitmq: NativeRabbitMQ,
    own_vhost: Vhost,
    own_wire: Any,
    publisher_to: Any,
    consume: Any,
    recorder: Any,
    eventually: Any,
) -> None:
    gate = Gate()
    recorder.react = gate
    await own_wire.put(b"consumed")
    consumer = await consume(own_vhost.amqp_url)
    await gate.reached.wait()
    async with publisher_to(own_vhost.amqp_url, confirm_timeout_seconds=0.5) as publisher:
        await eventually(lambda: publisher.connected)
        await asyncio.to_thread(own_rabbitmq.ctl, "set_vm_memory_high_watermark", "0.0001")
        try:
            for attempt in range(3):
                late = [lead(f"late {attempt}".encode()) for _ in range(5)]
                assert PublishResult.CONFIRMED not in await publisher.publish_many(late)
            await eventually(lambda: not publisher.connected)
            gate.opened.set()
            await eventually(lambda: recorder.done == [b"consumed"])
            await consumer.drain(10)
        finally:
            await asyncio.to_thread(own_rabbitmq.ctl, "set_vm_memory_high_watermark", "0.4")

        async def publishes_again() -> bool:
            results: list[PublishResult] = await publisher.publish_many([lead(b"after")])
            return results.count(PublishResult.CONFIRMED) == 1

        await eventually(publishes_again)
    bodies = set(await own_wire.bodies())
    assert b"consumed" not in bodies
    assert bodies == {b"after"}
