"""The contract of VirtualExpo's leads: categories, types, marketplaces, and what follows of them."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus.contracts.virtualexpo import (
    CATEGORIES,
    MARKETPLACES,
    VirtualExpoLead,
    read_categories,
    read_category,
    read_marketplace,
    read_types,
)
from pydantic import ValidationError


def told(category: str = "request", **fields: Any) -> VirtualExpoLead:
    return VirtualExpoLead.model_validate({"@category": category, **fields})


@pytest.mark.parametrize(
    ("case", "written", "selected"),
    [
        ("VX-6", "requests", {"request"}),
        ("VX-6", "requests,prospects", {"request", "prospect"}),
        ("VX-6", " Request , visits", {"request", "visit"}),
        ("VX-6", ["requests", "prospects", "visits"], set(CATEGORIES)),
        ("VX-6", "", set()),
        ("VX-6", "all", set()),
    ],
)
def test_what_a_subscription_selects(case: str, written: str | list[str], selected: set[str]) -> None:
    assert read_categories(written) == selected


@pytest.mark.parametrize("written", ["", "requestss", "request/quote", "visitor", "s"])
def test_another_word_is_no_category(written: str) -> None:
    assert read_category(written) is None
    with pytest.raises(ValidationError):
        told(written)


@pytest.mark.parametrize(
    ("case", "category", "written", "answer_expected", "queue", "contactable"),
    [
        ("VX-7.1", "request", "Documentation", True, "sales", True),
        ("VX-7.2", "request", "Quote", True, "sales", True),
        ("VX-7.3", "request", "Documentation / Quote", True, "sales", True),
        ("VX-7.4", "request", "Price Options", True, "sales", True),
        ("VX-7.5", "request", "Documentation / Price options", True, "sales", True),
        ("VX-8.1", "prospect", "Price options", False, "opportunity", True),
        ("VX-9.1", "visit", None, False, "nurture", False),
    ],
)
def test_category_and_type(
    case: str, category: str, written: str | None, answer_expected: bool, queue: str, contactable: bool
) -> None:
    lead = told(category, type=written)
    assert (lead.answer_expected, lead.queue, lead.contactable) == (answer_expected, queue, contactable)


@pytest.mark.parametrize(
    ("given", "of_request", "of_visit"),
    [
        ("true", True, True),
        ("1", True, True),
        ("false", False, False),
        (" 0 ", False, False),
        ("oui", True, False),
        (None, True, False),
    ],
)
def test_consent_that_is_told_goes_before_the_category(
    given: str | None, of_request: bool, of_visit: bool
) -> None:
    consent = {"given": given}
    assert told("request", consent=consent).contactable is of_request
    assert told("visit", consent=consent).contactable is of_visit


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("Documentation / Price Options", ("documentation", "price options")),
        ("price  options/DOCUMENTATION", ("documentation", "price options")),
        ("Quote", ("quote",)),
        ("Quote/ /quote", ("quote",)),
        ("Zoo / Sample / Quote", ("quote", "sample", "zoo")),
        ("", ()),
        (" / ", ()),
    ],
)
def test_a_type_is_a_set(written: str, parts: tuple[str, ...]) -> None:
    assert read_types(written) == parts


@pytest.mark.parametrize("name", MARKETPLACES)
def test_a_marketplace_by_its_name(name: str) -> None:
    assert {read_marketplace(written) for written in (name, name.upper(), f" {name} ")} == {name}
    assert read_marketplace(f"{name}2") is None


def test_additions_are_kept() -> None:
    lead = told(score="7", buyer={"fax": "1"}, product=[{"productId": "1", "ref": "x"}])
    assert lead.model_extra == {"score": "7"}
    assert lead.buyer.model_extra == {"fax": "1"}
    assert (lead.products[0].product_id, lead.products[0].model_extra) == ("1", {"ref": "x"})


def test_an_exhibitor_that_no_setting_could_name_is_refused() -> None:
    assert told(stand={"exhibitorId": "9" * 200}).stand.exhibitor_id == "9" * 200
    with pytest.raises(ValidationError, match="too long"):
        told(stand={"exhibitorId": "9" * 201})
