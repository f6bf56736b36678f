"""What was seen of a deployment: facts for the rules, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leadbus.topology.accounts import Accounts
from leadbus.topology.looking import Looked


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be seen: one line. `status` is HTTP's, where there was an answer."""

    why: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document, and between which moments of this machine's clock it was written."""

    document: Mapping[str, Any]
    sent_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """`diagnosis` needs a token, `ready` does not; `destinations` of a sink, None of any other service."""

    name: str
    url: str
    diagnosis: Answer | Trouble
    ready: Mapping[str, Any] | Trouble
    destinations: Sequence[Mapping[str, Any]] | Trouble | None = None


@dataclass(frozen=True, slots=True)
class TopologySeen:
    """As the management API shows it."""

    exchanges: Mapping[str, Mapping[str, Any]]
    queues: Mapping[str, Mapping[str, Any]]
    bindings: Sequence[Mapping[str, Any]]
    overridden: bool


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """`asking` is the user that LEADBUS_MANAGEMENT_URL logs in as."""

    version: str
    asking: str
    nodes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """`accounts` None: users are somebody else's matter."""

    vhost: str
    amqp_user: str
    prefix: str
    amqp: Looked | Trouble
    cluster: ClusterSeen | Trouble
    topology: TopologySeen | Trouble
    accounts: Accounts | Trouble | None


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """A token read here. `claims` None: it cannot be read. `verified` None: the key is not here."""

    claims: Mapping[str, Any] | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything. `token` and `broker` None: nobody said what they are."""

    at: datetime
    token: TokenSeen | None
    broker: BrokerSeen | None
    services: Sequence[ServiceSeen] = field(default_factory=tuple)
