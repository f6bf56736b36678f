"""A moment as written, by the clock of a place where no offset stands beside it. Cases LM1.. in the tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_FORM = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,](?P<fraction>\d{1,12}))?"
    r" ?(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_MOMENTS = ("occurred_at", "detected_at", "call.started_at")


@dataclass(frozen=True, slots=True)
class MomentReading:
    """`at` with an offset, None where none can be told; `warning` where a person should look."""

    at: datetime | None = None
    warning: str | None = None


def read_moment(written: str, zone: str) -> MomentReading:
    """Read ISO 8601 date and time; without an offset as the clock in `zone` (IANA name) shows it.

    An hour that this clock shows twice is the first one. Warnings: `time_zone_assumed`, `value_unread` (no
    date and time), `time_implausible` (before 1990 or after 2099; `at` is None as well).
    """
    at = _told(written)
    if at is None:
        return MomentReading(warning="value_unread")
    assumed = at.tzinfo is None
    if assumed:
        at = at_clock(at, zone)
    if not is_plausible(at):
        return MomentReading(warning="time_implausible")
    return MomentReading(at, "time_zone_assumed" if assumed else None)


def is_plausible(at: datetime) -> bool:
    """Whether a lead can have happened then: from 1990 to the end of 2099."""
    # The year alone decides but for the outermost; comparing with an offset is dear.
    return _EARLIEST.year < at.year < _LATEST.year - 1 or _EARLIEST <= at < _LATEST


def at_clock(shown: datetime, zone: str) -> datetime:
    """The moment at which the clock in `zone` (IANA name) shows this; where it does so twice, the first."""
    return shown.replace(tzinfo=timezone(shown.replace(tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()))


def clocks_in(unread: Mapping[str, str], *, lines: int = 0) -> dict[str, datetime]:
    """What a clock showed, of the moments of a lead that could not be read for want of an offset.

    `unread` holds them as written, by the lead's fields; those of a transcript of so many `lines` too.
    """
    fields = (*_MOMENTS, *(f"transcript.{place}.at" for place in range(lines)))
    written = ((field, _told(unread[field])) for field in fields if field in unread)
    return {
        field: shown
        for field, shown in written
        if shown and shown.tzinfo is None and _EARLIEST.year < shown.year < _LATEST.year - 1
    }


def _told(written: str) -> datetime | None:
    found = _FORM.fullmatch(written.strip())
    if found is None:
        return None
    fraction = f".{found['fraction'][:6]:0<6}" if found["fraction"] else ""
    offset = (found["offset"] or "").upper()
    try:
        return datetime.fromisoformat(f"{found['day']}T{found['time']}{fraction}{offset}")
    except ValueError:
        return None
