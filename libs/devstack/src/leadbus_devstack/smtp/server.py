"""The SMTP side: aiosmtpd with a mailbox behind it and faults in front of it."""

# ruff: noqa: N802 -- aiosmtpd looks its hooks up by these names

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from leadbus_devstack.smtp.faults import Faults
from leadbus_devstack.smtp.mailbox import Mailbox

_SIZE_LIMIT_BYTES = 32 * 1024 * 1024
_NEVER_SECONDS = 3600.0


class Connection(SMTP):
    """One client's connection; known to its server so that it can be cut."""

    def __init__(self, server: MailServer) -> None:
        super().__init__(
            server.handler,
            data_size_limit=_SIZE_LIMIT_BYTES,
            enable_SMTPUTF8=True,
            hostname="mail.leadbus.test",
            loop=asyncio.get_running_loop(),
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        faults = self._server.faults
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        if faults.banner is not None and not getattr(self.session, "host_name", None):
            await super().push(faults.banner)
            self._server.shown()
            self.cut()
            return
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:
        if self._server.faults.drop_after_data:
            self._server.shown()
            self.cut()
            return
        await super().smtp_DATA(arg)

    def cut(self) -> None:
        """End the connection at once, as a crashed peer would."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class Handler:
    """aiosmtpd's hooks: each either lets the faults answer or does the normal thing."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_EHLO(
        self, smtp: Connection, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        reply = self._server.faults.ehlo
        if reply is not None:
            self._server.shown()
            return [reply]
        session.host_name = hostname
        return responses

    async def handle_HELO(self, smtp: Connection, session: Session, envelope: Envelope, hostname: str) -> str:
        reply = self._server.faults.ehlo
        if reply is not None:
            self._server.shown()
            return reply
        session.host_name = hostname
        return "250 mail.leadbus.test"

    async def handle_MAIL(
        self, smtp: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self._server.faults.mail
        if reply is not None:
            self._server.shown()
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender ok"

    async def handle_RCPT(
        self, smtp: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        replies = self._server.faults.rcpt
        reply = replies.get(address, replies.get("*"))
        if reply is not None:
            self._server.shown()
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, smtp: Connection, session: Session, envelope: Envelope) -> str:
        faults = self._server.faults
        hidden = faults.drop_after_dot or faults.hang_after_data
        if faults.data is not None:
            self._server.shown()
            return faults.data
        if hidden != "unstored":
            self._store(session, envelope)
        if not hidden:
            return "250 2.0.0 stored"
        self._server.shown()
        if faults.drop_after_dot:
            smtp.cut()
        else:
            await asyncio.sleep(_NEVER_SECONDS)
        return "421 4.4.2 never heard"

    def _store(self, session: Session, envelope: Envelope) -> None:
        content = envelope.content
        self._server.mailbox.store(
            content.encode() if isinstance(content, str) else content or b"",
            mail_from=envelope.mail_from or "",
            rcpt_to=list(envelope.rcpt_tos),
            helo=str(session.host_name or ""),
        )


class MailServer:
    """Listens on `host:port`; `faults` may be replaced at any time."""

    def __init__(self, mailbox: Mailbox, host: str, port: int) -> None:
        self.mailbox = mailbox
        self.host = host
        self.port = port
        self.faults = Faults()
        self.handler = Handler(self)
        self.connections: set[Connection] = set()
        self._shown = 0
        self._listener: asyncio.Server | None = None

    async def apply(self, faults: Faults) -> None:
        """Replace the faults, and open or close the port accordingly."""
        self.faults = faults
        self._shown = 0
        if faults.refuse:
            await self.close()
        else:
            await self.open()

    async def open(self) -> None:
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(lambda: Connection(self), self.host, self.port)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.cut_all()

    def cut_all(self) -> None:
        for connection in list(self.connections):
            connection.cut()

    def shown(self) -> None:
        """A fault showed itself once; after `times` of them all are off."""
        self._shown += 1
        if self.faults.times is not None and self._shown >= self.faults.times:
            self.faults = Faults()
