"""When a subscription may be asked. Pure. Source of the rule: VX-3, at most once in two hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from ingest.sources.virtualexpo import TWO_HOURS_SECONDS

FLOOR = timedelta(seconds=TWO_HOURS_SECONDS)
STARTS_WITHIN = timedelta(seconds=60)
"""A call begins at most so long after its attempt is on record, or never; also what clocks may differ by."""
SPREAD = 0.05
"""The longest that an interval is stretched, as a part of it; never is it shortened."""


def next_due(attempted_at: datetime, interval_seconds: float, spread: float) -> datetime:
    """When the attempt after this one is due; ``spread`` from 0 to 1 says how much later than need be."""
    interval = max(FLOOR, timedelta(seconds=interval_seconds))
    return attempted_at + STARTS_WITHIN + interval * (1 + SPREAD * min(max(spread, 0.0), 1.0))


def allowed_at(last_attempt_at: datetime | None) -> datetime | None:
    """Before it nothing may be asked, whoever wants it; None where nothing was ever asked.

    The call of the last attempt began up to ``STARTS_WITHIN`` after it was written down.
    """
    return None if last_attempt_at is None else last_attempt_at + STARTS_WITHIN + FLOOR


def asked_for(last_attempt_at: datetime | None, now: datetime) -> datetime:
    """When it is due once somebody wants it as soon as may be."""
    allowed = allowed_at(last_attempt_at)
    return now if allowed is None else max(now, allowed)
