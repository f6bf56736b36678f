"""The publisher: what the outbox relay and the tests hand messages to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed
from pydantic import SecretStr
from yarl import URL

from leadbus import checkpoint, metrics
from leadbus.backoff import waits
from leadbus.cancellation import really_cancelled
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.publisher.channel import Batch
from leadbus.publisher.link import Link
from leadbus.publisher.result import PublishResult

CONNECT_TIMEOUT_SECONDS = 10.0
LARGEST_WRITE_BYTES = 8 * 1024 * 1024
"""A write is one buffer in memory and must be confirmed within the confirm timeout."""

_CERTAIN_REFUSALS = (ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed)

PUBLISHED = metrics.counter(
    "leadbus_published_messages_total",
    "Messages handed to the broker, by what became of them.",
    labels={"result": [result.value for result in PublishResult]},
)

_log = logger("publisher")


class PublishError(Exception):
    """The message is not confirmed; `result` says what is known of it."""

    def __init__(self, result: PublishResult) -> None:
        super().__init__(result.value)
        self.result = result


class Publisher:
    """Persistent, confirmed publishing, bounded in time, over a connection of its own.

    Of its own, because the broker stops reading from a connection that publishes during an alarm, and
    acknowledgements on it would stop too. Batches go one after the other, so that a channel which the
    broker closes tells which batch it closed for.
    """

    def __init__(self, url: SecretStr, *, app_id: str, confirm_timeout_seconds: float = 5.0) -> None:
        self._url = URL(url.get_secret_value())
        self._app_id = app_id
        self._confirm_timeout_seconds = confirm_timeout_seconds
        self._link: Link | None = None
        self._linked = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether a publish would be taken now, as far as is known: not during an alarm of the broker."""
        return self._link is not None and self._link.alive and not self._link.blocked

    async def start(self) -> None:
        """Begin connecting in the background; a broker that is away is waited for, never an error."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_connected(), name=f"publisher {self._app_id}")

    async def close(self) -> None:
        """Let the batch in hand finish, then end the connection."""
        async with self._one_at_a_time:
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.wait([self._keeper])
                self._keeper = None

    async def publish(self, message: OutgoingMessage) -> None:
        """Raises PublishError unless the broker confirmed the message."""
        (result,) = await self.publish_many([message])
        if result is not PublishResult.CONFIRMED:
            raise PublishError(result)

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        """Publish in order, pipelined; one result for each message, in the same order.

        Never raises for what the broker or the network does. Takes at most the confirm timeout for each
        8 MiB, and again for each halving where the broker closes the channel over one of them. One message
        that the broker will not have does not spoil its neighbours. Before a message is UNKNOWN, or this
        call is cancelled, its connection was cut, so that nothing still waiting to be sent can follow it;
        what the server's machine had already received may yet arrive.
        """
        results: list[PublishResult] = []
        for part in _parts(messages):
            async with self._one_at_a_time:
                results += await self._publish(part)
        for result, number in Counter(results).items():
            PUBLISHED.labels(result=result.value).inc(number)
        return results

    async def _publish(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        link: Link | None = None
        batch: Batch | None = None
        try:
            async with asyncio.timeout(self._confirm_timeout_seconds):
                link = await self._current_link()
                await link.unblocked()
                batch = link.channel.send(messages)
                checkpoint.passed("publisher.handed_over")
                await batch.done
        except TimeoutError:
            _log.warning("publisher.no_confirm", messages=len(messages), sent=batch is not None)
            if batch is not None and link is not None:
                await link.cut_off()
        except asyncio.CancelledError:
            if batch is not None and link is not None and batch.unanswered:
                link.cut()
            raise
        if batch is None or link is None:
            return [PublishResult.REFUSED] * len(messages)
        return await self._without_the_refused(messages, batch.results, link)

    async def _without_the_refused(
        self, messages: Sequence[OutgoingMessage], results: list[PublishResult], link: Link
    ) -> list[PublishResult]:
        """Where the broker closed the channel for one message of the batch, find it by halving.

        The others may arrive twice, under the same id.
        """
        unknown = [index for index, result in enumerate(results) if result is PublishResult.UNKNOWN]
        refusal = link.channel.refusal
        if not unknown or not isinstance(refusal, _CERTAIN_REFUSALS):
            return results
        if len(messages) == 1:
            _log.error(
                "publisher.refused",
                exchange=messages[0].exchange,
                routing_key=messages[0].routing_key,
                reason=type(refusal).__name__,
            )
            return [PublishResult.REFUSED]
        middle = (len(unknown) + 1) // 2
        for half in filter(None, (unknown[:middle], unknown[middle:])):
            again = await self._publish([messages[index] for index in half])
            for index, result in zip(half, again, strict=True):
                results[index] = result
        return results

    async def _current_link(self) -> Link:
        while self._link is None or not self._link.alive:
            self._linked.clear()
            await self._linked.wait()
        return self._link

    async def _keep_connected(self) -> None:
        pauses = waits(0.1, 5.0)
        while True:
            link = await self._try_to_connect()
            if link is None:
                await asyncio.sleep(next(pauses))
                continue
            pauses = waits(0.1, 5.0)
            self._link = link
            self._linked.set()
            _log.info("publisher.connected", host=self._url.host)
            try:
                await link.closed()
            except asyncio.CancelledError:
                await link.close()
                raise
            _log.warning("publisher.connection_lost", host=self._url.host)
            await link.close()

    async def _try_to_connect(self) -> Link | None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                return await Link.open(self._url, self._app_id)
        except asyncio.CancelledError as error:
            if really_cancelled():
                raise
            reason = type(error).__name__
        except Exception as error:  # noqa: BLE001 -- aiormq raises a dozen kinds, and each means: not now
            reason = type(error).__name__
        _log.warning("publisher.cannot_connect", host=self._url.host, reason=reason)
        return None


def _parts(messages: Sequence[OutgoingMessage]) -> Iterator[Sequence[OutgoingMessage]]:
    start, size = 0, 0
    for index, message in enumerate(messages):
        if index > start and size + len(message.body) > LARGEST_WRITE_BYTES:
            yield messages[start:index]
            start, size = index, 0
        size += len(message.body)
    if start < len(messages):
        yield messages[start:]
