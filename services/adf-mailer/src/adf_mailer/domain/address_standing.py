"""How an address stands that refused our mails: a bad address is not a bad host.

Suspended after some refusals in a row, it gets nothing but a probe now and then, until one is taken or a
person says that it was mended; where refusals came by mail, until none came for a day. What was not accepted
by it waits, or takes the route's alternate address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

BAD_ADDRESS = "bad_address"
"""Reason of the refusals that count: there is no such mailbox, or it takes no mail."""
BOUNCES_COUNT = timedelta(days=1)
"""For how long a bounce is held against an address after which no other came."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """After how many refusals in a row, and how often it is probed then; the last wait repeats."""

    suspended_after: int = 3
    probe_steps_seconds: tuple[float, ...] = (900.0, 3600.0, 14_400.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """An address that refused at least once since it last took a mail. `probes` failed while suspended."""

    address: str
    refusals: int = 0
    probes: int = 0
    refused_at: datetime | None = None
    suspended_at: datetime | None = None
    probe_at: datetime | None = None
    bounced: bool = False
    """Some of the refusals came afterwards, by mail: that a relay takes a mail says nothing against them."""

    @property
    def suspended(self) -> bool:
        return self.suspended_at is not None


def key(address: str) -> str:
    """What an address is known by: nobody gives two mailboxes names that differ in case alone."""
    return address.lower()


def refused(before: Standing, rules: AddressRules, *, now: datetime, bounced: bool = False) -> Standing:
    """After one more refusal, in the conversation or by a bounce."""
    refusals = before.refusals + 1
    after = replace(before, refusals=refusals, refused_at=now, bounced=before.bounced or bounced)
    if before.suspended:
        return replace(after, probes=before.probes + 1, probe_at=now + _wait(before.probes + 1, rules))
    if refusals >= rules.suspended_after:
        return replace(after, suspended_at=now, probe_at=now + _wait(0, rules))
    return after


def _wait(probes: int, rules: AddressRules) -> timedelta:
    steps = rules.probe_steps_seconds
    return timedelta(seconds=steps[min(probes, len(steps) - 1)])
