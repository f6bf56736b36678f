"""Connections to one smart host, kept for the next mail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from leadbus.delivery import Suspended, Transient

from adf_mailer.delivery.connection import Envelope, Gone, Lost, Refused, SmartHost, SmtpConnection
from adf_mailer.delivery.replies import Step, Verdict, lost, refusal
from adf_mailer.metrics import CONNECTIONS


class ConnectionPool:
    """At most `size` idle connections, each used for at most `max_transactions` and idle at most so long.

    How many are open at once is bounded by who calls: the gate of the host.
    """

    def __init__(
        self, host: SmartHost, *, size: int, max_transactions: int = 100, max_idle_seconds: float = 30.0
    ) -> None:
        self.host = host
        self._tls = host.tls_context()
        self._size = size
        self._max_transactions = max_transactions
        self._max_idle_seconds = max_idle_seconds
        self._idle: list[SmtpConnection] = []

    async def send(
        self,
        envelope: Envelope,
        before_data: Callable[[], Awaitable[None]],
        *,
        dot_until: float,
        open_until: float | None = None,
    ) -> Verdict:
        """One transaction over a kept connection or a new one; never raises for the host's answers.

        The final dot is sent before the loop's time `dot_until` or not at all; a new connection is given up
        at `open_until`.
        """
        verdict = await self._send(envelope, before_data, dot_until, open_until or dot_until)
        if isinstance(verdict.outcome, Suspended):
            # Those that are logged in still would hide from the probes whether the account is well again.
            while self._idle:
                self._discard(self._idle.pop())
        return verdict

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().quit()

    async def _send(
        self,
        envelope: Envelope,
        before_data: Callable[[], Awaitable[None]],
        dot_until: float,
        open_until: float,
    ) -> Verdict:
        await self._let_go_of_old_ones()
        while self._idle:
            # The one used last is taken first; those at the other end grow old.
            try:
                verdict = await self._transact(self._idle.pop(), envelope, before_data, dot_until)
            except Gone:
                continue
            CONNECTIONS.labels(event="reused").inc()
            return verdict
        connection = SmtpConnection(self.host, self._tls)
        try:
            async with asyncio.timeout_at(min(open_until, dot_until)):
                await connection.open()
        except Refused as refused:
            return Verdict(refusal(refused.step, refused.reply), refused.step)
        except Lost as gone:
            return Verdict(lost(gone.reason), gone.step)
        except TimeoutError:
            return Verdict(Transient("timeout", destination_down=True), Step.CONNECT)
        CONNECTIONS.labels(event="opened").inc()
        return await self._transact(connection, envelope, before_data, dot_until)

    async def _transact(
        self,
        connection: SmtpConnection,
        envelope: Envelope,
        before_data: Callable[[], Awaitable[None]],
        dot_until: float,
    ) -> Verdict:
        try:
            verdict = await connection.transact(envelope, before_data, dot_until=dot_until)
        except BaseException:
            # Gone, cancelled, or the lease is lost: what the host believes now is unknown.
            self._discard(connection)
            raise
        await self._give_back(connection)
        return verdict

    async def _let_go_of_old_ones(self) -> None:
        while self._idle and time.monotonic() - self._idle[0].idle_since > self._max_idle_seconds:
            await self._idle.pop(0).quit()

    async def _give_back(self, connection: SmtpConnection) -> None:
        if not connection.usable:
            self._discard(connection)
        elif connection.transactions >= self._max_transactions or len(self._idle) >= self._size:
            await connection.quit()
        else:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    def _discard(self, connection: SmtpConnection) -> None:
        CONNECTIONS.labels(event="discarded").inc()
        connection.close()
