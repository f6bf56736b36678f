"""A cluster of three nodes loses the leader of its queues, the node of all clients, and its majority."""

from __future__ import annotations

import asyncio

import pytest

from tests.guarantees import accounting, books
from tests.guarantees.books import Books
from tests.guarantees.cluster.conftest import Clustered
from tests.guarantees.stream import Stream
from tests.guarantees.system import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

_NODES = 3
_PATIENCE_SECONDS = 120.0


@pytest.mark.parametrize("partition_handling", ["pause_minority"])
async def test_leads_flow_on_when_the_leader_dies_and_then_the_node_of_all_clients(
    clustered: Clustered,
) -> None:
    cluster = clustered.cluster
    leader, clients_node, _ = cluster.nodes
    before = await Books.open(clustered.system)
    stream = Stream(clustered.system, varied=True, pace_seconds=0.1)
    async with stream.flowing():
        await stream.reached(30)
        assert clustered.members() == {_NODES}, "queues spread over every node that was there"
        assert clustered.leaders() == {leader.name}

        await asyncio.to_thread(cluster.kill, leader)
        await stream.more(60)
        assert leader.name not in await asyncio.to_thread(clustered.leaders)
        await asyncio.to_thread(cluster.start_nodes, [leader])
        await _whole_again(clustered)

        await asyncio.to_thread(cluster.kill, clients_node)
        await stream.more(60)
        await asyncio.to_thread(cluster.start_nodes, [clients_node])
        await _whole_again(clustered)
        await stream.more(30)
    await accounting.settle(stream, before)


async def test_without_a_majority_leads_are_taken_and_wait_and_none_is_lost(clustered: Clustered) -> None:
    """Confirms do not come (`ignore`) or connections end (`pause_minority`); over HTTP nobody notices."""
    cluster, system = clustered.cluster, clustered.system
    dying = [cluster.nodes[0], cluster.nodes[2]]
    before = await Books.open(system)
    stream = Stream(system, varied=True, pace_seconds=0.3)
    async with stream.flowing():
        await stream.reached(30)
        await asyncio.to_thread(cluster.kill, *dying)
        await stream.more(60)
        await accounting.eventually_all(
            "the outbox shows that it waits",
            lambda: _outbox_waits(clustered),
            within_seconds=_PATIENCE_SECONDS,
        )
        await asyncio.to_thread(cluster.start_nodes, dying)
        await _whole_again(clustered)
        await stream.more(30)
    await accounting.settle(stream, before, within_seconds=300)


async def _whole_again(clustered: Clustered) -> None:
    await eventually("every member online", clustered.everywhere_online, within_seconds=_PATIENCE_SECONDS)


async def _outbox_waits(clustered: Clustered) -> object:
    """True when ingest's own figures say that messages wait, and for how long."""
    samples = await books.scrape(clustered.system.stack.services["ingest"].url)
    figures = {name: value for (name, _), value in samples.items() if name.startswith("leadbus_outbox_")}
    waits = figures["leadbus_outbox_pending"] > 0 and figures["leadbus_outbox_oldest_age_seconds"] > 0
    return waits or figures
