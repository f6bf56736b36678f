"""The broker's exchanges, queues, bindings, policies and users: one declaration, one owner.

`leadbus topology apply` makes them; services declare nothing and need no right to.
"""

from leadbus.topology.applying import Applied, TopologyError, apply, vhost_of
from leadbus.topology.credentials import (
    Credentials,
    CredentialsDirectory,
    CredentialsError,
    GivenCredentials,
    NoCredentials,
    credentials_at,
)
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
from leadbus.topology.granting import Users
from leadbus.topology.users import USERS, Rights, User, publisher_rights
from leadbus.topology.written import definitions, show

__all__ = [
    "DELIVERY_LIMIT",
    "EVENTS_EXCHANGE",
    "HOLDING_DELIVERY_LIMIT",
    "RAW_EXCHANGE",
    "TOPOLOGY",
    "UNROUTED",
    "USERS",
    "Applied",
    "Binding",
    "Credentials",
    "CredentialsDirectory",
    "CredentialsError",
    "Exchange",
    "GivenCredentials",
    "NoCredentials",
    "Policy",
    "Queue",
    "Rights",
    "Topology",
    "TopologyError",
    "User",
    "Users",
    "apply",
    "credentials_at",
    "dead_letters",
    "definitions",
    "parked",
    "publisher_rights",
    "show",
    "vhost_of",
]
