"""Messages that wait a little for others, and what ends the wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.consumer.batch import BROKER_ACK_TIMEOUT_SECONDS
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

UNBEARABLE_SECONDS = 600.0
"""No test lives to see its end: what happens all the same did not wait for it."""


def waiting(consumer: BatchConsumer) -> int:
    generation = consumer._generation
    return len(generation._waiting) if generation else 0


async def test_a_message_waits_until_the_batch_is_full(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    consumer = await consume(topology.amqp_url, batch_size=3, linger_seconds=UNBEARABLE_SECONDS)
    await wire.put(b"1")
    await wire.put(b"2")
    await eventually(lambda: waiting(consumer) == 2)
    assert recorder.batches == []
    await wire.put(b"3")
    await eventually(lambda: recorder.done == [b"1", b"2", b"3"])
    assert recorder.batches == [[b"1", b"2", b"3"]]


async def test_a_message_does_not_wait_for_ever(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    await consume(topology.amqp_url, linger_seconds=0.05)
    for done in ([b"1"], [b"1", b"2"]):
        await wire.put(done[-1])
        await eventually(lambda done=done: recorder.done == done)


async def test_the_bytes_of_a_batch_end_the_wait(
    wire: Any,
    topology: Vhost,
    consume: Any,
    recorder: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leadbus.consumer.generation.LARGEST_BATCH_BYTES", 6)
    await consume(topology.amqp_url, linger_seconds=UNBEARABLE_SECONDS)
    await wire.put(b"one")
    await wire.put(b"two")
    await eventually(lambda: recorder.batches == [[b"one", b"two"]])


async def test_the_broker_giving_no_more_ends_the_wait(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    """Two are in hand and one waits: a fourth would come only after an acknowledgement."""
    reached, opened = asyncio.Event(), asyncio.Event()

    async def wait(_: list[bytes]) -> None:
        reached.set()
        await opened.wait()

    recorder.react = wait
    consumer = await consume(topology.amqp_url, batch_size=2, prefetch=3, linger_seconds=UNBEARABLE_SECONDS)
    await wire.put(b"1")
    await wire.put(b"2")
    await reached.wait()
    await wire.put(b"3")
    await eventually(lambda: len(consumer._generation._unsettled) == 3)
    opened.set()
    await eventually(lambda: recorder.done == [b"1", b"2", b"3"])


async def test_draining_ends_the_wait(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    consumer = await consume(topology.amqp_url, linger_seconds=UNBEARABLE_SECONDS)
    await wire.put(b"alone")
    await eventually(lambda: waiting(consumer) == 1)
    await consumer.drain(10)
    assert recorder.done == [b"alone"]
    assert await wire.take_all() == []


async def test_what_waited_on_a_lost_channel_comes_again(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    consumer = await consume(topology.amqp_url, batch_size=2, linger_seconds=UNBEARABLE_SECONDS)
    await wire.put(b"1")
    await eventually(lambda: waiting(consumer) == 1)
    lost = consumer._generation
    await lost._channel.close()
    await eventually(lambda: consumer._generation is not lost and waiting(consumer) == 1)
    await wire.put(b"2")
    await eventually(lambda: recorder.done == [b"1", b"2"])
    assert recorder.batches == [[b"1", b"2"]]


@pytest.mark.parametrize("linger_seconds", [-0.1, BROKER_ACK_TIMEOUT_SECONDS])
def test_a_wait_is_bounded(recorder: Any, linger_seconds: float) -> None:
    broker = make_broker(SecretStr("amqp://127.0.0.1:1"), "test")
    with pytest.raises(ValueError, match="_seconds"):
        BatchConsumer(broker, "q", recorder.handle, poison=recorder.poison, linger_seconds=linger_seconds)
