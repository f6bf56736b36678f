"""SL1–SL19: when a dealer without a lead today is silent, and what a day is; rows of `rules/trying.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from adf_mailer.domain.silence import Counted, days, judge

WEDNESDAY, SATURDAY, SUNDAY = date(2026, 4, 15), date(2026, 4, 18), date(2026, 4, 19)

Leads = tuple[int, int]
"""By now, and in the whole day."""


def past(
    today: date, weekday: Leads, saturday: Leads = (0, 0), sunday: Leads = (0, 0), *, back: int = 28
) -> list[Counted]:
    kinds = [*[weekday] * 5, saturday, sunday]
    dates = [today - timedelta(days) for days in range(back, 0, -1)]
    return [Counted(one, *kinds[one.weekday()]) for one in dates]


@dataclass(frozen=True)
class Row:
    id: str
    past: Sequence[Counted]
    today: date
    leads_today: int
    expected: float | None
    usual: float | None
    silent: bool


RARE = past(WEDNESDAY, (3, 6))
HOLIDAY = date(2026, 12, 25)
ROWS = [
    Row("SL1", past(WEDNESDAY, (4, 10)), WEDNESDAY, 0, 4, 10, True),
    Row("SL2", past(WEDNESDAY, (4, 10)), WEDNESDAY, 1, 4, 10, False),
    Row("SL3", [*RARE[:-1], Counted(RARE[-1].date, 2, 6)], WEDNESDAY, 0, 59 / 20, 6, False),
    Row("SL4", RARE, WEDNESDAY, 0, 3, 6, True),
    Row("SL5", past(WEDNESDAY, (0, 10)), WEDNESDAY, 0, 0, 10, False),
    Row("SL6", past(WEDNESDAY, (9, 9), back=6), WEDNESDAY, 0, None, None, False),
    Row("SL7", past(WEDNESDAY, (9, 9), back=7), WEDNESDAY, 0, 9, 9, True),
    Row("SL8", past(SUNDAY, (9, 9), (9, 9), (0, 0)), SUNDAY, 0, 0, 0, False),
    Row("SL9", past(SATURDAY, (1, 2), (6, 8), (0, 0)), SATURDAY, 0, 6, 8, True),
    Row("SL10", past(SUNDAY, (9, 9), (9, 9), (0, 0), back=8), SUNDAY, 0, 0, 0, False),
    Row("SL11", past(SATURDAY, (1, 1), (9, 9), (1, 1), back=8), SATURDAY, 0, 2, 2, False),
    Row(
        "SL12",
        [*past(WEDNESDAY, (4, 4))[:-1], Counted(date(2026, 4, 14), 0, 0)],
        WEDNESDAY,
        0,
        3.8,
        3.8,
        True,
    ),
    Row("SL13", past(HOLIDAY, (5, 9)), HOLIDAY, 0, 5, 9, True),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_who_is_silent(row: Row) -> None:
    found = judge(row.past, row.today, row.leads_today, expected_leads=3)
    assert found.silent is row.silent
    assert found.today == row.leads_today
    assert found.expected_by_now == (None if row.expected is None else pytest.approx(row.expected))
    assert found.usual_per_day == (None if row.usual is None else pytest.approx(row.usual))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class DayRow:
    id: str
    now: str
    zone: str
    day: str
    start: str
    until: str
    end: str


DAYS = [
    # At the same moment it is yesterday evening in Chicago and morning in Berlin.
    DayRow(
        "SL14 Chicago",
        "2026-04-15T04:30",
        "America/Chicago",
        "2026-04-14",
        *("2026-04-14T05:00", "2026-04-15T04:30", "2026-04-15T05:00"),
    ),
    DayRow(
        "SL14 Berlin",
        "2026-04-15T04:30",
        "Europe/Berlin",
        "2026-04-15",
        *("2026-04-14T22:00", "2026-04-15T04:30", "2026-04-15T22:00"),
    ),
    # A day of 23 hours: half past eight is an hour nearer to midnight.
    DayRow(
        "SL15",
        "2026-03-30T06:30",
        "Europe/Berlin",
        "2026-03-29",
        *("2026-03-28T23:00", "2026-03-29T06:30", "2026-03-29T22:00"),
    ),
    # Half past two was skipped: read as half past three.
    DayRow(
        "SL16",
        "2026-03-30T00:30",
        "Europe/Berlin",
        "2026-03-29",
        *("2026-03-28T23:00", "2026-03-29T01:30", "2026-03-29T22:00"),
    ),
    # A day of 25 hours, and its half past two, twice there, is the first.
    DayRow(
        "SL17",
        "2026-10-26T01:30",
        "Europe/Berlin",
        "2026-10-25",
        *("2026-10-24T22:00", "2026-10-25T00:30", "2026-10-25T23:00"),
    ),
]


@pytest.mark.parametrize("row", DAYS, ids=lambda row: row.id)
def test_what_a_day_is(row: DayRow) -> None:
    listed = days(utc("2020-01-01T00:00"), utc(row.now), ZoneInfo(row.zone))
    (day,) = [one for one in listed if one.date.isoformat() == row.day]
    assert (day.start, day.until, day.end) == (utc(row.start), utc(row.until), utc(row.end))


def test_sl18_four_weeks_are_looked_at() -> None:
    listed = days(utc("2020-01-01T00:00"), utc("2026-04-15T16:00"), ZoneInfo("America/Chicago"))
    assert [listed[0].date, listed[-1].date, len(listed)] == [date(2026, 3, 18), WEDNESDAY, 29]
    assert [one.end for one in listed[:-1]] == [one.start for one in listed[1:]]


def test_sl19_the_day_of_the_first_lead_does_not_count() -> None:
    where = ZoneInfo("America/Chicago")
    # Still the 12th in Chicago.
    listed = days(utc("2026-04-13T04:00"), utc("2026-04-15T16:00"), where)
    assert [one.date.day for one in listed] == [13, 14, 15]
    today = days(utc("2026-04-15T15:00"), utc("2026-04-15T16:00"), where)
    assert [one.date.day for one in today] == [15]
