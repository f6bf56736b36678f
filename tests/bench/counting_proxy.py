"""A TCP proxy that passes everything on and counts the frames that go through, each way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from leadbus_devstack.ports import free_ports

_PIECE_BYTES = 262_144


class FrameNames(Protocol):
    """Names the frames of one connection. Called with whatever pieces TCP gives."""

    def sent(self, data: bytes) -> Iterator[str]: ...
    def answered(self, data: bytes) -> Iterator[str]: ...


class CountingProxy:
    """`counts` goes on over all connections: what clients sent, and what they were answered."""

    def __init__(self, url: str, names: Callable[[], FrameNames]) -> None:
        self._target = urlsplit(url)
        self._names = names
        self._server: asyncio.Server | None = None
        self.counts: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """`url` by way of the proxy, login and path as they were."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login, at, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{login}{at}127.0.0.1:{port}"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CountingProxy]:
        """Listens inside, on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", free_ports(1)[0])
        try:
            yield self
        finally:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = self._names()
        host, port = self._target.hostname, self._target.port
        try:
            server_reader, server_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._pump(reader, server_writer, names.sent), self._pump(server_reader, writer, names.answered)
        )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        names: Callable[[bytes], Iterator[str]],
    ) -> None:
        try:
            while data := await reader.read(_PIECE_BYTES):
                self.counts.update(names(data))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other pump meets it as an end
        finally:
            writer.close()
