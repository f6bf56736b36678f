"""A mail server's side of a connection to ingest, and a mailroom behind it that needs no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ingest.mail.recipient import MailRecipient, Recipient
from leadbus.mailin.listener import Listener, Rules
from leadbus.mailin.refusal import MailReason, MailRefused
from leadbus.mailin.room import Mail, Taken

DEADLINE_SECONDS = 20.0
KNOWN = "k7@leads.example"
RULES = Rules(
    hostname="mx.leads.example",
    size_limit_bytes=100_000,
    held_bytes=150_000,
    most_connections=3,
    idle_seconds=60,
    transfer_seconds=60,
)


@dataclass
class FakeMailroom:
    """Knows every address that begins with `k`, and fails as it is told to."""

    mails: list[Mail[Recipient]] = field(default_factory=list)
    fails: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def recipient(self, address: str) -> Recipient:
        if not address.startswith("k"):
            raise MailRefused(MailReason.UNKNOWN_RECIPIENT)
        return Recipient(address, MailRecipient(address=address))

    async def take(self, mail: Mail[Recipient]) -> Taken:
        if self.fails:
            raise self.fails
        self.waiting += 1
        await self.gate.wait()
        self.mails.append(mail)
        return Taken("taken")


@dataclass
class Client:
    """One connection of a mail server, word by word."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hears(self) -> str:
        """One reply, its lines joined; "" when the connection has ended."""
        lines = []
        while line := (await self.reader.readline()).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    async def says(self, line: str | bytes) -> str:
        self.sends(line)
        return await self.hears()

    def sends(self, line: str | bytes) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    async def addresses(self, *recipients: str, hello: str = "EHLO") -> None:
        """Up to DATA, everything agreed to."""
        named = [f"RCPT TO:<{recipient}>" for recipient in recipients]
        for command in (f"{hello} c.example", "MAIL FROM:<a@b.example>", *named):
            assert (await self.says(command)).startswith("250"), command
        assert (await self.says("DATA")).startswith("354")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 -- the condition is another task's
            await asyncio.sleep(0.005)


async def listening(mailroom: FakeMailroom, **rules: Any) -> Listener:
    """A listener of both protocols on free ports, by `RULES` but for `rules`; to be closed."""
    whole = Rules(**{**{name: getattr(RULES, name) for name in Rules.__slots__}, **rules})
    behind: Any = mailroom
    listener = Listener(behind, whole, host="127.0.0.1", ports={"smtp": 0, "lmtp": 0})
    await listener.open()
    return listener


async def dialled(listener: Listener, protocol: str = "smtp") -> Client:
    """A client that nothing was said to yet; its `writer` is to be closed."""
    return Client(*await asyncio.open_connection("127.0.0.1", listener.port(protocol)))
