"""Tokens of opt-in links: what they are for, and every way in which they are none of ours."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.lead import Customer, Dealer, Email, Lead, Phone
from normalizer.domain.opt_in import PURPOSES, LinkRefusedError, OptInLinks, words_of

NOW = datetime(2026, 4, 14, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
LINKS = OptInLinks(b"the key of these tests, 32 bytes and more")
LEAD = Lead(
    lead_id=UUID("6f9c1e0a-0000-4000-8000-000000000001"),
    revision=1,
    source="virtualexpo",
    account="directindustry",
    source_type="visit",
    channel="visit",
    received_at=NOW,
    dealer=Dealer(dealer_id="hoffmann", name="Hoffmann & Söhne", locale="de-DE"),
    customer=Customer(
        emails=(Email(address="Ann@example.org", raw="Ann@example.org"),),
        phones=(Phone(e164="+15550100123", raw="555"),),
    ),
    extras={},
)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_link_is_for_one_purpose_and_one_address_of_one_lead(purpose: Any) -> None:
    opt_in = LINKS.read(LINKS.make(LEAD, purpose, LATER), NOW)
    assert (opt_in.lead_id, opt_in.purpose) == (LEAD.lead_id, purpose)
    assert LINKS.contact_of(opt_in, LEAD) == "mailto:ann@example.org"


def test_a_link_names_nobody_and_fits_into_a_line_of_a_mail() -> None:
    token = LINKS.make(LEAD, "nurture", LATER)
    told = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert len(token) <= 70
    assert not {b"ann", b"example", b"5550100123"} & {told[i : i + n] for n in (3, 7, 10) for i in range(60)}


def test_it_is_refused_after_its_time() -> None:
    token = LINKS.make(LEAD, "nurture", LATER)
    LINKS.read(token, LATER - timedelta(seconds=1))
    with pytest.raises(LinkRefusedError) as refused:
        LINKS.read(token, LATER)
    assert refused.value.expired


def test_it_is_no_use_once_the_address_is_another() -> None:
    opt_in = LINKS.read(LINKS.make(LEAD, "nurture", LATER), NOW)
    moved = LEAD.model_copy(update={"customer": Customer(emails=(Email(address="b@example.org", raw="b"),))})
    assert LINKS.contact_of(opt_in, moved) is None


def test_another_key_makes_other_links() -> None:
    other = OptInLinks(b"another key of these tests, also 32 bytes+")
    with pytest.raises(LinkRefusedError):
        other.read(LINKS.make(LEAD, "nurture", LATER), NOW)


def test_one_bit_changed_is_another_link() -> None:
    token = LINKS.make(LEAD, "nurture", LATER)
    whole = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(LinkRefusedError) as refused:
            LINKS.read(base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("="), NOW)
        assert not refused.value.expired


@settings(max_examples=300, deadline=None)
@given(token=st.text(max_size=120) | st.text(alphabet="ABCabc019-_=", max_size=80))
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(LinkRefusedError):
        LINKS.read(token, NOW)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("de-DE", "Ja, Hoffmann & Söhne darf mich zu seinen Produkten und Leistungen ansprechen."),
        ("fr-FR", "Oui, Hoffmann & Söhne peut me contacter au sujet de ses produits et services."),
        ("ru-RU", "Yes, Hoffmann & Söhne may contact me about its products and services."),
        (None, "Yes, Hoffmann & Söhne may contact me about its products and services."),
    ],
)
def test_the_words_are_in_the_dealers_language_where_there_are_some(locale: Any, words: str) -> None:
    dealer = LEAD.dealer.model_copy(update={"locale": locale})
    assert words_of("nurture", LEAD.model_copy(update={"dealer": dealer})) == words


def test_a_short_key_is_none() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        OptInLinks(b"short")


def test_the_key_is_not_shown() -> None:
    assert "the key" not in repr(LINKS)
