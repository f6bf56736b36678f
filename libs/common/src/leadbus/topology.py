"""The broker's exchanges, queues, bindings and policies: one declaration, one owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RAW_EXCHANGE = "leadbus.raw"
EVENTS_EXCHANGE = "leadbus.events"
DLX = "leadbus.dlx"
UNROUTED = "leadbus.unrouted"


class TopologyError(Exception):
    """The broker's topology cannot be made, or is not, what is declared; says what to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    exchanges: int
    queues: int
    bindings: int
    policies: int


async def apply(amqp_url: str, management_url: str) -> Applied:
    raise NotImplementedError


def show() -> str:
    raise NotImplementedError


def definitions(vhost: str) -> dict[str, Any]:
    raise NotImplementedError
