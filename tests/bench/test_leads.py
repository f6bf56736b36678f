"""The leads that are sent."""

from __future__ import annotations

import pytest
from normalizer.domain.vin import read_vin

from tests.bench import leads


def test_they_are_of_one_size_and_no_two_alike() -> None:
    bodies = {leads.body(number) for number in (leads.FIRST, leads.FIRST + 1, 5_432_109, leads.LAST)}
    assert len(bodies) == 4
    assert {len(body) for body in bodies} == {len(leads.body(leads.FIRST))}
    assert 1_400 <= len(leads.body(leads.FIRST)) <= 1_600


def test_their_vins_are_right() -> None:
    for number in range(leads.FIRST, leads.FIRST + 50):
        assert read_vin(leads.vin(number)).warning is None


def test_more_numbers_than_there_are_cannot_be_had() -> None:
    assert list(leads.numbers(2, leads.LAST - 1)) == [leads.LAST - 1, leads.LAST]
    with pytest.raises(ValueError, match="go from"):
        leads.numbers(2, leads.LAST)
