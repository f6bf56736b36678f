"""The one place that turns what a handler says about messages into their fate.

handled                    acknowledged
database unavailable       held unacknowledged and tried again, then given back (ReleasedError)
any other error            halved until one message is alone with it, which is poison:
  stored in quarantine       acknowledged
  cannot even be stored      rejected to the parked queue
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Protocol

from leadbus import checkpoint, metrics, pulse
from leadbus.backoff import waits
from leadbus.cancellation import really_cancelled
from leadbus.log import logger
from leadbus.messages import IncomingMessage

BatchHandler = Callable[[Sequence[IncomingMessage]], Awaitable[None]]
"""Does all of a batch or, by raising, nothing of it. May be called again for messages it has already done."""
PoisonHandler = Callable[[IncomingMessage, Exception], Awaitable[None]]
"""Stores one message that the batch handler cannot do, with the reason. Raising parks the message."""

_QUEUE = metrics.configured("queues this service consumes")
SETTLED = metrics.counter(
    "leadbus_consumer_messages_total",
    "Consumed messages by fate.",
    labels={"queue": _QUEUE, "result": ("handled", "poison", "parked")},
)
BATCH_SIZES = metrics.histogram(
    "leadbus_consumer_batch_messages",
    "Messages taken together.",
    labels={"queue": _QUEUE},
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
BISECTIONS = metrics.counter(
    "leadbus_consumer_bisections_total",
    "Failing batches halved to find the message at fault.",
    labels={"queue": _QUEUE},
)
HELD = metrics.gauge(
    "leadbus_consumer_held_seconds",
    "How long the batch in hand has been held because the database is away; 0 when it is not.",
    labels={"queue": _QUEUE},
)

_log = logger("consumer")


class Settlement(Protocol):
    """Where the fate of a message is carried out; `lost` when it cannot be any more."""

    @property
    def lost(self) -> asyncio.Event: ...

    async def ack(self, messages: Sequence[IncomingMessage]) -> None: ...

    async def park(self, message: IncomingMessage) -> None: ...


class UnreadablePropertiesError(ValueError):
    """The sender's headers or properties are not valid AMQP; the body is what it sent."""


class ReleasedError(Exception):
    """The batch is given back unsettled. `database_away` says whether that is why."""

    def __init__(self, *, database_away: bool) -> None:
        super().__init__("database away" if database_away else "channel lost or draining")
        self.database_away = database_away


class Fates:
    """Settles the batches of one queue, oldest message first."""

    def __init__(
        self,
        queue: str,
        handle: BatchHandler,
        poison: PoisonHandler,
        *,
        unavailable: Callable[[BaseException], bool],
        hold_seconds: float,
        draining: asyncio.Event,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._poison = poison
        self._unavailable = unavailable
        self._hold_seconds = hold_seconds
        self._draining = draining
        self._sizes = BATCH_SIZES.labels(queue=queue)
        self._handled = SETTLED.labels(queue=queue, result="handled")
        HELD.labels(queue=queue).set(0)

    async def settle(self, generation: Settlement, batch: Sequence[IncomingMessage]) -> None:
        """Handle and settle every message, in order. Raises ReleasedError: what is left is given back."""
        self._sizes.observe(len(batch))
        try:
            for unreadable, run in groupby(batch, key=lambda message: message.unreadable is not None):
                await self._settle_run(generation, list(run), unreadable=unreadable)
        finally:
            pulse.rest()

    async def _settle_run(
        self, generation: Settlement, messages: Sequence[IncomingMessage], *, unreadable: bool
    ) -> None:
        if not unreadable:
            await self._settle(generation, messages)
            return
        for message in messages:
            await self._quarantine(generation, message, UnreadablePropertiesError(message.unreadable))

    async def _settle(self, generation: Settlement, batch: Sequence[IncomingMessage]) -> None:
        try:
            await self._while_available(generation, lambda: self._handle(batch))
        except ReleasedError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever the handler raises, one message is at fault
            if len(batch) == 1:
                await self._quarantine(generation, batch[0], error)
                return
            BISECTIONS.labels(queue=self._queue).inc()
            middle = len(batch) // 2
            # The left half is settled to its last message before the right one begins: multiple
            # acknowledgements never reach over a message that is not finished.
            await self._settle(generation, batch[:middle])
            checkpoint.passed("consumer.half_settled")
            await self._settle(generation, batch[middle:])
        else:
            checkpoint.passed("consumer.handled")
            self._handled.inc(len(batch))
            await generation.ack(batch)

    async def _quarantine(self, generation: Settlement, message: IncomingMessage, error: Exception) -> None:
        try:
            await self._while_available(generation, lambda: self._poison(message, error))
        except ReleasedError:
            raise
        except Exception as storing:  # noqa: BLE001 -- what cannot be stored is parked, whatever the reason
            _log.error(
                "consumer.parked",
                queue=self._queue,
                reason=type(error).__name__,
                storing=type(storing).__name__,
            )
            SETTLED.labels(queue=self._queue, result="parked").inc()
            await generation.park(message)
        else:
            checkpoint.passed("consumer.poison_stored")
            _log.warning("consumer.poison", queue=self._queue, reason=type(error).__name__)
            SETTLED.labels(queue=self._queue, result="poison").inc()
            await generation.ack([message])

    async def _while_available(self, generation: Settlement, act: Callable[[], Awaitable[None]]) -> None:
        """Do it, again and again while the database is away. Raises ReleasedError, or what `act` raises."""
        began = asyncio.get_running_loop().time()
        if not await self._done(act):
            await self._hold(generation, act, began)

    async def _hold(self, generation: Settlement, act: Callable[[], Awaitable[None]], began: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            for pause_seconds in waits(0.2, 5.0):
                HELD.labels(queue=self._queue).set(loop.time() - began)
                if loop.time() - began >= self._hold_seconds:
                    raise ReleasedError(database_away=True)
                await _first_of(pause_seconds, generation.lost, self._draining)
                if generation.lost.is_set() or self._draining.is_set():
                    raise ReleasedError(database_away=False)
                if await self._done(act):
                    return
        finally:
            HELD.labels(queue=self._queue).set(0)

    async def _done(self, act: Callable[[], Awaitable[None]]) -> bool:
        # What follows a try, up to the next one or to the batch's end, takes moments.
        pulse.beat(within_seconds=self._hold_seconds + pulse.STALL_SECONDS)
        try:
            async with asyncio.timeout(self._hold_seconds):
                await act()
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            _log.warning("consumer.held", queue=self._queue, reason="leaked cancellation")
            return False
        except Exception as error:
            if not self._unavailable(error):
                raise
            _log.warning("consumer.held", queue=self._queue, reason=type(error).__name__)
            return False
        return True


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waiting:
            future.cancel()
