"""How queues are consumed: in batches, raw, acknowledged in order.

Why so, and what it leaves to FastStream: docs/adr/0001-batch-consumer.md.
"""

from leadbus.consumer.batch import BatchConsumer
from leadbus.consumer.broker import make_broker
from leadbus.consumer.fates import BatchHandler, PoisonHandler, UnreadablePropertiesError

__all__ = ["BatchConsumer", "BatchHandler", "PoisonHandler", "UnreadablePropertiesError", "make_broker"]
