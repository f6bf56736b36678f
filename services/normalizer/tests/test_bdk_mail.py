"""BDK leads as e-mail: the sender table, and what subject and text tell beyond it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from normalizer.sources.bdk_mail import read_mail
from normalizer.sources.bdk_types import TYPES

UNDECIDED = "leadservice@bdk-bank.de"


@pytest.mark.parametrize(
    ("sender", "families"),
    [
        ("noreply@juhu.auto", ("1",)),
        ("Kundenkalkulator@bdk-bank.de", ("2",)),
        ("Neuwagenkonfigurator@bdk-bank.de", ("6",)),
        ("info@ju-connect.org", ("7",)),
        (UNDECIDED, ("3", "5", "8")),
        ("LEADSERVICE@BDK-BANK.DE", ("3", "5", "8")),
        ('"BDK Leadservice" <leadservice@bdk-bank.de>', ("3", "5", "8")),
    ],
    ids=["J", "K", "N", "C", "L", "L-capitals", "L-named"],
)
def test_the_sender_tells_the_family_or_leaves_it_open(sender: str, families: Any) -> None:
    reading = read_mail(sender, "Guten Tag", "")
    assert (reading.families, reading.evidence) == (families, "sender")
    assert reading.types == tuple(kind.id for kind in TYPES.types.values() if kind.family in families)


@pytest.mark.parametrize(
    "sender", ["info@bdk-bank.de", "leadservice@bdk-bank.de.example", "x@juhu.auto", "", "<>", "Leadservice"]
)
def test_of_a_stranger_nothing_is_told(sender: str) -> None:
    reading = read_mail(sender, "Anfrage mit Probefahrt", "Leasing")
    assert (reading.families, reading.types, reading.evidence) == ((), (), "none")


@pytest.mark.parametrize("type_id", TYPES.types)
def test_a_title_tells_the_type(type_id: str) -> None:
    kind = TYPES.read(type_id)
    reading = read_mail(kind.sender or "", "Neuer Lead", f"Art:\n  {kind.title}\nKunde: …")
    assert (reading.families, reading.types, reading.evidence) == ((kind.family,), (type_id,), "title")
    assert read_mail("seller@dealer.example", f"WG: {kind.title}", "") == reading


@pytest.mark.parametrize(
    ("sender", "subject", "types"),
    [
        ("noreply@juhu.auto", "Interessent mit Probefahrtwunsch", ("1b",)),
        ("noreply@juhu.auto", "Kreditvoreinschätzung liegt vor", ("1c",)),
        ("noreply@juhu.auto", "Positive Kreditvoreinschätzung", ("1d",)),
        ("noreply@juhu.auto", "Probefahrt, dazu positive Kreditvoreinschätzung", ("1e",)),
        ("noreply@juhu.auto", "Interessent mit Rückrufwunsch", ("1f",)),
        ("noreply@juhu.auto", "Interessent mit Ru\u0308ckrufwunsch", ("1f",)),
        ("Kundenkalkulator@bdk-bank.de", "Für Finanzierung kalkuliert", ("2b",)),
        ("Kundenkalkulator@bdk-bank.de", "Für Leasing kalkuliert", ("2c",)),
        (UNDECIDED, "Anfrage: Neukunde", ("3a",)),
        (UNDECIDED, "Anfrage: Bestandskunde", ("3b",)),
        (UNDECIDED, "Auslauf Ihrer Finanzierungsverträge", ("3c",)),
        (UNDECIDED, "Auslauf Ihrer Leasingverträge", ("3d",)),
        (UNDECIDED, "Ihre Kampagne Frühling", ("5a",)),
        (UNDECIDED, "Leasing gewünscht", ("3a", "3b", "3c", "3d", "5a", "8a", "8b", "8c")),
        (UNDECIDED, "Mit positiver Kreditvoreinschätzung", ("8a",)),
        (UNDECIDED, "Mit negativer Kreditvoreinschätzung", ("8b",)),
        (UNDECIDED, "Ohne Kreditvoreinschätzung", ("8c",)),
        (UNDECIDED, "Autoscout24: neuer Interessent", ("8a", "8b", "8c")),
        ("Neuwagenkonfigurator@bdk-bank.de", "Für Barzahlung konfiguriert", ("6a",)),
        ("Neuwagenkonfigurator@bdk-bank.de", "Für Finanzierung konfiguriert", ("6b",)),
        ("Neuwagenkonfigurator@bdk-bank.de", "Für Leasing konfiguriert", ("6c",)),
        ("info@ju-connect.org", "Neue Kontaktanfrage", ("7a",)),
        ("info@ju-connect.org", "Neue Anfrage", ("7b",)),
        ("info@ju-connect.org", "Neue Anfrage mit Finanzierungsprüfung", ("7c",)),
        ("info@ju-connect.org", "Finanzierungswunsch", ("7d", "7f")),
        ("info@ju-connect.org", "Finanzierungswunsch, bitte Kontakt", ("7d",)),
        ("info@ju-connect.org", "Finanzierungswunsch, schnell!", ("7f",)),
        ("info@ju-connect.org", "Neue Fahrzeugreservierung", ("7e",)),
    ],
)
def test_what_the_subject_says(sender: str, subject: str, types: Any) -> None:
    reading = read_mail(sender, subject, "Leasing, Finanzierung und Barkauf: alles aus einer Hand.")
    assert reading.types == types


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("", "bdkLeadTypeId: 8b"),
        ("", 'Daten:\n{"bdkLeadTypeld": "8B"}'),
        ("bdkLeadTypeId=8b", "juhu.auto Probefahrt"),
    ],
)
@pytest.mark.parametrize("sender", [UNDECIDED, "noreply@juhu.auto", "seller@dealer.example"])
def test_a_type_id_decides(sender: str, subject: str, text: str) -> None:
    reading = read_mail(sender, subject, text)
    assert (reading.families, reading.types, reading.evidence) == (("8",), ("8b",), "type_id")


@pytest.mark.parametrize("text", ["bdkLeadTypeId: 8bc", "bdkLeadTypeId 8b", "myBdkLeadTypeId: 8b", "8b"])
def test_what_only_looks_like_a_type_id(text: str) -> None:
    assert read_mail(UNDECIDED, "", text).families == ("3", "5", "8")


def test_an_id_that_the_table_does_not_have_is_told_all_the_same() -> None:
    assert read_mail(UNDECIDED, "", "bdkLeadTypeId: 3e").types == ("3e",)


@settings(max_examples=200, deadline=None)
@given(
    sender=st.sampled_from([UNDECIDED, "info@ju-connect.org"]) | st.text(max_size=30),
    subject=st.text(max_size=60),
    text=st.text(max_size=100),
)
def test_any_mail_can_be_read(sender: str, subject: str, text: str) -> None:
    reading = read_mail(sender, subject, text)
    assert reading.families == tuple(
        dict.fromkeys(family for one in reading.types if (family := TYPES.read(one).family))
    )
    assert (reading.types == ()) == (reading.evidence == "none")


def test_a_hostile_mail_takes_no_minutes() -> None:
    assert read_mail(UNDECIDED, "probefahrt " * 100_000, "positive " * 1_000_000).evidence == "sender"
