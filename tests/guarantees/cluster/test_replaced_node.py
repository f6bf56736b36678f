"""The commands of docs/runbooks/broker-node-replaced.md, on a real cluster that then stands another loss."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator

import aio_pika
import pytest
from leadbus import topology
from leadbus.topology import TOPOLOGY
from leadbus.topology.management import Management
from leadbus_devstack import rabbitmq
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.rabbitmq_cluster import RabbitMQCluster
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, vhost_named

from tests.guarantees.system import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

_QUEUE = "normalizer.raw"
_PATIENCE_SECONDS = 120.0


@pytest.fixture
def cluster() -> Iterator[RabbitMQCluster]:
    programs = rabbitmq.find_programs()
    if programs is None:
        pytest.skip("a cluster needs RabbitMQ's native programs")
    with contextlib.ExitStack() as parts:
        directory = scratch_directory("cluster")
        parts.callback(shutil.rmtree, directory, ignore_errors=True)
        made = RabbitMQCluster(programs, directory, partition_handling="pause_minority")
        parts.callback(made.stop)
        made.start()
        yield made


@pytest.fixture
def vhost(cluster: RabbitMQCluster) -> Vhost:
    node = cluster.nodes[0]
    made = vhost_named(node.url, node.management_url, "leadbus")
    made.create()
    run_apart(lambda: topology.apply(made.amqp_url, made.management_url))
    return made


async def test_a_node_that_takes_the_place_of_a_lost_one_gets_the_queues(
    cluster: RabbitMQCluster, vhost: Vhost
) -> None:
    living, other, lost = cluster.nodes
    await _publish(vhost, b"before")
    await asyncio.to_thread(cluster.kill, lost)

    living.queues("shrink", lost.name)
    living.ctl("forget_cluster_node", lost.name)
    new = await asyncio.to_thread(cluster.add_node)
    assert _members(cluster) == {frozenset({living.name, other.name})}, "a new node holds nothing by itself"
    assert await _short_by_the_management_api(vhost) == len(TOPOLOGY.queues), "which `leadbus doctor` reads"
    living.queues("grow", new.name, "all")
    living.queues("rebalance", "quorum")

    names = frozenset({living.name, other.name, new.name})
    await eventually(
        "the new node is a member of every queue",
        lambda: _members(cluster) == {names} or _members(cluster),
        within_seconds=_PATIENCE_SECONDS,
    )
    living.queues("check_if_node_is_quorum_critical")
    assert await _short_by_the_management_api(vhost) == 0

    await asyncio.to_thread(cluster.kill, other)
    await _publish(vhost, b"after")
    assert await _bodies(vhost) == [b"before", b"after"]


def _members(cluster: RabbitMQCluster) -> set[frozenset[str]]:
    return {frozenset(queue["members"]) for queue in cluster.queues("leadbus")}


async def _short_by_the_management_api(vhost: Vhost) -> int:
    """Queues on fewer than three nodes."""
    async with Management(vhost.management_url, vhost.name) as management:
        queues = await management.queues()
    return sum(len(queue["members"]) < 3 for queue in queues.values())


async def _publish(vhost: Vhost, body: bytes) -> None:
    """Returns when a majority has it."""
    async with await aio_pika.connect(vhost.amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, _QUEUE, timeout=_PATIENCE_SECONDS)


async def _bodies(vhost: Vhost) -> list[bytes]:
    async with await aio_pika.connect(vhost.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(_QUEUE, ensure=False)
        return [(await queue.get(timeout=_PATIENCE_SECONDS, no_ack=True)).body for _ in range(2)]
