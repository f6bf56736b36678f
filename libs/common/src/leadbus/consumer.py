"""How queues are consumed: in batches, acknowledged in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from faststream.rabbit import RabbitBroker
from pydantic import SecretStr

from leadbus.messages import IncomingMessage

BatchHandler = Callable[[Sequence[IncomingMessage]], Awaitable[None]]
PoisonHandler = Callable[[IncomingMessage, Exception], Awaitable[None]]


def make_broker(url: SecretStr, app_id: str) -> RabbitBroker:
    raise NotImplementedError


class BatchConsumer:
    def __init__(
        self,
        broker: RabbitBroker,
        queue: str,
        handle: BatchHandler,
        *,
        poison: PoisonHandler,
        batch_size: int = 100,
        prefetch: int = 200,
        hold_seconds: float = 120.0,
        unavailable: Callable[[BaseException], bool] | None = None,
        reopen: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.queue = queue
        self.consuming = False

    async def run(self) -> None:
        raise NotImplementedError

    async def drain(self, timeout_seconds: float) -> None:
        raise NotImplementedError
