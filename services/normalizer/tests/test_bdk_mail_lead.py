"""Leads out of BDK mails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.bdk_mail_labels import _LABELS, labelled
from normalizer.sources.bdk_mail_lead import LeadMail, read
from normalizer.sources.bdk_types import TYPES

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
TEXT = """\
Guten Tag,

Lead-ID: LS-77
Partnernummer: 0047110
Anrede:\tFrau
Name\tJördis von Ahlen
Telefon: 0431 5550148
E-Mail: joerdis@example.org
Fahrzeug: VW ID.4
Kilometerstand: 21.840 km
Preis: 27.995,00 €
Besonderer Wunsch: abends

Mit freundlichen Grüßen
Mobil: 0151 99999999
E-Mail: info@bdk-bank.de
"""
MAIL = LeadMail(
    sender="noreply@juhu.auto",
    location="Kiel-1",
    subject="juhu.auto Probefahrt",
    text=TEXT,
    message_id="<1@juhu.auto>",
    sent_at=AT,
)


def test_a_mail_with_labelled_lines(dealer: Any) -> None:
    draft = read(MAIL)
    assert (draft.source_type, draft.channel, draft.urgency) == ("1b", "portal", "high")
    assert (draft.location, draft.location_field, draft.external_id) == ("0047110", "partnerNumber", "LS-77")
    assert [(one.source, one.value) for one in draft.ids] == [
        ("BDK Leadservice", "LS-77"),
        ("Message-ID", "<1@juhu.auto>"),
    ]
    assert (draft.occurred_at, draft.consent.at) == (AT, AT)
    assert (draft.name.salutation, draft.name.first, draft.name.last) == ("Frau", "Jördis", "von Ahlen")
    assert [phone.raw for phone in draft.phones] == ["0431 5550148"]
    assert [email.address for email in draft.emails] == ["joerdis@example.org"]
    (vehicle,) = draft.vehicles
    assert vehicle.odometer is not None
    assert (vehicle.model, vehicle.odometer.value, str(vehicle.prices[0].amount)) == (
        "VW ID.4",
        21840,
        "27995.00",
    )
    assert (draft.subject, draft.message) == ("juhu.auto Probefahrt", TEXT.strip())
    assert draft.extras["mail.sender"] == "noreply@juhu.auto"
    assert place(draft, Origin("bdk", "a", AT), dealer).to_json()


def test_a_mail_with_nothing_but_words() -> None:
    draft = read(replace(MAIL, text="Bitte melden.", subject="Guten Tag", message_id=None))
    assert (draft.location, draft.location_field) == ("Kiel-1", "location")
    assert (draft.external_id, draft.ids, draft.source_type) == (None, (), "unknown")
    assert (draft.channel, draft.consent.basis, draft.urgency) == ("portal", "form", "high")
    (warning,) = draft.warnings
    assert (warning.code, warning.detail) == ("lead_type_undecided", "one of 1a, 1b, 1c, 1d, 1e, 1f")
    assert draft.message == "Bitte melden."


@pytest.mark.parametrize(
    ("subject", "text", "source_type", "intents", "consent"),
    [
        ("Guten Tag", "", "unknown", ("inquiry",), "request"),
        ("Guten Tag", "Vertragsende: 31.07.2026", "unknown", ("contract_expiry",), "none"),
        ("BDK Vertragsauslauf Leasing", "", "3d", ("contract_expiry",), "none"),
        ("", "bdkLeadTypeId: 3e", "3e", ("inquiry",), "request"),
    ],
)
def test_mails_of_the_sender_that_three_families_share(
    subject: str, text: str, source_type: str, intents: Any, consent: str
) -> None:
    draft = read(replace(MAIL, sender="leadservice@bdk-bank.de", subject=subject, text=text))
    assert (draft.source_type, draft.intents, draft.consent.basis) == (source_type, intents, consent)
    assert draft.answer_expected == (consent != "none")


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        (
            {"sender": "jo@dealer.example", "subject": "Hallo", "text": "Marie Koch"},
            "not_a_lead",
            "sender",
        ),
        ({"location": " ", "text": ""}, "payload_invalid", "location"),
        ({"location": "a" * 300, "text": ""}, "payload_invalid", "location"),
    ],
)
def test_what_is_no_lead(change: Any, reason: str, field: str) -> None:
    with pytest.raises(Rejection) as caught:
        read(replace(MAIL, **change))
    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert "Koch" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "label"), [(path, label) for path, labels in _LABELS.items() for label in labels]
)
def test_labels(path: str, label: str) -> None:
    expected: Any = "x: y"
    for step in reversed(path.split(".")):
        expected = {step: expected}
    assert labelled(f"Hallo\n  {label.capitalize()}: x: y\n{label}: z") == expected
    assert labelled(f"> {label.upper()}\tx: y") == expected


@pytest.mark.parametrize("farewell", ["-- ", "Viele Grüße", "MIT FREUNDLICHEN GRÜẞEN,", "Impressum"])
def test_what_stands_below_a_farewell_is_the_senders(farewell: str) -> None:
    assert labelled(f"{farewell}\nTelefon: 040 123") == {}


@pytest.mark.parametrize(
    "line", ["Telefon", "Telefon:", ": 5", "Rufen Sie an", "https://example.org", "12: 5"]
)
def test_what_is_no_labelled_line(line: str) -> None:
    assert labelled(line) == {}


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("Anfrage vom: 13.04.2026 10:00", datetime(2026, 4, 13, 8, tzinfo=UTC)),
        ("Datum: 13.04.2026", AT),
        ("Datum: gestern", AT),
        ("", AT),
    ],
)
def test_when_it_was(line: str, at: datetime) -> None:
    assert read(replace(MAIL, text=line)).occurred_at == at


@pytest.mark.parametrize(
    ("told", "addresses"),
    [
        ("info@bdk-bank.de", []),
        ("<Info@JU-Connect.org>", []),
        ("jan@notbdk-bank.de", ["jan@notbdk-bank.de"]),
    ],
)
def test_the_banks_own_address_is_no_customers(told: str, addresses: list[str]) -> None:
    draft = read(replace(MAIL, text=f"E-Mail: {told}"))
    assert [email.address for email in draft.emails] == addresses


def test_half_of_an_emoji_does_not_cost_the_lead() -> None:
    draft = read(replace(MAIL, text="Name: Jan \ud83d Koch", subject="\ud83d Probefahrt"))
    assert (draft.name.last, draft.subject) == ("Koch", "Probefahrt")


def test_of_candidates_counts_what_they_have_in_common() -> None:
    kind = TYPES.undecided(["6b", "6c"])
    assert (kind.configurator, kind.new_car, kind.product, kind.title) == (True, True, None, None)
    assert (kind.origin, kind.channel, kind.consent) == ("new_car_configurator", "form", "form")
    assert TYPES.undecided(["7a", "7e"]).urgency.more_urgent == "highest"
    assert TYPES.undecided(["3c", "3d"]).contract_expiry
    assert TYPES.undecided(["3c", "3d"]).consent == "none"
    assert TYPES.undecided(["3a", "3d"]).consent == "request"
    assert TYPES.undecided(["1e"]) is TYPES.read("1e")


LABELS = sorted(label for labels in _LABELS.values() for label in labels)
LINES = st.lists(
    st.tuples(st.sampled_from(LABELS), st.text(max_size=20)).map(": ".join) | st.text(max_size=20), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(
    lines=LINES, sender=st.sampled_from(["noreply@juhu.auto", "leadservice@bdk-bank.de"]), subject=st.text()
)
def test_any_mail_of_a_known_sender_is_a_lead(
    dealer: Any, lines: list[str], sender: str, subject: str
) -> None:
    draft = read(LeadMail(sender, "Kiel-1", subject, "\n".join(lines)))
    lead = place(draft, Origin("bdk", "a", AT), dealer)
    assert type(lead).model_validate_json(lead.to_json()) == lead
