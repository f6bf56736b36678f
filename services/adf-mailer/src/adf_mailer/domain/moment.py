"""Times as ADF writes them: the dealer's wall clock with its numeric offset, to the second, never `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MINUTE = timedelta(minutes=1)
_REQUESTDATES = (
    re.compile(r"[0-9]{8}T[0-9]{6}[+-][0-9]{4}"),
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}"),
)
_DAYS = (re.compile(r"[0-9]{8}"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))


def zone(name: str | None) -> ZoneInfo | None:
    """The IANA time zone of that name, or None when there is none."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: a path that leaves the database; OSError: a name that is one of its folders.
        return None


def local(moment: datetime, where: tzinfo | None) -> datetime:
    """`moment` on the wall clock of `where`, or as the source wrote it when that is not known."""
    try:
        there = moment.astimezone(where) if where else moment
        # Before zones were introduced, offsets had seconds; ADF has no place for them.
        if (there.utcoffset() or timedelta()) % _MINUTE:
            there = moment.astimezone(UTC)
    except OverflowError:
        there = moment
    return there


def requestdate(moment: datetime, where: tzinfo | None) -> str:
    """ADF's extended form, `2026-11-21T14:03:22-06:00`."""
    return local(moment, where).isoformat(timespec="seconds")


def clock(moment: datetime, where: tzinfo | None) -> str:
    """For people: `2026-11-21 14:03:22`."""
    return local(moment, where).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def is_requestdate(value: str) -> bool:
    """Whether it has one of ADF's four forms (basic or extended, offset either way), and is a real moment."""
    return any(form.fullmatch(value) for form in _REQUESTDATES) and _exists(value)


def is_date(value: str) -> bool:
    """The same, or a day without a time: what a timeframe's dates may be."""
    return is_requestdate(value) or (any(form.fullmatch(value) for form in _DAYS) and _exists(value))


def _exists(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
