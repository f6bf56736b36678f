"""RB1–RB14: what adf-mailer sends, the readers of normalizer take for the same lead, in every form."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain.crm_profiles import PROFILES
from adf_mailer.domain.letter import write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import AdfRoute, Route
from leadbus.contracts import Lead
from normalizer.domain.draft import Draft
from normalizer.domain.phones import read_phone
from normalizer.sources.adf import read_all, split
from normalizer.sources.adf.mail import read_mail

GOLDEN = Path(__file__).resolve().parents[2] / "services" / "adf-mailer" / "tests" / "golden"
MAIL = "message/rfc822"
PROFILE_NAMES = [pytest.param(name, id=f"RB{number}-{name}") for number, name in enumerate(PROFILES, start=1)]
FOUR = ["chat", "click_for_call_back", "text_to_chat", "tracked_call"]


def draft_of(raw: bytes) -> Draft:
    assert split(raw, MAIL) == ()
    (draft,) = read_all(raw, MAIL)
    assert isinstance(draft, Draft)
    return draft


def lead_of(kind: str) -> Lead:
    return Lead.model_validate(json.loads((GOLDEN / f"{kind}.json").read_text("utf-8")))


def numbers(draft: Draft, lead: Lead) -> list[str | None]:
    """As normalizer reads them for a dealer of that country."""
    return [read_phone(phone.raw, lead.dealer.country).e164 for phone in draft.phones]


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_a_golden_mail_is_one_document_that_needs_no_repair(name: str) -> None:
    raw = (GOLDEN / f"{name}.eml").read_bytes()
    mail = read_mail(raw)
    assert (len(mail.adf), mail.automatic) == (1, False)
    assert draft_of(raw).warnings == ()


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_every_form_tells_the_same_lead(name: str) -> None:
    plain = draft_of((GOLDEN / "default.eml").read_bytes())
    draft = draft_of((GOLDEN / f"{name}.eml").read_bytes())
    if name == "extended":
        assert (draft.language, draft.extras["leadtype"]) == ("de", "Chat")
        extras = {key: value for key, value in draft.extras.items() if key != "leadtype"}
        draft = replace(draft, language=plain.language, extras=extras)
    assert draft == plain


@pytest.mark.parametrize("layout", ["attachment", "multipart"])
def test_rb14_words_beside_the_document_are_in_nobodys_way_in_another_alphabet(layout: str) -> None:
    plain, other = (
        Route("r", AdfRoute(dealer="d", address="a@x.example", language="ru", form=form))
        for form in (None, {"layout": layout})
    )
    lead = lead_of("chat")
    raws = [
        write(
            lead,
            route,
            status="new",
            date=datetime(2026, 4, 14, tzinfo=UTC),
            letterhead=Letterhead("leads@leadbus.example"),
            key="k",
        ).mail.raw
        for route in (plain, other)
    ]

    assert b"Content-Transfer-Encoding: quoted-printable" in raws[1]
    assert draft_of(raws[1]) == draft_of(raws[0])


@pytest.mark.parametrize("kind", ["rich", *FOUR])
def test_the_lead_that_was_sent_comes_back(kind: str) -> None:
    lead = lead_of(kind)
    raw = (GOLDEN / f"{'default' if kind == 'rich' else kind}.eml").read_bytes()
    draft = draft_of(raw)

    assert [(one.source, one.value, one.sequence) for one in draft.ids] == [
        (one.source, one.value, one.sequence) for one in lead.ids
    ]
    assert (draft.issuer, draft.external_id) == (lead.ids[0].source, lead.ids[0].value)
    assert (draft.source_type, draft.channel) == (lead.source_type, lead.channel)
    assert draft.extras["provider.name"] == "ContactAtOnce!"
    assert draft.occurred_at == lead.occurred_at
    assert draft.location == lead.dealer.name
    assert [one.address for one in draft.emails] == [one.address for one in lead.customer.emails]
    assert numbers(draft, lead) == [one.e164 for one in lead.customer.phones]
    if lead.customer.name.last:
        assert (draft.name.first, draft.name.last) == (lead.customer.name.first, lead.customer.name.last)
    assert [address.street for address in draft.addresses] == [one.street for one in lead.customer.addresses]
    assert_vehicles(draft, lead)
    assert_words(draft, lead)


def assert_vehicles(draft: Draft, lead: Lead) -> None:
    if not lead.vehicles:
        # ADF cannot be without a vehicle: an empty one, which is written as a new one.
        (empty,) = draft.vehicles
        assert empty.model_dump(exclude_defaults=True) == {"status": "new", "wanted": True}
        return
    fields = ("interest", "status", "wanted", "year", "make", "model", "trim", "stock", "vin", "url")
    expected: list[Any] = sorted(lead.vehicles, key=lambda one: not one.wanted)
    assert [[getattr(one, field) for field in fields] for one in draft.vehicles] == [
        [getattr(one, field) for field in fields] for one in expected
    ]
    for one, other in zip(draft.vehicles, expected, strict=True):
        assert (other.comments or "") in (one.comments or "")
        assert [(price.kind, price.amount, price.currency) for price in one.prices] == [
            (price.kind, price.amount, price.currency) for price in other.prices
        ]
        assert one.odometer == other.odometer
        assert [(colour.interior, colour.exterior) for colour in one.colours] == [
            (colour.interior, colour.exterior) for colour in other.colours
        ]


def assert_words(draft: Draft, lead: Lead) -> None:
    """Message, transcript and recording are in what a salesperson reads, word by word."""
    said = (draft.message or "").split()
    assert " ".join((lead.message or "").split()) in " ".join(said)
    for line in lead.transcript:
        assert " ".join(line.text.split()) in " ".join(said)
    if lead.call:
        assert draft.call is not None
        assert draft.call.recording_url == lead.call.recording_url
        assert draft.call.duration_seconds == lead.call.duration_seconds


@pytest.mark.parametrize("wanted", ["e164", "national", "international"])
def test_numbers_come_back_from_every_format(wanted: str) -> None:
    lead = lead_of("rich")
    # A German number in German form is not to be read in Illinois, as nobody there could dial it.
    phones = tuple(one for one in lead.customer.phones if wanted != "national" or "+1" in (one.e164 or ""))
    lead = lead.model_copy(update={"customer": lead.customer.model_copy(update={"phones": phones})})
    spec = {"dealer": lead.dealer.dealer_id, "address": "a@b.example", "form": {"phone_format": wanted}}
    raw = write(
        lead,
        Route("r", AdfRoute.model_validate(spec)),
        status="new",
        date=datetime(2026, 4, 14, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key="k",
    ).mail.raw
    assert numbers(draft_of(raw), lead) == [one.e164 for one in phones]
