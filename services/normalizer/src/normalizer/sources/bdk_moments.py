"""Points in time and days as the BDK Leadservice may write them: with an offset, or as time in Germany."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

GERMANY = ZoneInfo("Europe/Berlin")
_EARLIEST_YEAR, _LATEST_YEAR = 1990, 2100
_SECONDS = re.compile(r"[0-9]{10}")
_MILLISECONDS = re.compile(r"[0-9]{12,13}")
_ZONE_NAME = re.compile(r"\[[A-Za-z_/+-]+\]$")
_GERMAN = re.compile(
    r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})"
    r"(?:,?\s+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?(?:\s*Uhr)?)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")


@dataclass(frozen=True, slots=True)
class MomentReading:
    """`at` with its offset where a point in time could be told; `warning` where it is doubtful."""

    at: datetime | None = None
    warning: str | None = None


def read_moment(written: str) -> MomentReading:
    """Read ISO 8601, the German form, or Unix time in seconds or milliseconds.

    Warnings: `zone_assumed` (no offset: taken for time in Germany), `value_unread` (no point in time; a
    day alone is none), `time_implausible` (before 1990 or after 2100; no `at`).
    """
    at = _moment(written)
    if at is None:
        return MomentReading(warning="value_unread")
    if not _EARLIEST_YEAR <= at.year < _LATEST_YEAR:
        return MomentReading(warning="time_implausible")
    if at.tzinfo is None:
        return MomentReading(_with_whole_offset(at.replace(tzinfo=GERMANY)), "zone_assumed")
    return MomentReading(_with_whole_offset(at))


def read_day(written: str) -> str | None:
    """The day in Germany, `YYYY-MM-DD`: of a day alone or of a point in time; None where none can be told."""
    at = _day(written) or _moment(written)
    if at is None or not _EARLIEST_YEAR <= at.year < _LATEST_YEAR:
        return None
    return (at if at.tzinfo is None else at.astimezone(GERMANY)).date().isoformat()


def _with_whole_offset(at: datetime) -> datetime:
    """The same moment with a fixed offset in whole minutes: no other can be written down and read again."""
    offset = at.utcoffset() or timedelta()
    return at.astimezone(timezone(offset) if offset % timedelta(minutes=1) == timedelta() else UTC)


def _moment(written: str) -> datetime | None:
    if _MILLISECONDS.fullmatch(written):
        return datetime.fromtimestamp(int(written) / 1000, UTC)
    if _SECONDS.fullmatch(written):
        return datetime.fromtimestamp(int(written), UTC)
    if _DAY.fullmatch(written):
        return None
    if german := _GERMAN.fullmatch(written):
        return _of_parts(german) if german["hour"] else None
    return _iso(_ZONE_NAME.sub("", written))


def _day(written: str) -> datetime | None:
    german = _GERMAN.fullmatch(written)
    if german and not german["hour"]:
        return _of_parts(german)
    return _iso(written) if _DAY.fullmatch(written) else None


def _iso(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _of_parts(german: re.Match[str]) -> datetime | None:
    numbers = {name: int(digits) for name, digits in german.groupdict(default="0").items()}
    try:
        return datetime(**numbers)  # type: ignore[arg-type]  # noqa: DTZ001 -- told without a zone
    except ValueError:
        return None
