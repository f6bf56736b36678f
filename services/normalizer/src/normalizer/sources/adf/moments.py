"""Times of day in every form in which ADF documents were seen to tell them. Cases T1.. in the tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz

from normalizer.domain.text import clean_line

_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_TWO_DIGIT_YEARS_FROM = 2000
_FARTHEST = timedelta(hours=14)
_ZONE = r"(?P<zone>Z|(?:UTC|GMT)?\s*[+\-−–]\s*\d{1,2}:?\d{0,2}(?::\d\d)?|[A-Z]{2,5})?"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,:]\d{1,9})?)?"
    rf"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*{_ZONE}"
)
_TAIL = r"(?:\s*[(\[][^)\]]*[)\]])?"
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_ABBREVIATED = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UT"), 0),
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
    "AST": -4,
    "ADT": -3,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "BST": 1,
    "WET": 0,
    "WEST": 1,
}
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:(?:\s*T\s*|\s*,?\s+){_CLOCK})?{_TAIL}",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
        r"(?:\s*T?\s*(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,]\d{1,9})?)?\s*"
        + _ZONE
        + r")?",
        rf"(?P<first>\d{{1,2}})(?P<joint>[-/.])(?P<other>\d{{1,2}})[-/.](?P<year>\d{{4}}|\d\d)(?:(?:T|\s*,?\s+){_CLOCK})?{_TAIL}",
        rf"(?:[A-Za-z]{{3,9}},?\s+)?(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})"
        rf"(?:,?\s+(?:at\s+)?{_CLOCK})?{_TAIL}",
        rf"(?:[A-Za-z]{{3,9}},?\s+)?(?P<day>\d{{1,2}})[-\s](?P<name>[A-Za-z]{{3,9}})\.?[-\s](?P<year>\d{{4}}|\d\d)(?:,?\s+{_CLOCK})?{_TAIL}",
        rf"[A-Za-z]{{3}}\s+(?P<name>[A-Za-z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s+(?P<year>\d{{4}})",
    )
)
_EPOCH = re.compile(r"(?P<seconds>\d{10})(?P<milli>\d{3})?")
_OFFSET = re.compile(
    r"(?:UTC|GMT)?\s*(?P<sign>[+\-−–])\s*(?P<hours>\d{1,2}):?(?P<minutes>\d{0,2})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class MomentReading:
    """`at` where a moment can be told; `warning` where it took an assumption, or why there is none.

    `zone_told`: an offset stood with it, or a zone that could be read as one.
    """

    at: datetime | None = None
    warning: str | None = None
    zone_told: bool = True


def read_moment(written: str) -> MomentReading:
    """Read one time.

    Warnings: `zone_assumed` (none was told or it cannot be one: UTC), `date_order_assumed` (03/04: month
    first), `time_of_day_missing` (midnight), `time_implausible` (not between 1990 and 2100: none),
    `time_unread` (none). Of several the first that applies is told, in the order none, order, zone.
    """
    text = clean_line(written)
    if epoch := _EPOCH.fullmatch(text):
        return _plausible(datetime.fromtimestamp(int(epoch["seconds"]), UTC), None)
    for form in _FORMS:
        if found := form.fullmatch(text):
            return _of_form(found.groupdict())
    return _of_mail(text)


def _of_form(parts: dict[str, str | None]) -> MomentReading:
    order = _date_of(parts)
    if order is None:
        return MomentReading(warning="time_unread")
    year, month, day, ambiguous = order
    zone, doubtful = _zone_of(parts.get("zone"))
    try:
        at = datetime(year, month, day, tzinfo=zone) + _time_of(parts)
    except (ValueError, OverflowError):
        return MomentReading(warning="time_unread")
    doubts = (
        ("date_order_assumed", ambiguous),
        ("time_of_day_missing", parts.get("hour") is None),
        ("zone_assumed", doubtful),
    )
    return _plausible(at, next((code for code, applies in doubts if applies), None), zone_told=not doubtful)


def _date_of(parts: dict[str, str | None]) -> tuple[int, int, int, bool] | None:
    """Year, month, day, and whether the order of the last two had to be assumed."""
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += _TWO_DIGIT_YEARS_FROM
    if parts.get("name"):
        month = _MONTHS.get((parts["name"] or "")[:3].lower())
        return None if month is None else (year, month, int(parts["day"] or 0), False)
    if parts.get("first") is None:
        return year, int(parts["month"] or 0), int(parts["day"] or 0), False
    first, other = int(parts["first"] or 0), int(parts["other"] or 0)
    # Full stops are the European way, day first; with other joints ADF's senders are North American.
    if first > 12 or (parts.get("joint") == "." and other <= 12):
        return year, other, first, False
    return year, first, other, other <= 12 and first != other


def _time_of(parts: dict[str, str | None]) -> timedelta:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower().replace(".", "")
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError("no time of day")
    return timedelta(hours=hour, minutes=minute, seconds=min(second, 59))


def _zone_of(written: str | None) -> tuple[tzinfo, bool]:
    """The zone, and whether it was assumed."""
    told = (written or "").strip()
    if told.upper() in _ABBREVIATED:
        return _fixed(timedelta(hours=_ABBREVIATED[told.upper()])), False
    found = _OFFSET.fullmatch(told)
    if found is None:
        return UTC, True
    minutes = found["minutes"]
    # `-08:0` was seen for -08:00, never for anything else.
    offset = timedelta(hours=int(found["hours"]), minutes=int(minutes) if len(minutes) == 2 else 0)
    if offset > _FARTHEST or (len(minutes) == 1 and minutes != "0"):
        return UTC, True
    return _fixed(offset if found["sign"] == "+" else -offset), False


def _fixed(offset: timedelta) -> tzinfo:
    return timezone(offset) if offset else UTC


def _of_mail(text: str) -> MomentReading:
    """RFC 5322's form and what mail programs made of it."""
    # It takes numbers for dates; a date of a mail has a month's name.
    if not any(name in text.lower() for name in _MONTHS):
        return MomentReading(warning="time_unread")
    return _safely(_parsed_as_mail, text)


def _parsed_as_mail(text: str) -> MomentReading:
    parsed = parsedate_tz(text)
    if parsed is None:
        return MomentReading(warning="time_unread")
    offset = parsed[9]
    zone = _fixed(timedelta(seconds=offset)) if offset is not None else UTC
    told = offset is not None
    return _plausible(datetime(*parsed[:6], tzinfo=zone), None if told else "zone_assumed", zone_told=told)


def _safely(read: Callable[[str], MomentReading], text: str) -> MomentReading:
    try:
        return read(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return MomentReading(warning="time_unread")


def _plausible(at: datetime, warning: str | None, *, zone_told: bool = True) -> MomentReading:
    try:
        plausible = _EARLIEST <= at < _LATEST
    except OverflowError:
        plausible = False
    return MomentReading(at, warning, zone_told) if plausible else MomentReading(warning="time_implausible")
