"""Deliveries whose properties are not valid AMQP for Python, received all the same.

A foreign publisher may write a timestamp in nanoseconds or a Latin-1 message id; the broker passes both
on. pamqp then raises inside the reader of the connection, which ends the connection: the message comes
back on the next one, and with it every other that was fetched, until all of them have been delivered
too often and are dead-lettered.
"""

from __future__ import annotations

import struct

from pamqp import commands
from pamqp.header import ContentHeader

_FIXED = struct.Struct(">HHQ")
"""Class id, weight and body size, which stand before the properties."""

_unmarshal = ContentHeader.unmarshal


class UnreadableProperties(commands.Basic.Properties):
    """No properties, and why."""

    reason = ""


def _tolerant_unmarshal(self: ContentHeader, data: bytes) -> None:
    try:
        _unmarshal(self, data)
    except Exception as error:  # noqa: BLE001 -- whatever a stranger's bytes make of the decoder
        self.class_id, self.weight, self.body_size = _FIXED.unpack_from(data)
        self.properties = UnreadableProperties()
        self.properties.reason = type(error).__name__


def tolerate_unreadable_properties() -> None:
    """Make pamqp, in this process, hand over content headers that it cannot read. Idempotent."""
    ContentHeader.unmarshal = _tolerant_unmarshal  # type: ignore[method-assign]
