"""What must be published is written with the change that caused it, and published afterwards.

``add`` puts messages into the table in the caller's transaction; an ``OutboxRelay`` in every replica
publishes them, confirmed, leads before bulk. At least once: receivers dedupe by the message's id.
"""

from leadbus.outbox.relay import OnConfirmed, OutboxRelay
from leadbus.outbox.rows import Lane, add, adding, stats
from leadbus.outbox.table import DDL_V1, Outbox, metadata

__all__ = ["DDL_V1", "Lane", "OnConfirmed", "Outbox", "OutboxRelay", "add", "adding", "metadata", "stats"]
