"""An SMTP server that a test writes the lines of: each answer, each silence, each broken connection."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

DROP = object()
"""In place of an answer: the connection breaks."""
HANG = object()
"""In place of an answer: half a minute of nothing, then the connection breaks."""


@dataclass
class ScriptedServer:
    """Answers every command with 250, except where `script` has something for it.

    Keys: `connect`, verbs in lower case, `dot`; `text` acts once the first line of the text came.
    Values: a reply, DROP or HANG, a list of them that is used up one by one (then 250), or a coroutine
    function that takes the command's line and returns one of them (None: 250).
    """

    script: dict[str, Any] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self._answer(writer, "connect", "220 scripted ESMTP"):
                while line := await reader.readline():
                    if not await self._command(line.decode().strip(), reader, writer):
                        break
        writer.close()

    async def _command(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        verb = line.split(" ")[0].lower()
        self.commands.append(line)
        if verb == "ehlo":
            extensions = [f"250-{one}" for one in self.extensions]
            return await self._answer(writer, "ehlo", "\r\n".join(["250-scripted", *extensions, "250 HELP"]))
        if verb == "starttls":
            if await self._answer(writer, "starttls", "220 go ahead") and self.tls:
                await writer.start_tls(self.tls)
            return True
        if verb != "data":
            return await self._answer(writer, verb, "221 bye" if verb == "quit" else "250 2.0.0 ok")
        if not await self._answer(writer, "data", "354 go ahead"):
            return False
        if "data" in self.script:
            return True
        return await self._text(reader, writer)

    async def _text(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            if not line or ("text" in self.script and not await self._answer(writer, "text", "")):
                return False
            lines.append(line)
        self.mails.append(b"".join(lines))
        return await self._answer(writer, "dot", "250 2.0.0 queued as 1")

    async def _answer(self, writer: asyncio.StreamWriter, step: str, otherwise: str) -> bool:
        scripted = self.script.get(step, otherwise)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if scripted else otherwise
        if callable(scripted):
            scripted = await scripted(self.commands[-1] if self.commands else "") or otherwise
        if scripted is HANG:
            await asyncio.sleep(30)
        if scripted in (DROP, HANG):
            writer.transport.abort()
            return False
        writer.write(str(scripted).encode() + b"\r\n")
        await writer.drain()
        return True


@contextlib.asynccontextmanager
async def scripted_servers() -> AsyncIterator[Callable[..., Awaitable[ScriptedServer]]]:
    """Gives `start`: `server = await start(rcpt="550 no")` listens on a port of its own until the end."""
    listeners: list[asyncio.Server] = []

    async def start(
        *,
        extensions: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        **script: Any,
    ) -> ScriptedServer:
        server = ScriptedServer(script, extensions, tls=tls)
        at_once = tls if implicit_tls else None
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=at_once)
        server.port = listener.sockets[0].getsockname()[1]
        listeners.append(listener)
        return server

    try:
        yield start
    finally:
        for listener in listeners:
            listener.close()
