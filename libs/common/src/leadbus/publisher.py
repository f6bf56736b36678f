"""Confirmed publishing over a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from pydantic import SecretStr

from leadbus.messages import OutgoingMessage


class PublishResult(Enum):
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class PublishError(Exception):
    def __init__(self, result: PublishResult) -> None:
        super().__init__(result.value)
        self.result = result


class Publisher:
    def __init__(self, url: SecretStr, *, app_id: str, confirm_timeout_seconds: float = 5.0) -> None:
        raise NotImplementedError

    @property
    def connected(self) -> bool:
        raise NotImplementedError

    async def start(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        raise NotImplementedError

    async def publish(self, message: OutgoingMessage) -> None:
        raise NotImplementedError
