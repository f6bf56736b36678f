"""The HTTP server: uvicorn in this process and this loop, without its hold on signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from leadbus.service.failure import StartError

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError saying which address cannot be had and why."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "it is in use" if in_use else getattr(error, "strerror", None) or type(error).__name__
        raise StartError(f"cannot listen on {host} port {port}: {why}") from error
    listener.setblocking(False)
    return listener


class HttpServer:
    """Serves `app` on `listener` from `run` until `stop`."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                backlog=_BACKLOG,
            )
        )
        self._ended = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    async def run(self) -> None:
        try:
            await self._server.serve([self._listener])
        finally:
            self._ended.set()

    async def stop(self, timeout_seconds: float) -> None:
        """Take no new connections, let requests in hand finish, cut those that take longer."""
        self._server.should_exit = True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ended.wait()
        except TimeoutError:
            self._server.force_exit = True
            await self._ended.wait()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The service drains in its own order; uvicorn would stop at once and raise the signal again.
        yield
