"""Where a mail server's reports to senders arrive in a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from aiosmtpd.smtp import SMTP, Envelope, Session

_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ArrivedReport:
    """One report with its envelope, whose sender is to be empty. `raw`: its bytes as they came, unstuffed."""

    mail_from: str
    rcpt_to: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def fields(self) -> tuple[Message, Message]:
        """The groups of message/delivery-status: about the mail, about its one recipient."""
        for part in self.message.walk():
            if part.get_content_type() == "message/delivery-status":
                about_mail, about_recipient = _messages(part)
                return about_mail, about_recipient
        raise AssertionError("it has no message/delivery-status")

    @property
    def returned(self) -> Message:
        """What it gives back of the mail: all of it, or its headers."""
        for part in self.message.walk():
            if part.get_content_type() == "message/rfc822":
                (whole,) = _messages(part)
                return whole
            if part.get_content_type() == "text/rfc822-headers":
                return message_from_bytes(part.get_content().encode(), policy=policy.default)
        raise AssertionError("it gives nothing back")


def _messages(part: Message) -> list[Message]:
    within = part.get_payload()
    assert isinstance(within, list)
    return [one for one in within if isinstance(one, Message)]


@dataclass
class ReportListener:
    """Takes every mail; `of(recipient)` waits for those to that address."""

    arrived: list[ArrivedReport] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        sender = (envelope.mail_from or "").strip("<>")
        for recipient in envelope.rcpt_tos:
            self.arrived.append(ArrivedReport(sender, recipient, envelope.content))
        self._news.set()
        return "250 2.0.0 taken"

    async def of(self, recipient: str, action: str) -> ArrivedReport:
        """The first report to `recipient` that says `action` ("failed"). Raises TimeoutError."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                self._news.clear()
                for report in self.arrived:
                    if report.rcpt_to == recipient and report.fields[1]["Action"] == action:
                        return report
                await self._news.wait()


@asynccontextmanager
async def listening_for_reports(port: int) -> AsyncIterator[ReportListener]:
    """On loopback, in the running loop."""
    listener = ReportListener()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(listener, hostname="bounces.leadbus.example"), "127.0.0.1", port
    )
    try:
        yield listener
    finally:
        server.close()
        await server.wait_closed()
