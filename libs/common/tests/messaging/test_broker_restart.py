"""kill -9 of the broker while messages flow."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.publisher import Publisher, PublishResult
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.vhosts import Vhost


def lead(number: int) -> OutgoingMessage:
    return OutgoingMessage(
        "leadbus.events",
        "lead.received.v1",
        str(number).encode(),
        {},
        Properties(message_id=str(number)),
        True,
    )


class Stream:
    """Publishes numbers as the outbox relay does: what is not confirmed is published again."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.confirmed: set[int] = set()
        self.enough = asyncio.Event()

    async def run(self) -> None:
        numbers = count()
        waiting: list[int] = []
        while waiting or not self.enough.is_set():
            while len(waiting) < 20 and not self.enough.is_set():
                waiting.append(next(numbers))
            results = await self._publisher.publish_many([lead(number) for number in waiting])
            done = {
                number
                for number, result in zip(waiting, results, strict=True)
                if result is PublishResult.CONFIRMED
            }
            self.confirmed |= done
            waiting = [number for number in waiting if number not in done]


async def test_killing_the_broker_mid_stream_loses_nothing(
    own_rabbitmq: NativeRabbitMQ,
    own_vhost: Vhost,
    publisher_to: Any,
    consume: Any,
    recorder: Any,
    eventually: Any,
) -> None:
    consumer = await consume(own_vhost.amqp_url, batch_size=50)
    async with publisher_to(own_vhost.amqp_url, confirm_timeout_seconds=10) as publisher:
        stream = Stream(publisher)
        publishing = asyncio.create_task(stream.run())
        await eventually(lambda: len(recorder.done) > 100)
        try:
            await asyncio.to_thread(own_rabbitmq.kill)
            await eventually(lambda: not consumer.consuming and not publisher.connected)
        finally:
            await asyncio.to_thread(own_rabbitmq.start)
        before = len(stream.confirmed)
        await eventually(lambda: len(stream.confirmed) > before + 100)
        stream.enough.set()
        await publishing
    expected = {str(number).encode() for number in stream.confirmed}
    await eventually(lambda: set(recorder.done) == expected)
    assert recorder.poisoned == []
    assert recorder.cancelled == 0
    await consumer.drain(10)
