"""Posts leads to a door over kept connections: at a steady pace, or as fast as answers come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.bench import leads

_KEPT_SECONDS = 3.0


class RefusedError(Exception):
    """The door answered something else than 202."""


@dataclass
class Door:
    """`posted`: when the request for each lead was begun, by the lead's number (monotonic clock)."""

    url: str
    api_key: str
    posted: dict[int, float] = field(default_factory=dict)

    async def at_pace(self, numbers: Iterable[int], per_second: float) -> None:
        """One every 1/`per_second`, whether or not the one before was answered."""
        idle: list[_Connection] = []
        began = time.monotonic()
        async with asyncio.TaskGroup() as posts:
            for at, number in enumerate(numbers):
                await asyncio.sleep(began + at / per_second - time.monotonic())
                posts.create_task(self._post_on_idle(idle, number))
        for connection in idle:
            connection.close()

    async def at_once(self, numbers: Iterable[int], connections: int) -> None:
        """Each of `connections` posts the next as soon as it was answered."""
        waiting = iter(list(numbers))
        async with asyncio.TaskGroup() as posts:
            for _ in range(connections):
                posts.create_task(self._post_all(waiting))

    async def _post_on_idle(self, idle: list[_Connection], number: int) -> None:
        self.posted[number] = time.monotonic()
        connection = idle.pop() if idle else await _Connection.open(self.url)
        if connection.stale:
            # A server closes what was idle for long: those below it in the pile are no better.
            for old in [connection, *idle]:
                old.close()
            idle.clear()
            connection = await _Connection.open(self.url)
        await connection.post(self._request(number))
        idle.append(connection)

    async def _post_all(self, waiting: Iterator[int]) -> None:
        connection = await _Connection.open(self.url)
        for number in waiting:
            self.posted[number] = time.monotonic()
            await connection.post(self._request(number))
        connection.close()

    def _request(self, number: int) -> bytes:
        body = leads.body(number)
        head = (
            f"POST /v1/raw/{leads.SOURCE} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.api_key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._used_at = time.monotonic()

    @property
    def stale(self) -> bool:
        """The server may have closed it: uvicorn does after five seconds."""
        return time.monotonic() - self._used_at > _KEPT_SECONDS

    @classmethod
    async def open(cls, url: str) -> _Connection:
        address = urlsplit(url)
        return cls(*await asyncio.open_connection(address.hostname, address.port))

    async def post(self, request: bytes) -> None:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._reader.readexactly(_content_length(head))
        self._used_at = time.monotonic()
        if not head.startswith(b"HTTP/1.1 202"):
            raise RefusedError(f"{head.splitlines()[0].decode()}: {body[:300].decode()}")

    def close(self) -> None:
        self._writer.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0
