"""The lead types of the BDK Leadservice, one case per id, and a deployment's own readings of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from normalizer.sources.bdk_types import TYPES, Readings, load
from pydantic import ValidationError

IDS = (
    *("1a", "1b", "1c", "1d", "1e", "1f", "2b", "2c", "3a", "3b", "3c", "3d", "5a"),
    *("6a", "6b", "6c", "7a", "7b", "7c", "7d", "7e", "7f", "8a", "8b", "8c"),
)

PLAIN: Mapping[str, Any] = {
    "test_drive": False,
    "callback": False,
    "reservation": False,
    "precheck": "not_stated",
    "product": None,
    "customer": None,
    "contract_expiry": False,
    "campaign": False,
    "configurator": False,
    "new_car": False,
    "ambiguous": False,
}
CONFIGURED = {"configurator": True, "new_car": True}
EXPIRING = {"contract_expiry": True, "customer": "existing"}
FACETS: Mapping[str, Mapping[str, Any]] = {
    "1a": {},
    "1b": {"test_drive": True},
    "1c": {"precheck": "done_unknown"},
    "1d": {"precheck": "positive"},
    "1e": {"test_drive": True, "precheck": "positive"},
    "1f": {"callback": True},
    "2b": {"product": "financing"},
    "2c": {"product": "leasing"},
    "3a": {"customer": "new"},
    "3b": {"customer": "existing"},
    "3c": {**EXPIRING, "product": "financing"},
    "3d": {**EXPIRING, "product": "leasing"},
    "5a": {"campaign": True},
    "6a": {**CONFIGURED, "product": "cash"},
    "6b": {**CONFIGURED, "product": "financing"},
    "6c": {**CONFIGURED, "product": "leasing"},
    "7a": {},
    "7b": {"test_drive": True},
    "7c": {"precheck": "done_unknown"},
    "7d": {"precheck": "positive", "ambiguous": True},
    "7e": {"test_drive": True, "precheck": "positive", "ambiguous": True},
    "7f": {"callback": True, "ambiguous": True},
    "8a": {"precheck": "positive"},
    "8b": {"precheck": "negative"},
    "8c": {"precheck": "none"},
}
HINTS: Mapping[str, tuple[str, ...]] = {
    "1d": ("approval_likely",),
    "1e": ("approval_likely",),
    "2b": ("calculated_on_dealer_site",),
    "2c": ("calculated_on_dealer_site",),
    "3b": ("new_interest",),
    "3c": ("no_act_of_customer",),
    "3d": ("no_act_of_customer",),
    "7b": ("test_drive_not_described",),
    "7d": ("financing_wish",),
    "7e": ("reservation",),
    "7f": ("financing_wish",),
}
FAMILIES = {
    "1": ("juhu_auto", "noreply@juhu.auto"),
    "2": ("digeo_calculator", "Kundenkalkulator@bdk-bank.de"),
    "3": ("bdk_direct", "leadservice@bdk-bank.de"),
    "5": ("bdk_campaign", "leadservice@bdk-bank.de"),
    "6": ("new_car_configurator", "Neuwagenkonfigurator@bdk-bank.de"),
    "7": ("ju_connect", "info@ju-connect.org"),
    "8": ("autoscout24", "leadservice@bdk-bank.de"),
}
TITLES = {
    "1a": "juhu.auto Standard",
    "1b": "juhu.auto Probefahrt",
    "1c": "juhu.auto Kreditvoreinschätzung durchgeführt",
    "1d": "juhu.auto positive Kreditvoreinschätzung",
    "1e": "juhu.auto Probefahrt und positive Kreditvoreinschätzung",
    "1f": "juhu.auto Rückrufbitte",
    "2b": "DIGEO Kundenkalkulator Finanzierung",
    "2c": "DIGEO Kundenkalkulator Leasing",
    "3a": "BDK Anfrage Neukunde",
    "3b": "BDK Anfrage Bestandskunde",
    "3c": "BDK Vertragsauslauf Finanzierung",
    "3d": "BDK Vertragsauslauf Leasing",
    "5a": "BDK Kampagnenmanager",
    "6a": "Neuwagenkonfigurator Barkauf",
    "6b": "Neuwagenkonfigurator Finanzierung",
    "6c": "Neuwagenkonfigurator Leasing",
    "7a": "ju-connect Standard",
    "7b": "ju-connect Probefahrt",
    "7c": "ju-connect Kreditvoreinschätzung durchgeführt",
    "7d": "ju-connect positive Kreditvoreinschätzung",
    "7e": "ju-connect Probefahrt und positive Kreditvoreinschätzung",
    "7f": "ju-connect Rückrufbitte",
    "8a": "Autoscout24 Positive Kreditvoreinschätzung",
    "8b": "Autoscout24 Negative Kreditvoreinschätzung",
    "8c": "Autoscout24 Ohne Kreditvoreinschätzung",
}


def test_the_table_has_every_type_and_no_other() -> None:
    assert tuple(TYPES.types) == IDS
    assert tuple(TYPES.families) == tuple(FAMILIES)


@pytest.mark.parametrize("type_id", IDS)
def test_facets(type_id: str) -> None:
    kind = TYPES.read(type_id)
    assert kind.known
    assert {facet: getattr(kind, facet) for facet in PLAIN} == {**PLAIN, **FACETS[type_id]}
    assert kind.hints == HINTS.get(type_id, ())


@pytest.mark.parametrize("type_id", IDS)
def test_names_and_senders(type_id: str) -> None:
    kind = TYPES.read(type_id)
    assert kind.title == TITLES[type_id]
    assert kind.title_en
    assert (kind.origin, kind.sender) == FAMILIES[type_id[0]]
    assert type_id[0] in TYPES.of_sender(kind.sender or "")


@pytest.mark.parametrize(
    ("one", "other"), [(f"1{letter}", f"7{letter}") for letter in "abcdef"], ids=[f"7{x}" for x in "abcdef"]
)
def test_family_seven_means_what_family_one_means(one: str, other: str) -> None:
    """Whatever their descriptions say; only doubt and urgency may differ."""
    for facet in PLAIN.keys() - {"ambiguous"}:
        assert getattr(TYPES.read(one), facet) == getattr(TYPES.read(other), facet)
    assert TYPES.read(one).intents == TYPES.read(other).intents


@pytest.mark.parametrize(
    ("title", "description", "urgency"),
    [
        ("normal", "normal", "normal"),
        ("high", "normal", "high"),
        ("normal", "high", "high"),
        ("high", "highest", "highest"),
        ("highest", "high", "highest"),
    ],
)
def test_the_more_urgent_reading_counts(title: Any, description: Any, urgency: str) -> None:
    assert Readings(title=title, description=description).more_urgent == urgency


@pytest.mark.parametrize("written", [" 1e ", "1E", "1e\n"])
def test_blanks_and_capitals_do_not_matter(written: str) -> None:
    assert TYPES.read(written) is TYPES.types["1e"]


@pytest.mark.parametrize(
    ("written", "type_id", "family", "origin", "channel", "consent"),
    [
        ("2a", "2a", "2", "digeo_calculator", "form", "form"),
        ("5B", "5b", "5", "bdk_campaign", "unknown", "request"),
        ("3e", "3e", "3", "bdk_direct", "unknown", "request"),
        ("4a", "4a", "4", "unknown", "unknown", "request"),
        ("12b", "12b", "12", "unknown", "unknown", "request"),
        ("Neuartig", "neuartig", None, "unknown", "unknown", "request"),
        ("1", "1", None, "unknown", "unknown", "request"),
        ("1ab", "1ab", None, "unknown", "unknown", "request"),
        ("¹a", "¹a", None, "unknown", "unknown", "request"),
    ],
)
def test_an_unknown_type_says_what_its_family_says(
    written: str, type_id: str, family: str | None, origin: str, channel: str, consent: str
) -> None:
    kind = TYPES.read(written)
    assert (kind.known, kind.id, kind.family, kind.origin) == (False, type_id, family, origin)
    assert (kind.channel, kind.consent) == (channel, consent)
    assert kind.intents == ("inquiry",)
    assert {facet: getattr(kind, facet) for facet in PLAIN} == PLAIN


@pytest.mark.parametrize(
    ("sender", "families"),
    [
        ("noreply@juhu.auto", ("1",)),
        ("KUNDENKALKULATOR@bdk-bank.de", ("2",)),
        (" leadservice@BDK-Bank.de ", ("3", "5", "8")),
        ("neuwagenkonfigurator@bdk-bank.de", ("6",)),
        ("info@ju-connect.org", ("7",)),
        ("info@bdk-bank.de", ()),
        ("", ()),
    ],
)
def test_senders(sender: str, families: Any) -> None:
    assert TYPES.of_sender(sender) == families


def test_a_row_is_read_otherwise_without_code() -> None:
    mine = TYPES.with_overrides(
        {"7E": {"reservation": True, "ambiguous": False, "urgency": {"title": "normal"}}}
    )
    kind = mine.read("7e")
    assert kind.intents == ("inquiry", "test_drive", "reservation")
    assert (kind.ambiguous, kind.urgency.title, kind.urgency.description) == (False, "normal", "highest")
    assert (kind.title, kind.mail) == (TITLES["7e"], TYPES.read("7e").mail)
    assert mine.read("7f") is TYPES.read("7f")
    assert not TYPES.read("7e").reservation


def test_a_type_can_be_added() -> None:
    kind = TYPES.with_overrides({"2a": {"title": "Barzahlung", "product": "cash"}}).read("2A")
    assert (kind.known, kind.origin, kind.intents) == (True, "digeo_calculator", ("inquiry", "cash"))


@pytest.mark.parametrize(
    ("fields", "consent"),
    [
        ({"contract_expiry": True}, "none"),
        ({"contract_expiry": True, "consent": "granted"}, "granted"),
        ({"contract_expiry": False}, "request"),
    ],
)
def test_an_expiry_is_no_consent_unless_somebody_says_so(fields: Any, consent: str) -> None:
    assert TYPES.with_overrides({"3e": fields}).read("3e").consent == consent


@pytest.mark.parametrize(
    ("type_id", "fields"),
    [
        ("1a", {"test_ride": True}),
        ("1a", {"precheck": "approved"}),
        ("1a", {"urgency": {"subject": "high"}}),
        ("1a", {"mail": "("}),
        ("x", {}),
        ("", {}),
    ],
)
def test_an_override_that_no_type_can_have(type_id: str, fields: Any) -> None:
    with pytest.raises(ValueError):
        TYPES.with_overrides({type_id: fields})


@pytest.mark.parametrize(
    "text",
    [
        "types = 5",
        "families.1 = 5",
        "[families.1]\n[types]\n1a = 'x'",
        "[types.1a]\ntitle = 'x'",
        "[families.1]\ncolour = 'red'",
        "[families.1]\n[types.1a]\nurgency = 'high'",
        "=",
    ],
)
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ValueError):
        load(text)


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TYPES.read("1a").title = "x"  # type: ignore[misc]
