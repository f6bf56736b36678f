"""Leads of categories that a subscription did not select are nobody's to use."""

from __future__ import annotations

import pytest
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.sources import read

from tests.support.virtualexpo import document

XML = "application/xml"


def verdict(category: str, categories: str | None) -> tuple[str, str | None] | None:
    way = Way.told("aero", {} if categories is None else {"categories": categories})
    try:
        read("virtualexpo", document(category, None), XML, way)
    except Rejection as rejection:
        return rejection.reason, rejection.field
    return None


@pytest.mark.parametrize(
    ("case", "category", "selected", "taken"),
    [
        ("VX-6.1", "request", "request", True),
        ("VX-6.2", "prospect", "request", False),
        ("VX-6.3", "visit", "request,prospect", False),
        ("VX-6.4", "visit", "request,prospect,visit", True),
        ("VX-6.5", "Requests", "request", True),
        ("VX-6.6", "visit", None, True),
        ("VX-6.7", "request", "", False),
        ("VX-6.8", "request", "everything", False),
    ],
)
def test_only_selected_categories_are_taken(
    case: str, category: str, selected: str | None, taken: bool
) -> None:
    assert verdict(category, selected) == (None if taken else ("category_not_selected", "@category"))


def test_the_selection_is_the_same_when_a_message_is_read_again() -> None:
    way = Way.told("aero", {"categories": "request"})
    assert Way.told("aero", way.extensions) == way
