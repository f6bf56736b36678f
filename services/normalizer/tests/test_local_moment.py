"""Moments as written, by the clock of a place."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from normalizer.domain.local_moment import read_moment

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("case", "written", "at", "warning"),
    [
        ("LM1", "2026-04-14T10:22:31+02:00", "2026-04-14T10:22:31+02:00", None),
        ("LM2", "2026-04-14T10:22:31Z", "2026-04-14T10:22:31+00:00", None),
        ("LM3", "2026-04-14T10:22:31", "2026-04-14T10:22:31+02:00", "time_zone_assumed"),
        ("LM4", "2026-01-14T10:22:31", "2026-01-14T10:22:31+01:00", "time_zone_assumed"),
        ("LM5", "2026-04-14 10:22", "2026-04-14T10:22:00+02:00", "time_zone_assumed"),
        ("LM6", "2026-04-14T10:22:31.1234567Z", "2026-04-14T10:22:31.123456+00:00", None),
        ("LM7", "2026-04-14T10:22:31,5+0200", "2026-04-14T10:22:31.500000+02:00", None),
        ("LM8", " 2026-04-14t10:22:31z ", "2026-04-14T10:22:31+00:00", None),
        # Shown twice that night: the first of the two.
        ("LM9", "2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00", "time_zone_assumed"),
        # Not shown at all that night: by the offset before.
        ("LM10", "2026-03-29T02:30:00", "2026-03-29T02:30:00+01:00", "time_zone_assumed"),
        ("LM11", "2026-04-14", None, "value_unread"),
        ("LM12", "14/04/2026 10:22", None, "value_unread"),
        ("LM13", "1776154951", None, "value_unread"),
        ("LM14", "2026-02-30T10:22:31Z", None, "value_unread"),
        ("LM15", "2026-04-14T25:00:00Z", None, "value_unread"),
        ("LM16", "", None, "value_unread"),
        ("LM17", "1989-12-31T23:59:59Z", None, "time_implausible"),
        ("LM18", "2100-01-01T00:00:00Z", None, "time_implausible"),
        ("LM19", "0001-01-01T00:00:00", None, "time_implausible"),
        ("LM20", "9999-12-31T23:59:59", None, "time_implausible"),
        ("LM21", "2026-04-14T10:22:31+99:99", None, "value_unread"),
    ],
)
def test_written_moments(case: str, written: str, at: str | None, warning: str | None) -> None:
    reading = read_moment(written, PARIS)
    assert (reading.at and reading.at.isoformat(), reading.warning) == (at, warning)


def test_another_place_has_another_clock() -> None:
    reading = read_moment("2026-04-14T10:22:31", "America/Chicago")
    assert reading.at == datetime.fromisoformat("2026-04-14T15:22:31+00:00")


@given(st.text(max_size=40) | st.datetimes().map(str) | st.from_regex(r"[0-9T:.+Z -]{1,30}", fullmatch=True))
def test_any_text_is_a_moment_with_an_offset_or_told(written: str) -> None:
    reading = read_moment(written, PARIS)
    if reading.at is None:
        assert reading.warning in ("value_unread", "time_implausible")
    else:
        assert reading.at.utcoffset() is not None
