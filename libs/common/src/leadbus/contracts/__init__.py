"""What crosses a queue: the raw messages, the canonical lead, the events. Normative for every service.

Generated from here: ``docs/contracts`` (``python -m leadbus.contracts generate | check``).
"""

from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.events import EVENTS, EventContract
from leadbus.contracts.lead import Lead
from leadbus.contracts.raw import RawAttributes, RawIdentity, raw_routing_key, source_of
from leadbus.contracts.vocabulary import NAMESPACE, SOURCES

__all__ = [
    "EVENTS",
    "NAMESPACE",
    "SOURCES",
    "ContactAtOnceLead",
    "EventContract",
    "Lead",
    "RawAttributes",
    "RawIdentity",
    "raw_routing_key",
    "source_of",
]
