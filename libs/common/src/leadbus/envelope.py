"""CloudEvents 1.0 on RabbitMQ: accepted in every form that is in use, emitted in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


class EnvelopeError(ValueError):
    """The message's attributes cannot be read.

    ``code`` is ``envelope_invalid`` or ``too_large``, ``field`` the attribute, ``detail`` what is wrong with
    it. None of them holds a value out of the message.
    """

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(f"{code}: {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Envelope:
    """One CloudEvent. ``extensions`` are strings by lower-case name; ``data`` is the body untouched."""

    id: str
    source: str
    type: str
    time: datetime | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Properties:
    """AMQP properties that Leadbus reads and writes; ``reply_to`` and ``user_id`` are deliberately absent."""

    content_type: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    timestamp: datetime | None = None
    type: str | None = None
    app_id: str | None = None


class Received(Protocol):
    """What ``decode`` reads of a message."""

    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def routing_key(self) -> str: ...
    @property
    def body(self) -> bytes: ...


def encode(envelope: Envelope) -> tuple[dict[str, Any], Properties]:
    """Headers and properties of the binary form; the body is ``envelope.data``."""
    raise NotImplementedError


def decode(message: Received) -> Envelope:
    """The envelope of a message in any accepted form; raises EnvelopeError and nothing else."""
    raise NotImplementedError
