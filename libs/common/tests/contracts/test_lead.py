"""The canonical lead: what it accepts, what it refuses, and what its digest covers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts import Lead
from leadbus.contracts.examples.lead import LEAD
from leadbus.contracts.lead import Finance, Price, SourceId, Vehicle
from leadbus.contracts.vocabulary import Channel, Intent
from pydantic import ValidationError

_18_PARAMETERS = {
    "sent_at",
    "source",
    "traffic_type",
    "campaign",
    "ad_content",
    "keyword",
    "social_network",
    "full_referral_path",
    "city",
    "ip",
    "ga_client_id",
    "ym_client_id",
    "at_client_id",
    "page_path",
    "browser",
    "country",
    "device_category",
    "mailbox_address",
}


def lead(**changes: Any) -> Lead:
    return Lead.model_validate(LEAD | changes)


def test_wire_form_reads_back_equal() -> None:
    assert Lead.model_validate_json(lead().to_json()) == lead()
    assert Lead.model_validate(lead().wire()) == lead()


def test_unknown_fields_are_ignored_wherever_they_stand() -> None:
    newer = json.loads(lead().to_json())
    newer["mood"] = "curious"
    newer["customer"]["shoe_size"] = 43
    assert Lead.model_validate(newer) == lead()


def test_absent_and_null_say_the_same() -> None:
    assert lead(subject=None, finance=None) == lead()
    assert "subject" not in lead(subject=None).wire()


def test_is_immutable() -> None:
    with pytest.raises(ValidationError):
        lead().revision = 2  # type: ignore[misc]


def test_attribution_has_the_18_parameters_and_nothing_else() -> None:
    assert set(type(lead().attribution).model_fields) == _18_PARAMETERS | {"known_at"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("revision", 0),
        ("source", "facebook"),
        ("channel", "pigeon"),
        ("intents", ["inquiry", "world_peace"]),
        ("received_at", "2026-04-14T16:03:07"),
        ("occurred_at", datetime(2026, 4, 14)),  # noqa: DTZ001 - naive on purpose
        ("message", "a\x00b"),
        ("extras", {"a": "\x00"}),
        ("extras", {"a": 1}),
        ("vehicles", [{"wanted": True}, {"wanted": True}]),
        ("vehicles", [{"vin": "1M8GDM9AXKP04278"}]),
        ("vehicles", [{"vin": "1M8GDM9AXKPO42788"}]),
        ("finance", {"monthly": "NaN"}),
        ("contract", {"ends_on": "30.06.2026"}),
        ("ids", [{"source": "x", "value": ""}]),
    ],
)
def test_what_no_lead_may_say(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        lead(**{field: value})
    assert caught.value.errors()[0]["loc"][0] == field


def test_errors_do_not_quote_what_people_wrote() -> None:
    with pytest.raises(ValidationError) as caught:
        lead(subject={"secret": "Dana Whitfield"})
    assert "Dana" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_amount", "wire"),
    [("24990.00", "24990.00"), (24990, "24990"), (0.1, "0.1"), (Decimal("1E+5"), "100000"), ("-5.5", "-5.5")],
)
def test_money_is_a_plain_decimal_string_on_the_wire(given_amount: Any, wire: str) -> None:
    assert Price(amount=given_amount).wire()["amount"] == wire
    assert Finance(monthly=given_amount).wire()["monthly"] == wire


def test_intents_are_a_sorted_set() -> None:
    assert lead(intents=["quote", "inquiry", "quote"]).intents == ("inquiry", "quote")


def test_numbers_are_read_where_senders_write_them_for_text() -> None:
    assert Vehicle.model_validate({"year": 2024}).year == "2024"
    assert SourceId.model_validate({"source": "x", "value": 17}).value == "17"


_OTHER_DEALER_DATA = LEAD["dealer"] | {"phone": "+13125550000", "name": "Prairie Motors II"}


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": 9},
        {"lead_id": str(uuid4())},
        {"received_at": datetime(2030, 1, 1, tzinfo=UTC)},
        {"dealer": _OTHER_DEALER_DATA},
        {"links": [{"lead_id": str(uuid4()), "why": "same_person"}]},
        {"warnings": [{"code": "vin_check_digit", "field": "vehicles.0.vin"}]},
        {"erased": True},
        {"ids": LEAD["ids"][:2]},
        {"intents": ["inquiry", "inquiry"]},
        {"subject": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_digest_is_blind_to_what_we_added(changes: dict[str, Any]) -> None:
    assert lead(**changes).digest() == lead().digest()
    assert lead(**changes).changed_since(lead()) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"source_type": "TextToChat"},
        {"message": "Call me"},
        {"test": True},
        {"occurred_at": "2026-04-14T11:03:06-05:00"},
        {"dealer": LEAD["dealer"] | {"dealer_id": "lakeside-ford"}},
        {"ids": [*LEAD["ids"], {"source": "Portal", "value": "1"}]},
        {"consent": {"basis": "withdrawn"}},
        {"extras": {}},
        {"attribution": {"city": {"value": "Omsk", "as_of": "2026-04-14T16:00:00Z", "raw_id": "1"}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_digest_sees_what_the_source_told(changes: dict[str, Any]) -> None:
    assert lead(**changes).digest() != lead().digest()
    assert lead(**changes).changed_since(lead()) == (next(iter(changes)),)


def test_digest_takes_an_attribution_by_its_value_not_its_proof() -> None:
    first = {"city": {"value": "Omsk", "as_of": "2026-04-14T16:00:00Z", "raw_id": "1"}}
    again = {"city": {"value": "Omsk", "as_of": "2026-04-15T16:00:00Z", "raw_id": "2"}}
    assert lead(attribution=first).digest() == lead(attribution=again).digest()


def test_digest_is_the_same_tomorrow() -> None:
    assert lead().digest() == "d0148618d2cf27b7fda2e8b6995161842ca52cfc9f1313590d338804ed525ccc"


_TEXTS = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)


@settings(deadline=None)
@given(
    subject=_TEXTS,
    message=_TEXTS,
    channel=st.sampled_from(Channel.__args__),  # type: ignore[attr-defined]
    intents=st.lists(st.sampled_from(Intent.__args__)),  # type: ignore[attr-defined]
    occurred_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9),
    seconds=st.integers(0, 10**6),
)
def test_wire_form_and_digest_survive_the_way_there_and_back(
    subject: str | None,
    message: str | None,
    channel: str,
    intents: list[str],
    occurred_at: datetime | None,
    amount: Decimal,
    seconds: int,
) -> None:
    sent = lead(
        subject=subject,
        message=message,
        channel=channel,
        intents=intents,
        occurred_at=occurred_at,
        finance={"total": amount},
        received_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds),
    )
    arrived = Lead.model_validate_json(sent.to_json())
    assert arrived == sent
    assert arrived.digest() == sent.digest()
