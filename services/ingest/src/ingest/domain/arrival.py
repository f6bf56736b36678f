"""What ingest fetched or received itself: a body on its way in that no API key brought."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from leadbus.contracts import NAMESPACE
from leadbus.contracts.vocabulary import QuarantineReason

_OURS = frozenset({"account", "receivedat"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A body and where it came from. It shows in no ``repr``.

    ``account`` is the subscription, connection or recipient it came through. ``key`` is what the way in knows
    it by: the same source, account and key are the same arrival for ever, whatever the body is by then, so a
    way in that takes corrections puts a digest of the body into its key. ``attributes`` are further
    CloudEvents extensions: ``test``, ``trial``, ``categories``, ``correlationid``. Raises ValueError for one
    that is written for every raw message.
    """

    source: str
    account: str
    key: str
    body: bytes
    content_type: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    raw_id: UUID = field(init=False)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        if taken := _OURS & self.attributes.keys():
            raise ValueError(f"not an arrival's to say: {', '.join(sorted(taken))}")
        name = json.dumps([self.source, self.account, self.key])
        object.__setattr__(self, "raw_id", uuid5(NAMESPACE, name))
        object.__setattr__(self, "digest", hashlib.sha256(self.body).digest())

    def __repr__(self) -> str:
        return f"Arrival(source={self.source!r}, account={self.account!r}, size_bytes={len(self.body)})"

    @property
    def test(self) -> bool:
        return self.attributes.get("test") == "true"


@dataclass(frozen=True, slots=True)
class Faulty:
    """An arrival that is kept and not published. ``detail`` is for people, and holds nothing of the body."""

    arrival: Arrival
    reason: QuarantineReason
    detail: str
