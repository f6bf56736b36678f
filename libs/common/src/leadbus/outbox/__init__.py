"""What must be published is written with the change that caused it, and published afterwards.

``add`` puts messages into the table in the caller's transaction; an ``OutboxRelay`` in every replica
publishes them, confirmed, leads before bulk. What is written through its own relay (``writing``) is published
from memory as soon as it is committed. At least once: receivers dedupe by the message's id.
"""

from leadbus.outbox.hand import HOLD_SECONDS
from leadbus.outbox.publication import OnConfirmed
from leadbus.outbox.relay import OutboxRelay
from leadbus.outbox.rows import Lane, add, adding, stats
from leadbus.outbox.table import DDL_V1, Outbox, metadata
from leadbus.outbox.writing import LeftToClaims, Outgoing, Writing

__all__ = [
    "DDL_V1",
    "HOLD_SECONDS",
    "Lane",
    "LeftToClaims",
    "OnConfirmed",
    "Outbox",
    "OutboxRelay",
    "Outgoing",
    "Writing",
    "add",
    "adding",
    "metadata",
    "stats",
]
