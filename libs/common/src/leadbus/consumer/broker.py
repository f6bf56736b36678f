"""The FastStream broker of a consuming service, with every default that loses messages overridden."""

from __future__ import annotations

from typing import Any, NoReturn

from aio_pika import RobustConnection
from aio_pika.abc import TimeoutType
from aiormq.abc import AbstractConnection
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker
from pydantic import SecretStr
from yarl import URL

from leadbus.consumer.tap import TappedTransport

HEARTBEAT_SECONDS = 10
"""Where the URL says nothing else (`?heartbeat=10`). A silent peer is noticed after (heartbeat + 1) * 3
seconds; by aiormq's own default that is three minutes."""
RECONNECT_SECONDS = 2.0
CONNECT_TIMEOUT_SECONDS = 10.0
PREFETCH = 10


class _ConsumingConnection(RobustConnection):
    """A connection with a tap, whose attempts end with whoever waits for them.

    aio-pika's task that connects outlives a cancelled `connect()`, takes its own cancellation for a lost
    connection, and goes on: with the server away, the process would never end.
    """

    def __init__(self, url: URL, **options: Any) -> None:
        super().__init__(url, **options)
        self.kwargs["transport_factory"] = TappedTransport()

    async def connect(self, timeout: TimeoutType = None) -> None:  # noqa: ASYNC109 -- as aio-pika has it
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


class ConsumingBroker(RabbitBroker):
    """Carries the connection that is consumed from. Nothing is published through it.

    FastStream 0.7.8 publishes transiently, drops the timeout, takes a return for a success, and may raise
    CancelledError; and acknowledgements would wait behind publishes that an alarm blocks.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._connection_kwargs["connection_class"] = _ConsumingConnection

    async def publish(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a consuming broker does not publish: use leadbus.publisher")

    async def request(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a consuming broker does not publish: use leadbus.publisher")


async def _raw(message: Any) -> bytes:
    body: bytes = message.body
    return body


def make_broker(url: SecretStr, app_id: str) -> RabbitBroker:
    """A broker that waits for a server that is away and comes back after every loss.

    Whoever runs the service starts it, and starts the batch consumers beside it. A plain FastStream
    subscriber added to it gets raw bytes, ten at a time, and acknowledges by itself.
    """
    stated = URL(url.get_secret_value())
    heartbeat = stated.query.get("heartbeat", str(HEARTBEAT_SECONDS))
    address = stated.update_query(heartbeat=heartbeat, name=app_id)
    return ConsumingBroker(
        str(address),
        app_id=app_id,
        fail_fast=False,
        reconnect_interval=RECONNECT_SECONDS,
        timeout=CONNECT_TIMEOUT_SECONDS,
        default_channel=Channel(prefetch_count=PREFETCH, on_return_raises=True),
        ack_policy=AckPolicy.MANUAL,
        decoder=_raw,
        apply_types=False,
        specification_url=str(address.with_user(None).with_password(None).with_query(None)),
    )


def live_connection(broker: RabbitBroker) -> AbstractConnection | None:
    """The aiormq connection under a started broker, None while there is none.

    FastStream gives its connection away only as the result of `connect()`, which would open a second
    one while the first is still trying.
    """
    robust = broker._connection  # noqa: SLF001
    if robust is None or robust.transport is None:
        return None
    connection = robust.transport.connection
    return connection if connection.is_opened else None
