"""Connections to the smart host, kept for the next mail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from leadbus.delivery import Outcome, Suspended, Transient

from adf_mailer.delivery.connection import Envelope, Gone, Lost, Refused, SmartHost, SmtpConnection
from adf_mailer.delivery.replies import lost, refusal
from adf_mailer.metrics import CONNECTIONS


class ConnectionPool:
    """At most `size` idle connections, each used for at most `max_transactions` and idle at most so long.

    How many are open at once is bounded by who calls: the delivery engine's capacity.
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

    async def send(self, envelope: Envelope, before_data: Callable[[], Awaitable[None]]) -> Outcome:
        """One transaction over a kept connection or a new one; never raises for the host's answers."""
        outcome = await self._send(envelope, before_data)
        if isinstance(outcome, Suspended):
            # Those that are logged in still would hide from the probes whether the account is well again.
            while self._idle:
                self._discard(self._idle.pop())
        return outcome

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().quit()

    async def _send(self, envelope: Envelope, before_data: Callable[[], Awaitable[None]]) -> Outcome:
        dot_until = asyncio.get_running_loop().time() + self.host.before_dot_timeout_seconds
        await self._let_go_of_old_ones()
        while self._idle:
            # The one used last is taken first; those at the other end grow old.
            try:
                outcome = await self._transact(self._idle.pop(), envelope, before_data, dot_until)
            except Gone:
                continue
            CONNECTIONS.labels(event="reused").inc()
            return outcome
        connection = SmtpConnection(self.host, self._tls)
        try:
            async with asyncio.timeout_at(dot_until):
                await connection.open()
        except Refused as refused:
            return refusal(refused.step, refused.reply)
        except Lost as gone:
            return lost(gone.reason)
        except TimeoutError:
            return Transient("timeout", destination_down=True)
        CONNECTIONS.labels(event="opened").inc()
        return await self._transact(connection, envelope, before_data, dot_until)

    async def _transact(
        self,
        connection: SmtpConnection,
        envelope: Envelope,
        before_data: Callable[[], Awaitable[None]],
        dot_until: float,
    ) -> Outcome:
        try:
            outcome = await connection.transact(envelope, before_data, dot_until=dot_until)
        except BaseException:
            # Gone, cancelled, or the lease is lost: what the host believes now is unknown.
            self._discard(connection)
            raise
        await self._give_back(connection)
        return outcome

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
