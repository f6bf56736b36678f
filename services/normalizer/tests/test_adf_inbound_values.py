"""Inbound ADF: the T (times), A (amounts) and D (distances) cases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from normalizer.sources.adf.amounts import read_amount, read_distance
from normalizer.sources.adf.moments import read_moment
from normalizer.sources.adf.words import is_placeholder, is_template

MOMENTS = [
    ("T1", "20260414T110305-0500", "2026-04-14T11:03:05-05:00", None),
    ("T2", "20260414T110305+0000", "2026-04-14T11:03:05+00:00", None),
    ("T3", "2026-04-14T11:03:05-05:00", "2026-04-14T11:03:05-05:00", None),
    ("T4", "2026-04-14T11:03:05+05:30", "2026-04-14T11:03:05+05:30", None),
    ("T5", "2026-04-14T11:03:05Z", "2026-04-14T11:03:05+00:00", None),
    ("T6", "2026-04-14T11:03:05.123Z", "2026-04-14T11:03:05+00:00", None),
    ("T7", "2026-04-14T11:03:05.1234567Z", "2026-04-14T11:03:05+00:00", None),
    ("T8", "2026-04-14 11:03:05", "2026-04-14T11:03:05+00:00", "zone_assumed"),
    ("T9", "2026-04-14T11:03:05", "2026-04-14T11:03:05+00:00", "zone_assumed"),
    ("T10", "2026-04-14T8:47:50-04:00", "2026-04-14T08:47:50-04:00", None),
    ("T11", "2026-04-14T11:03-05:00", "2026-04-14T11:03:00-05:00", None),
    ("T12", "2026-04-14T11:03:05-08:0", "2026-04-14T11:03:05-08:00", None),
    ("T13", "2026-04-14T11:03:05 -08:00", "2026-04-14T11:03:05-08:00", None),
    ("T14", "2026-04-14T11:03:05-8:00", "2026-04-14T11:03:05-08:00", None),
    ("T15", "2026-04-14T11:03:05-08", "2026-04-14T11:03:05-08:00", None),
    ("T16", "04-15-2026", "2026-04-15T00:00:00+00:00", "time_of_day_missing"),
    ("T17", "04/15/26", "2026-04-15T00:00:00+00:00", "time_of_day_missing"),
    ("T18", "04/05/26", "2026-04-05T00:00:00+00:00", "date_order_assumed"),
    ("T19", "4/14/2026 4:03:09 PM", "2026-04-14T16:03:09+00:00", "zone_assumed"),
    ("T20", "4/14/2026 12:03 AM EST", "2026-04-14T00:03:00-05:00", None),
    ("T21", "14/04/2026 16:03", "2026-04-14T16:03:00+00:00", "zone_assumed"),
    ("T22", "05.04.2026 16:03 CET", "2026-04-05T16:03:00+01:00", None),
    ("T23", "Tue, 14 Apr 2026 16:03:09 +0200", "2026-04-14T16:03:09+02:00", None),
    ("T24", "Tue Apr 14 2026 16:03:09 GMT-0500 (Central Daylight Time)", "2026-04-14T16:03:09-05:00", None),
    ("T25", "Apr 14, 2026 4:03 PM", "2026-04-14T16:03:00+00:00", "zone_assumed"),
    ("T26", "14-Apr-2026 16:03:09", "2026-04-14T16:03:09+00:00", "zone_assumed"),
    ("T27", "Tue Apr 14 16:03:09 2026", "2026-04-14T16:03:09+00:00", "zone_assumed"),
    ("T28", "1776182589", "2026-04-14T16:03:09+00:00", None),
    ("T29", "1776182589000", "2026-04-14T16:03:09+00:00", None),
    ("T30", "20260414", "2026-04-14T00:00:00+00:00", "time_of_day_missing"),
    ("T31", "2026/04/14 10:22", "2026-04-14T10:22:00+00:00", "zone_assumed"),
    ("T32", "2026-04-14T24:00:00Z", "2026-04-15T00:00:00+00:00", None),
    ("T33", "2026-04-14T11:03:60Z", "2026-04-14T11:03:59+00:00", None),
    ("T34", "2026-04-14T11:03:05+99:00", "2026-04-14T11:03:05+00:00", "zone_assumed"),
    ("T35", "2026-04-14T11:03:05,123-0500", "2026-04-14T11:03:05-05:00", None),
    ("T36", "2026-02-30T11:03:05Z", None, "time_unread"),
    ("T37", "2026-04-14T25:03:05Z", None, "time_unread"),
    ("T38", "yesterday", None, "time_unread"),
    ("T39", "0001-01-01T00:00:00", None, "time_implausible"),
    ("T40", "9999-12-31T23:59:59-12:00", None, "time_implausible"),
    ("T41", "", None, "time_unread"),
]


@pytest.mark.parametrize(("case", "written", "at", "warning"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_times(case: str, written: str, at: str | None, warning: str | None) -> None:
    reading = read_moment(written)
    assert reading.at == (datetime.fromisoformat(at) if at else None)
    assert reading.warning == warning
    if reading.at is not None and at:
        assert reading.at.utcoffset() == datetime.fromisoformat(at).utcoffset()


AMOUNTS = [
    ("A1", "27995", "27995", None),
    ("A2", "$27,995.00", "27995.00", None),
    ("A3", "27.995,00 €", "27995.00", "EUR"),
    ("A4", "CAD 48900", "48900", "CAD"),
    ("A5", "48900.00 USD", "48900.00", "USD"),
    ("A6", "27 995", "27995", None),
    ("A7", "27,995", "27995", None),
    ("A8", "27.995", "27995", None),
    ("A9", "1,234,567.89", "1234567.89", None),
    ("A10", "£18,450", "18450", "GBP"),
    ("A11", "27995.", "27995", None),
    ("A12", "call", None, None),
    ("A13", "-500", None, None),
    ("A14", "1e999999", None, None),
    ("A15", "9" * 41, None, None),
    ("A16", "", None, None),
]


@pytest.mark.parametrize(("case", "written", "amount", "currency"), AMOUNTS, ids=[row[0] for row in AMOUNTS])
def test_amounts(case: str, written: str, amount: str | None, currency: str | None) -> None:
    reading = read_amount(written)
    assert reading.amount == (Decimal(amount) if amount else None)
    assert reading.currency == currency


DISTANCES = [
    ("D1", "21840", 21840, None),
    ("D2", "21,840", 21840, None),
    ("D3", "21,840 miles", 21840, "mi"),
    ("D4", "21.840 km", 21840, "km"),
    ("D5", "21840.0", 21840, None),
    ("D6", "12 leagues", None, None),
]


@pytest.mark.parametrize(("case", "written", "value", "unit"), DISTANCES, ids=[row[0] for row in DISTANCES])
def test_distances(case: str, written: str, value: int | None, unit: str | None) -> None:
    assert read_distance(written) == (value, unit)


@pytest.mark.parametrize("value", ["Not Provided", "NA", "n/a", "--", "None", "Unknown", "null", "?"])
def test_words_for_nothing(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value",
    [
        "{{first_name}}",
        "${lead.date}",
        "%%email%%",
        "[First Name]",
        "<%= year %>",
        "{phone}",
        "%requestdate%",
    ],
)
def test_templates_nobody_filled_in(value: str) -> None:
    assert is_template(value)


@pytest.mark.parametrize("value", ["Nora", "Civic", "2020", "100%", "5-door", "[8] seats", "N", "Nadia"])
def test_words_that_say_something(value: str) -> None:
    assert not is_placeholder(value)
    assert not is_template(value)
