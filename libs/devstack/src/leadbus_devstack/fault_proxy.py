"""A TCP proxy that misbehaves on request, as networks and firewalls do.

It runs in a thread of its own, so that a test whose loop stands still does not stop the network with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import free_ports

HOST = "127.0.0.1"
_CHUNK_BYTES = 1024 * 1024
HELD_BYTES = 64 * 1024 * 1024
_ANSWER_SECONDS = 30.0
_ROUNDS = 4
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What happens to connections, open ones and new ones alike, for as long as it is set.

    What is held back arrives late when the mode changes: TCP sends it again and again meanwhile. It does
    not arrive when its sender has reset the connection in the meantime.
    """

    PASS = "pass"
    REFUSE = "refuse"
    """Nothing listens, and open connections are reset: a server that is gone."""
    BLACKHOLE = "blackhole"
    """Connections stay open, no byte arrives on either side."""
    DROP_UP = "drop_up"
    """What clients send does not arrive."""
    DROP_DOWN = "drop_down"
    """What the server sends does not arrive."""
    DELAY = "delay"
    """Every byte arrives late."""
    RESET = "reset"
    """Both sides get a RST: a firewall that has forgotten the connection."""
    CUT = "cut"
    """Both sides get a FIN: a load balancer that ends the connection."""


_UP, _DOWN = "up", "down"
_HELD = {Mode.BLACKHOLE: {_UP, _DOWN}, Mode.DROP_UP: {_UP}, Mode.DROP_DOWN: {_DOWN}}


class FaultProxy:
    """Listens on `port` of loopback for the server at `host`:`target_port`; `set` it from any thread."""

    def __init__(self, host: str, target_port: int, *, port: int = 0) -> None:
        self.host = host
        self.target_port = target_port
        self.port = port or free_ports(1)[0]
        self.mode = Mode.PASS
        self._delay_seconds = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._passable: dict[str, asyncio.Event] = {}

    @classmethod
    def before(cls, url: str, *, default_port: int) -> FaultProxy:
        """For the server that `url` names."""
        address = urlsplit(url)
        return cls(address.hostname or HOST, address.port or default_port)

    def url(self, url: str) -> str:
        """`url` led through this proxy; user, password, path and query stay."""
        address = urlsplit(url)
        user, at, _ = address.netloc.rpartition("@")
        return urlunsplit(address._replace(netloc=f"{user}{at}{HOST}:{self.port}"))

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {self.port}", daemon=True)
        self._thread.start()
        self._in_loop(self._apply, Mode.PASS, 0.0)

    def set(self, mode: Mode, *, delay_seconds: float = 0.0) -> None:
        """Behave so from now on; returns when it does. `delay_seconds` belongs to DELAY."""
        if (mode is Mode.DELAY) != (delay_seconds > 0):
            raise ValueError("DELAY, and only DELAY, takes a delay")
        self._in_loop(self._apply, mode, delay_seconds)

    def stop(self) -> None:
        """Close everything. Idempotent."""
        if self._thread is None:
            return
        self._in_loop(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_SECONDS)
        self._loop.close()
        self._thread = None

    def _in_loop(self, act: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        if self._thread is None:
            raise DevstackError("the proxy was not started")
        asyncio.run_coroutine_threadsafe(act(*arguments), self._loop).result(_ANSWER_SECONDS)

    async def _apply(self, mode: Mode, delay_seconds: float) -> None:
        for _ in range(_ROUNDS):
            # Resets that came before this call are to be seen before anything passes again.
            await asyncio.sleep(0)
        self.mode, self._delay_seconds = mode, delay_seconds
        for way in (_UP, _DOWN):
            passable = self._passable.setdefault(way, asyncio.Event())
            if way in _HELD.get(mode, ()):
                passable.clear()
            else:
                passable.set()
        if mode is Mode.REFUSE:
            self._stop_listening()
        elif self._listener is None:
            self._listener = await asyncio.start_server(
                self._serve, HOST, self.port, limit=HELD_BYTES, backlog=200
            )
        for connection in list(self._connections):
            connection.suffer(mode)

    async def _close(self) -> None:
        self._stop_listening()
        for connection in self._connections:
            connection.suffer(Mode.RESET)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _End(reader, writer)
        try:
            server = _End(*await self._dial())
        except OSError:
            client.reset()
            return
        connection = _Connection(client, server)
        self._connections.add(connection)
        connection.suffer(self.mode)
        try:
            await asyncio.gather(self._carry(client, server, _UP), self._carry(server, client, _DOWN))
        finally:
            self._connections.discard(connection)
            connection.suffer(Mode.CUT)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server. Raises OSError."""
        return await asyncio.open_connection(self.host, self.target_port, limit=HELD_BYTES)

    async def _carry(self, source: _End, sink: _End, way: str) -> None:
        """Bytes, then the end that `source` comes to, each when the mode lets it pass."""
        try:
            while chunk := await source.reader.read(_CHUNK_BYTES):
                await self._until_passable(way)
                source.check()
                await sink.write(chunk)
            await self._until_passable(way)
            sink.finish()
        except OSError:
            await self._until_passable(way)
            sink.reset()

    async def _until_passable(self, way: str) -> None:
        while True:
            await self._passable[way].wait()
            if not self._delay_seconds:
                return
            await asyncio.sleep(self._delay_seconds)
            if self._passable[way].is_set():
                return


class _End:
    """One side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def check(self) -> None:
        """Raises OSError when this side has reset the connection: what it sent before is void."""
        if error := self.reader.exception():
            raise ConnectionResetError from error

    async def write(self, chunk: bytes) -> None:
        self._writer.write(chunk)
        await self._writer.drain()

    def finish(self) -> None:
        """FIN, after all that was written."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    def reset(self) -> None:
        """RST."""
        opened = self._writer.get_extra_info("socket")
        if opened is not None and opened.fileno() != -1:
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()

    def cut(self) -> None:
        self._writer.close()


class _Connection:
    """The two sides of one connection through the proxy."""

    def __init__(self, client: _End, server: _End) -> None:
        self._ends = (client, server)

    def suffer(self, mode: Mode) -> None:
        """What `mode` does to a connection as a whole; modes that only hold bytes do nothing here."""
        for end in self._ends:
            if mode in (Mode.RESET, Mode.REFUSE):
                end.reset()
            elif mode is Mode.CUT:
                end.cut()
