"""One mail server's connection: the protocol is aiosmtpd's, what is answered to whom is ours."""

# ruff: noqa: N802 -- aiosmtpd looks its commands and hooks up by these names

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException, syntax

from leadbus.db import is_out_of_reach
from leadbus.log import Wide, logger, wide
from leadbus.mailin import metrics
from leadbus.mailin.refusal import REPLIES, MailReason, MailRefused
from leadbus.mailin.room import Mail, Recipient, Taken
from leadbus.mailin.spool import Spool

if TYPE_CHECKING:
    from leadbus.mailin.listener import Listener

MOST_RECIPIENTS = 100
MOST_STRANGERS = 20
"""Unknown recipients after which a connection ends: somebody is guessing addresses."""

_LONGEST_COMMAND_BYTES = 2048
_log = logger("mail")


class MailEnvelope(Envelope):
    """What one mail's commands said so far."""

    def __init__(self) -> None:
        super().__init__()
        self.recipients: list[Recipient] = []


class Connection(SMTP):
    """SMTP as servers of other organisations speak it to us."""

    protocol: ClassVar[str] = "smtp"
    envelope: MailEnvelope

    def __init__(self, listener: Listener) -> None:
        # Of this connection: aiosmtpd keeps these for all, and any new connection clears them.
        self.command_size_limits = defaultdict(lambda: _LONGEST_COMMAND_BYTES)
        self._rules = listener.rules
        super().__init__(
            Hooks(),
            data_size_limit=self._rules.size_limit_bytes,
            enable_SMTPUTF8=True,
            hostname=self._rules.hostname,
            ident="Leadbus",
            tls_context=listener.tls_context(),
            require_starttls=self._rules.tls_required,
            timeout=self._rules.idle_seconds,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self._listener = listener
        self._strangers = 0
        self._heard_at = 0.0
        self.in_hand = False
        """A mail is coming or being stored."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.connected(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.disconnected(self)
        super().connection_lost(error)

    def end(self, reason: MailReason) -> None:
        """Say why and hang up, between two replies."""
        reply = self._refused(reason)
        # uvloop's transports are no asyncio.WriteTransport by type.
        transport: Any = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(reply.encode() + b"\r\n")
            transport.close()

    async def smtp_RCPT(self, arg: str | None) -> None:
        await super().smtp_RCPT(arg)
        if self._strangers >= MOST_STRANGERS:
            self.end(MailReason.TOO_MANY_STRANGERS)

    async def smtp_DATA(self, arg: str) -> None:
        """The text of a mail, with lines of any length: what senders of ADF put on one line is taken."""
        if await self.check_helo_needed():
            return
        if not self.envelope.recipients:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        self.in_hand = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._answer()
        finally:
            self.in_hand = False
            self._listener.freed()
        if self._listener.draining:
            self.end(MailReason.DRAINING)

    async def welcome(self, address: str) -> str:
        """The reply to a recipient."""
        if len(self.envelope.recipients) >= MOST_RECIPIENTS:
            return self._refused(MailReason.TOO_MANY_RECIPIENTS)
        try:
            recipient = await self._listener.mailroom.recipient(address)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the sender has to keep its mail
            reason = _reason_of(error)
            self._strangers += reason is MailReason.UNKNOWN_RECIPIENT
            return self._refused(reason)
        self.envelope.recipients.append(recipient)
        return "250 2.1.5 Recipient ok"

    def replies(self, reply: str) -> str:
        """What is said after the final dot."""
        return reply

    def _refused(self, reason: MailReason) -> str:
        metrics.REFUSED.labels(protocol=self.protocol, reason=reason).inc()
        return REPLIES[reason]

    async def _answer(self) -> None:
        with wide("mail.brought", protocol=self.protocol) as line:
            reason = await self._bring(line)
        replies = self.replies("250 2.0.0 Stored" if reason is None else self._refused(reason))
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(replies)
        if reason is MailReason.TOO_SLOW and self.transport is not None:
            self.transport.close()

    async def _bring(self, line: Wide) -> MailReason | None:
        """Take the text and store it; why not, if not."""
        spool = Spool(self._listener.budget, self._rules.size_limit_bytes)
        line["recipients"] = [recipient.name for recipient in self.envelope.recipients]
        try:
            with spool:
                await self._read_in_time(spool)
                taken = await self._store(spool.content(), line)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the sender has to keep its mail
            reason = _reason_of(error)
            line.outcome, line["reason"] = "refused", reason.value
            return reason
        metrics.MAILS.labels(protocol=self.protocol, outcome=taken.outcome).inc()
        return None

    async def _store(self, content: bytes, line: Wide) -> Taken:
        # Named twice, it is still told once.
        recipients = tuple(dict.fromkeys(self.envelope.recipients))
        line["size_bytes"] = len(content)
        taken = await self._listener.mailroom.take(Mail(self.envelope.mail_from or "", recipients, content))
        line.outcome = taken.outcome
        line.update(taken.facts)
        return taken

    async def _read_in_time(self, spool: Spool) -> None:
        try:
            async with asyncio.timeout(self._rules.transfer_seconds):
                await self._read_text(spool)
        except TimeoutError:
            raise MailRefused(MailReason.TOO_SLOW) from None

    async def _read_text(self, spool: Spool) -> None:
        """Read up to the final dot. Only CRLF ends a line: what others take for an end is text here."""
        begins_line = True
        while True:
            try:
                piece, ends_line = await self._reader.readuntil(b"\r\n"), True
            except asyncio.LimitOverrunError as long:
                piece, ends_line = await self._reader.readexactly(long.consumed), False
            if begins_line and ends_line and piece == b".\r\n":
                return
            spool.add(piece[1:] if begins_line and piece.startswith(b".") else piece)
            begins_line = ends_line
            self._heard_of()

    def _heard_of(self) -> None:
        """Not with each line: a timer for each would cost more than the lines do."""
        if self.loop.time() - self._heard_at > self._rules.idle_seconds / 10:
            self._heard_at = self.loop.time()
            self._reset_timeout()

    async def _handle_client(self) -> None:
        if not self._listener.has_room:
            self.end(MailReason.TOO_MANY_CONNECTIONS)
            return
        # A client that is gone leaves nothing to be said, and nothing that was not answered was promised.
        with contextlib.suppress(ConnectionError):
            await super()._handle_client()

    def _timeout_cb(self) -> None:
        self.end(MailReason.TOO_SLOW)

    def _create_envelope(self) -> MailEnvelope:
        return MailEnvelope()


class LmtpConnection(Connection):
    """LMTP (RFC 2033), as an own mail server speaks it that hands over what it took."""

    protocol = "lmtp"
    show_smtp_greeting = False

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:
        await super().smtp_EHLO(arg)

    async def smtp_HELO(self, arg: str) -> None:
        await self.push('500 5.5.1 Error: command "HELO" not recognized')

    async def smtp_EHLO(self, arg: str) -> None:
        await self.push('500 5.5.1 Error: command "EHLO" not recognized')

    def replies(self, reply: str) -> str:
        """One for each recipient that was taken, in their order."""
        return "\r\n".join(reply for _ in self.envelope.recipients)


class Hooks:
    """aiosmtpd's hooks."""

    async def handle_EHLO(
        self, smtp: Connection, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        offered = [line for line in responses if not line.startswith("250-AUTH")]
        return [*offered[:-1], "250-PIPELINING", offered[-1]]

    async def handle_RCPT(
        self, smtp: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return await smtp.welcome(address)

    async def handle_exception(self, error: Exception) -> str:
        if not isinstance(error, TLSSetupException):
            _log.error("mail.connection_failed", exc_info=error)
        return REPLIES[MailReason.FAILED]


def _reason_of(error: Exception) -> MailReason:
    if isinstance(error, MailRefused):
        return error.reason
    if is_out_of_reach(error):
        return MailReason.UNAVAILABLE
    _log.error("mail.failed", exc_info=error)
    return MailReason.FAILED


def connection_of(listener: Listener, protocol: str) -> Connection:
    """A new connection of a client."""
    kinds: dict[str, Any] = {"smtp": Connection, "lmtp": LmtpConnection}
    made: Connection = kinds[protocol](listener)
    return made
