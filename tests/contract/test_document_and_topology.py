"""The committed document says about exchanges and queues what the broker really does."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import aio_pika
import pytest
import yaml
from aio_pika.exceptions import PublishError
from leadbus.topology import EVENTS_EXCHANGE, TOPOLOGY, UNROUTED, parked
from leadbus_devstack.vhosts import Vhost


@pytest.fixture
def document(contracts: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((contracts / "asyncapi.yaml").read_text("utf-8"))
    return parsed


def test_exchanges_are_the_declared_ones(document: dict[str, Any]) -> None:
    declared = {exchange.name: exchange.kind for exchange in TOPOLOGY.exchanges}
    for channel in document["channels"].values():
        exchange = channel["bindings"]["amqp"]["exchange"]
        assert (exchange["type"], exchange["durable"]) == (declared[exchange["name"]], True)


def test_every_queue_that_is_consumed_is_mentioned(document: dict[str, Any]) -> None:
    mentioned = {queue for channel in document["channels"].values() for queue in channel["x-leadbus-queues"]}
    names = {queue.name for queue in TOPOLOGY.queues}
    assert mentioned == {name for name in names if parked(name) in names}


async def test_each_message_reaches_the_queues_the_document_names(
    document: dict[str, Any], topology: Vhost
) -> None:
    expected = {
        channel["address"]: set(channel["x-leadbus-queues"]) for channel in document["channels"].values()
    }
    arrived: dict[str, set[str]] = defaultdict(set)
    connection = await aio_pika.connect(topology.amqp_url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        returned = set()
        for each in document["channels"].values():
            name = each["bindings"]["amqp"]["exchange"]["name"]
            exchange = await channel.get_exchange(name, ensure=False)
            try:
                await exchange.publish(aio_pika.Message(b""), each["address"], mandatory=True)
            except PublishError:
                returned.add(each["address"])
                assert name == EVENTS_EXCHANGE, "what no queue takes of the raw exchange is kept"
        for queue in TOPOLOGY.queues:
            source = await channel.get_queue(queue.name)
            while message := await source.get(fail=False, no_ack=True):
                arrived[str(message.routing_key)].add(queue.name)
    unrouted = {key for key, queues in arrived.items() if queues == {UNROUTED}}
    assert {key for key, queues in expected.items() if not queues} == unrouted | returned
    assert {key: queues for key, queues in arrived.items() if key not in unrouted} == {
        key: queues for key, queues in expected.items() if queues
    }
