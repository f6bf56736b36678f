"""The address in front of a cluster: where new connections go, and what becomes of old ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from leadbus_devstack.balancer import Balancer
from leadbus_devstack.ports import free_ports


class Node:
    """Says its name to whoever connects, and keeps the connection."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(f"{self.name}\n".encode())
        await writer.drain()

    async def die(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def nodes() -> AsyncIterator[list[Node]]:
    made = [Node(name, port) for name, port in zip(("one", "two"), free_ports(2), strict=True)]
    for node in made:
        await node.start()
    yield made
    for node in made:
        await node.die()


async def greeted(balancer: Balancer) -> tuple[str, asyncio.StreamReader]:
    reader, _ = await asyncio.open_connection("127.0.0.1", balancer.port)
    return (await reader.readline()).decode().strip(), reader


async def test_connections_end_with_their_server_and_the_next_goes_to_another(nodes: list[Node]) -> None:
    balancer = Balancer([node.port for node in nodes])
    balancer.start()
    try:
        name, reader = await greeted(balancer)
        assert name == "one"
        await nodes[0].die()
        assert await reader.read() == b""
        assert (await greeted(balancer))[0] == "two"
        await nodes[0].start()
        assert (await greeted(balancer))[0] == "one"
        balancer.prefer(nodes[1].port)
        assert (await greeted(balancer))[0] == "two"
        for node in nodes:
            await node.die()
        with pytest.raises(ConnectionResetError):
            await greeted(balancer)
    finally:
        balancer.stop()
