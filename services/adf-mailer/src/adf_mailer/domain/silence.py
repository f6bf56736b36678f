"""A dealer who usually has leads by this time of day, and today has none: a rule over counts.

What came on each of the last four weeks' days is given; the days are the dealer's own, from midnight to
midnight by the clock at the dealer's. Holidays are not known: one on a day that is usually busy is silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

LOOKED_BACK_DAYS = 28
LEAST_DAYS = 7
"""A dealer known for less than a week of whole days is not judged."""
ENOUGH_DAYS = 3
"""Of one kind, to speak for that kind alone."""

KindOfDay = Literal["weekday", "saturday", "sunday"]

_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Day:
    """One of the dealer's days, as moments in UTC: `[start, end)`, and `until`, today's time of day on it."""

    date: date
    start: datetime
    until: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """Leads of a day: up to the time of day that it is today, and in all."""

    date: date
    by_now: int
    whole: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a dealer stands today. The figures are means, None while the dealer is not known long enough.

    `days` is how many days they rest on.
    """

    kind: KindOfDay
    days: int
    usual_per_day: float | None
    expected_by_now: float | None
    today: int
    silent: bool


def days(first_lead_at: datetime, now: datetime, where: tzinfo) -> list[Day]:
    """The days to count, the oldest first and today last.

    Not the day of the first lead ever: it had begun without us. An hour that the clock skips reads as the
    one after it, one that it shows twice as the first.
    """
    here = now.astimezone(where)
    today = here.date()
    oldest = max(first_lead_at.astimezone(where).date() + timedelta(1), today - timedelta(LOOKED_BACK_DAYS))
    dates = [today - timedelta(back) for back in range((today - oldest).days, 0, -1)]
    past = [
        Day(one, _moment(one, time(), where), _moment(one, here.time(), where), _midnight_after(one, where))
        for one in dates
    ]
    return [*past, Day(today, _moment(today, time(), where), now, _midnight_after(today, where))]


def judge(past: Sequence[Counted], today: date, leads_today: int, *, expected_leads: float) -> Standing:
    """Silent: no lead today, and at least `expected_leads` would have come by now.

    Days of today's kind (Monday to Friday, Saturday, Sunday) say what is usual. While there are too few of
    them, the lower of what they and all days say: a shop that is closed on Sundays is not silent on its
    second one.
    """
    kind = _kind(today)
    if len(past) < LEAST_DAYS:
        return Standing(kind, len(past), None, None, leads_today, silent=False)
    same = [day for day in past if _kind(day.date) == kind]
    of_kind = [same] if len(same) >= ENOUGH_DAYS else [some for some in (same, past) if some]
    basis = min(of_kind, key=_expected)
    expected = _expected(basis)
    return Standing(
        kind=kind,
        days=len(basis),
        usual_per_day=sum(day.whole for day in basis) / len(basis),
        expected_by_now=expected,
        today=leads_today,
        silent=leads_today == 0 and expected >= expected_leads,
    )


def _expected(basis: Sequence[Counted]) -> float:
    return sum(day.by_now for day in basis) / len(basis)


def _kind(day: date) -> KindOfDay:
    if day.weekday() == _SUNDAY:
        return "sunday"
    return "saturday" if day.weekday() == _SATURDAY else "weekday"


def _moment(day: date, clock: time, where: tzinfo) -> datetime:
    return datetime.combine(day, clock.replace(fold=0), where).astimezone(UTC)


def _midnight_after(day: date, where: tzinfo) -> datetime:
    return _moment(day + timedelta(1), time(), where)
