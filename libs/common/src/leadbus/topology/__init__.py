"""The broker's exchanges, queues, bindings and policies: one declaration, one owner.

`leadbus topology apply` makes them; services declare nothing and need no right to.
"""

from leadbus.topology.applying import Applied, TopologyError, apply
from leadbus.topology.declaration import (
    DELIVERY_LIMIT,
    EVENTS_EXCHANGE,
    HOLDING_DELIVERY_LIMIT,
    RAW_EXCHANGE,
    TOPOLOGY,
    UNROUTED,
    Binding,
    Exchange,
    Policy,
    Queue,
    Topology,
    dead_letters,
    parked,
)
from leadbus.topology.written import definitions, show

__all__ = [
    "DELIVERY_LIMIT",
    "EVENTS_EXCHANGE",
    "HOLDING_DELIVERY_LIMIT",
    "RAW_EXCHANGE",
    "TOPOLOGY",
    "UNROUTED",
    "Applied",
    "Binding",
    "Exchange",
    "Policy",
    "Queue",
    "Topology",
    "TopologyError",
    "apply",
    "dead_letters",
    "definitions",
    "parked",
    "show",
]
