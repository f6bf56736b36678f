"""One SMTP connection, driven step by step.

aiosmtplib brings the protocol, TLS and AUTH; its `sendmail` would run DATA, text and final dot as one call,
after which nobody could say whether a failure left the mail with the other side.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import aiosmtplib
from leadbus import checkpoint
from leadbus.delivery import Ambiguous, Outcome, Transient
from pydantic import SecretStr

from adf_mailer.delivery.replies import Reply, Step, Verdict, accepted, lost, refusal
from adf_mailer.domain import xtext
from adf_mailer.domain.return_path import token_of

T = TypeVar("T")
TlsMode = Literal["required", "implicit", "opportunistic", "off"]

_NO_LONGER = (421, -1)
_DOT_AT_LINE_START = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class SmartHost:
    """A host that passes our mail on, and how to speak to it."""

    host: str
    port: int
    ehlo_name: str | None = None
    sender: str | None = None
    """Address of ours that this account sends as; a host that refuses it refuses us, not a mail."""
    return_path: str | None = None
    """Address of ours that envelope senders are made of; to refuse one of those is to refuse us, too."""
    tls: TlsMode = "required"
    ca_file: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    step_timeout_seconds: float = 10.0
    before_dot_timeout_seconds: float = 20.0
    answer_timeout_seconds: float = 30.0
    """How long the answer to the final dot may take; giving up on it leaves the mail in doubt."""

    @property
    def name(self) -> str:
        """`host:port`; that of the first host is the destination's name."""
        return f"{self.host}:{self.port}"

    def is_own(self, sender: str) -> bool:
        """Whether all mails come from this envelope sender, or one like it."""
        return sender == self.sender or self.envelope_id(sender) is not None

    def envelope_id(self, sender: str) -> str | None:
        """What the host is to name in its reports about a mail (RFC 3461)."""
        return token_of(sender, self.return_path)

    def tls_context(self) -> ssl.SSLContext | None:
        """`required` and `implicit` prove the host's certificate, by STARTTLS and from the first byte on;
        `opportunistic` only hides the mail from listeners.

        Raises OSError when there is no such `ca_file`.
        """
        if self.tls == "off":
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.tls == "opportunistic":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction: one sender, one recipient, the exact bytes (CRLF, ASCII)."""

    sender: str
    recipient: str
    raw: bytes


class Refused(Exception):  # noqa: N818 -- an answer, not an error of ours
    """The host said something else than hoped for."""

    def __init__(self, step: Step, reply: Reply) -> None:
        super().__init__(f"{step.value}: {reply.code}")
        self.step = step
        self.reply = reply


class Lost(Exception):  # noqa: N818
    """The connection broke, timed out or could not be made. `reason` is an outcome's reason code."""

    def __init__(self, step: Step, reason: str) -> None:
        super().__init__(f"{step.value}: {reason}")
        self.step = step
        self.reason = reason


class Gone(Exception):  # noqa: N818
    """A kept connection serves no more. The host may be well: another connection will tell."""


