"""A bare SMTP client: one kept connection, one command at a time, the answers only counted on."""

from __future__ import annotations

import asyncio


class MailRefusedError(Exception):
    """An answer that was not hoped for."""


class SmtpLine:
    """`send` may be called again and again, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> SmtpLine:
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        await line._answer(b"220")
        await line._say(b"EHLO bench\r\n", b"250")
        return line

    async def send(self, sender: str, recipient: str, raw: bytes) -> None:
        """`raw` with CRLF and no line that begins with a dot."""
        await self._say(b"MAIL FROM:<%b>\r\n" % sender.encode(), b"250")
        await self._say(b"RCPT TO:<%b>\r\n" % recipient.encode(), b"250")
        await self._say(b"DATA\r\n", b"354")
        await self._say(raw + b".\r\n", b"250")

    async def _say(self, words: bytes, hoped_for: bytes) -> None:
        self._writer.write(words)
        await self._answer(hoped_for)

    async def _answer(self, hoped_for: bytes) -> None:
        while True:
            line = await self._reader.readline()
            if not line.startswith(hoped_for):
                raise MailRefusedError(line.decode("ascii", "replace"))
            if line[3:4] != b"-":
                return
