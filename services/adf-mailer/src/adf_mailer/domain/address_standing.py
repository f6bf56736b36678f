"""How an address stands that refused our mails: a bad address is not a bad host, nor is an unkind one.

Suspended after some refusals in a row, it gets nothing but a probe now and then, until one is taken or a
person says that it was mended; where refusals came by mail, until none came for a day. What was not accepted
by it waits, or, where there is no such mailbox, takes the route's alternate address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeGuard, get_args

Counted = Literal["bad_address", "policy"]
"""Reasons of the refusals that count. `bad_address`: there is no such mailbox, or it takes no mail. `policy`:
it takes none from us, for who we are or for what our mails look like."""
BAD_ADDRESS: Counted = "bad_address"
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
    reason: Counted = BAD_ADDRESS
    """Of the last refusal."""
    probes: int = 0
    refusing_since: datetime | None = None
    """The first of these refusals."""
    refused_at: datetime | None = None
    suspended_at: datetime | None = None
    probe_at: datetime | None = None
    bounced: bool = False
    """Some of the refusals came afterwards, by mail: that a relay takes a mail says nothing against them."""

    @property
    def suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def another_may_take(self) -> bool:
        """Whether an alternate address helps: who refuses us for who we are refuses us there as well."""
        return self.reason == BAD_ADDRESS


def key(address: str) -> str:
    """What an address is known by: nobody gives two mailboxes names that differ in case alone."""
    return address.lower()


def counts(reason: str | None) -> TypeGuard[Counted]:
    """Whether a refusal for this reason speaks against the address."""
    return reason in get_args(Counted)


def refused(
    before: Standing, rules: AddressRules, reason: Counted, *, now: datetime, bounced: bool = False
) -> Standing:
    """After one more refusal, in the conversation or by a bounce."""
    refusals = before.refusals + 1
    after = replace(
        before,
        refusals=refusals,
        reason=reason,
        # A release from before 0012 noted the last one only.
        refusing_since=before.refusing_since or before.refused_at or now,
        refused_at=now,
        bounced=before.bounced or bounced,
    )
    if before.suspended:
        return replace(after, probes=before.probes + 1, probe_at=now + _wait(before.probes + 1, rules))
    if refusals >= rules.suspended_after:
        return replace(after, suspended_at=now, probe_at=now + _wait(0, rules))
    return after


def _wait(probes: int, rules: AddressRules) -> timedelta:
    steps = rules.probe_steps_seconds
    return timedelta(seconds=steps[min(probes, len(steps) - 1)])
