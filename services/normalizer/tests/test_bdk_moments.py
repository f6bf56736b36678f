"""Points in time and days in BDK leads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from normalizer.sources.bdk_moments import read_day, read_moment
from pydantic import AwareDatetime, TypeAdapter


@pytest.mark.parametrize(
    ("written", "at", "warning"),
    [
        ("2026-04-14T10:22:31+02:00", "2026-04-14T08:22:31Z", None),
        ("2026-04-14T08:22:31Z", "2026-04-14T08:22:31Z", None),
        ("2026-04-14T08:22:31.123456789Z", "2026-04-14T08:22:31.123456Z", None),
        ("2026-04-14T10:22:31+0200", "2026-04-14T08:22:31Z", None),
        ("2026-04-14T10:22:31+02:00[Europe/Berlin]", "2026-04-14T08:22:31Z", None),
        ("2026-04-14T10:22:31+02:00:30", "2026-04-14T08:22:01Z", None),
        ("1776154951000", "2026-04-14T08:22:31Z", None),
        ("1776154951", "2026-04-14T08:22:31Z", None),
        ("2026-04-14T10:22:31", "2026-04-14T08:22:31Z", "zone_assumed"),
        ("2026-12-14 10:22", "2026-12-14T09:22:00Z", "zone_assumed"),
        ("14.04.2026 10:22", "2026-04-14T08:22:00Z", "zone_assumed"),
        ("4.4.2026, 9:05:07 Uhr", "2026-04-04T07:05:07Z", "zone_assumed"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "zone_assumed"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z", "zone_assumed"),
        ("14.04.2026", None, "value_unread"),
        ("2026-04-14", None, "value_unread"),
        ("31.02.2026 10:00", None, "value_unread"),
        ("10.10.2026 25:00", None, "value_unread"),
        ("gestern", None, "value_unread"),
        ("", None, "value_unread"),
        ("0001-01-01T00:00:00+14:00", None, "time_implausible"),
        ("9999-12-31T23:59:59-14:00", None, "time_implausible"),
        ("1.1.1970 00:00", None, "time_implausible"),
        ("0000000001", None, "time_implausible"),
    ],
)
def test_points_in_time(written: str, at: str | None, warning: str | None) -> None:
    reading = read_moment(written)
    assert reading.at == (datetime.fromisoformat(at) if at else None)
    assert reading.warning == warning


@pytest.mark.parametrize("written", ["2026-04-14T10:22:31+02:00:30", "2026-04-14T10:22:31-00:00:01"])
def test_an_offset_of_seconds_cannot_be_written_down(written: str) -> None:
    at = read_moment(written).at
    assert at is not None
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-07-31", "2026-07-31"),
        ("20260731", "2026-07-31"),
        ("31.07.2026", "2026-07-31"),
        ("1.7.2026", "2026-07-01"),
        ("2026-07-31T00:00:00", "2026-07-31"),
        ("2026-07-30T22:00:00Z", "2026-07-31"),
        ("2026-07-31T00:00:00+02:00", "2026-07-31"),
        ("1785448800000", "2026-07-31"),
        ("31.07.2026 12:00", "2026-07-31"),
        ("07/2026", None),
        ("31.06.2026", None),
        ("31.07.26", None),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("bald", None),
    ],
)
def test_days(written: str, day: str | None) -> None:
    assert read_day(written) == day


WRITTEN = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="0123456789-T:.+Z[] ", max_size=30),
    st.datetimes(datetime(1985, 1, 1), datetime(2105, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.integers(0, 10**13).map(str),
)
MOMENT = TypeAdapter(AwareDatetime)


@given(written=WRITTEN)
def test_whatever_is_written_is_a_moment_that_can_be_written_down_or_none(written: str) -> None:
    read_day(written)
    at = read_moment(written).at
    if at is not None:
        assert at.tzinfo is not None
        assert MOMENT.validate_json(MOMENT.dump_json(at)) == at
        assert at.astimezone(UTC) == at
