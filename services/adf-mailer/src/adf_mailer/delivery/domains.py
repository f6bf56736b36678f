"""Gates in front of the connections, one for each recipient domain: a slow one hurts nobody else."""

from __future__ import annotations

from typing import Any

from adf_mailer.delivery.gates import Gates, Lane
from adf_mailer.delivery.replies import Verdict
from adf_mailer.metrics import SLOWED_DOMAINS

KEPT_SECONDS = 3600.0
"""How long a domain that nothing is sent to is remembered as slow."""
_MANY = 1000


class DomainGates(Gates):
    """`capacity` mails at once over all domains, `most` of them to one.

    A domain gets one more while what it has is small beside what is free, so that a newcomer finds room
    (the rule of `leadbus.delivery.capacity`).
    """

    reason = "domain_busy"

    def __init__(self, *, capacity: int, most: int, **gates: Any) -> None:
        most = min(most, capacity)
        super().__init__(most=most, **gates)
        self._capacity = capacity
        self._share = most / capacity
        self._slowed: set[Lane] = set()

    def _has_room(self, lane: Lane) -> bool:
        used, free = len(lane.under_way), self._capacity - self._under_way
        return super()._has_room(lane) and used * (1 - self._share) < self._share * free

    def _wants_less(self, verdict: Verdict) -> bool:
        return verdict.domain_wants_less

    def _tell(self, lane: Lane) -> None:
        (self._slowed.add if lane.speed.slowed else self._slowed.discard)(lane)
        SLOWED_DOMAINS.set(len(self._slowed))

    def _lane(self, key: str) -> Lane:
        if len(self._lanes) >= _MANY and key not in self._lanes:
            self._forget_idle()
        return super()._lane(key)

    def _forget_idle(self) -> None:
        """Those at full speed at once, those that were slow after a while."""
        old = self._now() - KEPT_SECONDS
        self._lanes = {
            key: lane
            for key, lane in self._lanes.items()
            if lane.under_way or lane.waiting or (lane.speed.slowed and lane.used_at > old)
        }
        self._slowed.intersection_update(self._lanes.values())
        SLOWED_DOMAINS.set(len(self._slowed))
