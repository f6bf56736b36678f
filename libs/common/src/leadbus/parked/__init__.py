"""Messages in holding queues (``<queue>.parked``, ``leadbus.unrouted``): looked at, redriven, discarded.

A service looks into its own queues with its own broker user, which may read them and nothing else. What is
done about messages is a job (``leadbus.jobs``). Which record of a message's origin is believed, and why:
docs/adr/0080-parked-messages-keep-their-key.md.
"""

from leadbus.parked.depths import Depths
from leadbus.parked.kinds import Handler, ParkedDiscard, ParkedRedrive, UnroutedDiscard, UnroutedRedrive
from leadbus.parked.reader import HoldingReader
from leadbus.parked.router import parked_router, unrouted_router

__all__ = [
    "Depths",
    "Handler",
    "HoldingReader",
    "ParkedDiscard",
    "ParkedRedrive",
    "UnroutedDiscard",
    "UnroutedRedrive",
    "parked_router",
    "unrouted_router",
]