class SmtpConnection:
    """Open, greeted, encrypted and authenticated as the host's settings say."""

    def __init__(self, host: SmartHost, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._tls = tls
        self._client = aiosmtplib.SMTP(
            hostname=host.host,
            port=host.port,
            timeout=host.step_timeout_seconds,
            local_hostname=host.ehlo_name,
            use_tls=host.tls == "implicit",
            tls_context=tls if host.tls == "implicit" else None,
            start_tls=False,
        )
        self._step = Step.CONNECT
        self._between_mails = True
        self.transactions = 0
        self.idle_since = time.monotonic()

    @property
    def usable(self) -> bool:
        return self._client.is_connected

    async def open(self) -> None:
        """Raises Refused or Lost; the connection is closed then."""
        try:
            await self._guarded(self._open())
        except BaseException:
            self.close()
            raise
        checkpoint.passed("smtp.connected")

    async def transact(
        self, envelope: Envelope, before_data: Callable[[], Awaitable[None]], *, dot_until: float
    ) -> Verdict:
        """Send one mail. Only a failure after the final dot is Ambiguous.

        `before_data` runs once the recipient is accepted and before anything of the mail is sent; the final
        dot is sent before the loop's time `dot_until` or not at all. Afterwards the connection can serve
        another mail if it is still `usable`. Raises Gone when it served mails before and does not any more:
        nothing of this one was sent.
        """
        kept = self.transactions > 0
        self.transactions += 1
        try:
            async with asyncio.timeout_at(dot_until):
                await (self._begin_another(envelope) if kept else self._begin(envelope))
                await self._command(Step.RCPT, 250, b"RCPT", *self._recipient(envelope))
                checkpoint.passed("smtp.addressed")
                await before_data()
                await self._command(Step.DATA, 354, b"DATA")
                await self._guarded(self._write(envelope.raw))
        except Refused as refused:
            own_sender = self._host.is_own(envelope.sender)
            return Verdict(refusal(refused.step, refused.reply, own_sender=own_sender), refused.step)
        except TimeoutError:
            return self._not_taken(self._step, "timeout")
        except Lost as gone:
            return self._not_taken(gone.step, gone.reason)
        return Verdict(await self._finish(), Step.CONTENT)

    def _not_taken(self, step: Step, reason: str) -> Verdict:
        self.close()
        # A text that kills every connection has to use up its tries: that step is not the host's fault.
        return Verdict(Transient(reason) if step is Step.CONTENT else lost(reason), step)

    async def quit(self) -> None:
        """Leave politely, without waiting long."""
        try:
            await self._client.execute_command(b"QUIT", timeout=1.0)
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        self._client.close()

    async def _open(self) -> None:
        self._step = Step.CONNECT
        await self._client.connect()
        await self._ehlo()
        if self._tls is not None and self._host.tls != "implicit":
            await self._encrypt(self._tls)
        if self._host.username:
            self._step = Step.AUTH
            if not self._client.supports_extension("auth"):
                raise Lost(Step.AUTH, "auth_not_offered")
            password = self._host.password.get_secret_value() if self._host.password else ""
            await self._client.login(self._host.username, password)

    async def _ehlo(self) -> None:
        self._step = Step.EHLO
        await self._client.ehlo()

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        self._step = Step.STARTTLS
        if not self._client.supports_extension("starttls"):
            if self._host.tls == "required":
                raise Lost(Step.STARTTLS, "tls_not_offered")
            return
        await self._client.starttls(tls_context=context)
        await self._ehlo()

    async def _begin_another(self, envelope: Envelope) -> None:
        """The first command also finds out whether the host still listens."""
        try:
            if not self._between_mails:
                await self._command(Step.MAIL, 250, b"RSET")
        except (Lost, Refused) as error:
            raise Gone from error
        try:
            await self._begin(envelope)
        except Lost as lost:
            raise Gone from lost
        except Refused as refused:
            if refused.reply.code in _NO_LONGER:
                raise Gone from refused
            raise

    async def _begin(self, envelope: Envelope) -> None:
        self._between_mails = False
        sender = [b"FROM:<%b>" % envelope.sender.encode("ascii")]
        if self._client.supports_extension("size"):
            sender.append(b"SIZE=%d" % len(envelope.raw))
        if envelope_id := self._asked_for_reports(envelope):
            sender += [b"RET=HDRS", b"ENVID=%b" % xtext.encoded(envelope_id).encode("ascii")]
        await self._command(Step.MAIL, 250, b"MAIL", *sender)

    def _recipient(self, envelope: Envelope) -> list[bytes]:
        words = [b"TO:<%b>" % envelope.recipient.encode("ascii")]
        if self._asked_for_reports(envelope):
            original = xtext.encoded(envelope.recipient).encode("ascii")
            words += [b"NOTIFY=FAILURE,DELAY", b"ORCPT=rfc822;%b" % original]
        return words

    def _asked_for_reports(self, envelope: Envelope) -> str | None:
        """The envelope id, where bounces come to us and the host reports by RFC 3461."""
        envelope_id = self._host.envelope_id(envelope.sender)
        return envelope_id if envelope_id and self._client.supports_extension("dsn") else None

    async def _write(self, raw: bytes) -> None:
        """The text without its final dot, until the kernel has all of it."""
        self._step = Step.CONTENT
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or transport is None:
            raise Lost(Step.CONTENT, "connection_lost")
        # Pauses at the first byte that the kernel does not take, so that the drain below means all of them.
        cast("asyncio.WriteTransport", transport).set_write_buffer_limits(high=0)
        protocol.write(_DOT_AT_LINE_START.sub(b"..", raw))
        async with asyncio.timeout(self._host.step_timeout_seconds):
            await protocol._drain_helper()  # noqa: SLF001 -- asyncio's name for a protocol's part of drain()

    async def _finish(self) -> Outcome:
        self._step = Step.CONTENT
        if not self.usable:
            self.close()
            return Transient("connection_lost")
        checkpoint.passed("smtp.content_written")
        # A command is written at once; the loop comes to this when the answer is being waited for.
        asyncio.get_running_loop().call_soon(checkpoint.passed, "smtp.dot_sent")
        try:
            reply = await self._exchange(b".", timeout_seconds=self._host.answer_timeout_seconds)
        except Lost as lost:
            self.close()
            return Ambiguous(lost.reason)
        if 200 <= reply.code < 300:
            # The mail that was taken leaves nothing to be forgotten (RFC 5321, 4.1.1.4); a refused one may.
            self._between_mails = True
            return accepted(reply)
        if 400 <= reply.code < 600:
            return refusal(Step.CONTENT, reply)
        self.close()
        return Ambiguous("unreadable_answer", reply.answer)

    async def _command(self, step: Step, hoped_for: int, *words: bytes) -> None:
        self._step = step
        reply = await self._exchange(*words, timeout_seconds=self._host.step_timeout_seconds)
        if reply.code != hoped_for and not (step is Step.RCPT and reply.code == 251):
            raise Refused(step, reply)

    async def _exchange(self, *words: bytes, timeout_seconds: float) -> Reply:
        """Any reply, even one that is none (code -1); raises Lost."""
        try:
            response = await self._guarded(self._client.execute_command(*words, timeout=timeout_seconds))
        except Refused as unreadable:
            return unreadable.reply
        return Reply(response.code, response.message)

    async def _guarded(self, act: Awaitable[T]) -> T:
        """Run one step and turn whatever the library or the network raises into Refused or Lost."""
        try:
            return await act
        except aiosmtplib.SMTPResponseException as error:
            raise Refused(self._step, Reply(error.code, error.message)) from error
        except TimeoutError as error:
            raise Lost(self._step, "connect_timeout" if self._step is Step.CONNECT else "timeout") from error
        except ssl.SSLError as error:
            raise Lost(self._step, _tls_reason(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # The library has its own name for whatever went wrong while connecting.
            if isinstance(error.__cause__, ssl.SSLError):
                raise Lost(Step.STARTTLS, _tls_reason(error.__cause__)) from error
            reason = "connect_failed" if self._step is Step.CONNECT else "connection_lost"
            raise Lost(self._step, reason) from error


def _tls_reason(error: ssl.SSLError) -> str:
    return "certificate_untrusted" if isinstance(error, ssl.SSLCertVerificationError) else "tls_failed"
