"""Alfa-Track: lead types A1, parameters S11, what is kept, what is refused, and that nothing else happens."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leadbus.contracts.alfatrack import AlfaTrackLead
from leadbus.contracts.examples.alfatrack import ALFATRACK_LEADS
from leadbus.contracts.lead import Dealer, Lead
from normalizer.domain.draft import Draft
from normalizer.domain.identity import lead_id
from normalizer.domain.knowledge import Knowledge
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.alfatrack import read

AT = datetime(2026, 4, 14, 9, 30, tzinfo=UTC)
ORIGIN = Origin("alfatrack", "north", AT)
NORTH = Dealer(dealer_id="north", name="Север", country="RU", time_zone="Europe/Moscow")
JSON = "application/json"


def pushed(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def lead_with(type_: str = "form", /, **changes: Any) -> dict[str, Any]:
    merged = {**ALFATRACK_LEADS[type_], **changes}
    return {name: value for name, value in merged.items() if value is not None}


def draft_of(payload: Any) -> Draft:
    draft = read(pushed(payload), JSON)
    assert isinstance(draft, Draft)
    return draft


def placed(payload: Any) -> Lead:
    return place(draft_of(payload), ORIGIN, NORTH)


def warned(told: Draft) -> list[tuple[str, str]]:
    return [(warning.code, warning.field) for warning in told.warnings]


# id, types as the tracker may write them, channel, ground of consent
LEAD_TYPES = [
    ("A1-email", "email", ("email", "E-Mail"), "email", "request"),
    ("A1-form", "form", ("form", "Форма"), "form", "form"),
    ("A1-phone", "phone", ("phone", "телефон"), "phone", "request"),
    ("A1-chat", "chat", ("chat", "ЧАТ"), "chat", "request"),
    ("A1-offline", "offline", ("offline", "оффлайн", "офлайн"), "offline", "request"),
]


@pytest.mark.parametrize(
    ("case", "type_", "words", "channel", "basis"), LEAD_TYPES, ids=[row[0] for row in LEAD_TYPES]
)
def test_lead_types(case: str, type_: Any, words: Any, channel: Any, basis: Any) -> None:
    for word in words:
        draft = draft_of(lead_with(type_, type=word))
        assert draft.source_type == word
        assert draft.channel == channel
        assert "inquiry" in draft.intents
        assert draft.answer_expected
        assert (draft.consent.basis, draft.consent.purposes) == (basis, ("reply", "sales"))
        assert draft.warnings == ()


def test_a_type_that_nobody_knows_is_a_lead_with_a_warning() -> None:
    draft = draft_of(lead_with(type="messenger"))
    assert (draft.source_type, draft.channel) == ("messenger", "unknown")
    assert warned(draft) == [("type_unknown", "source_type")]


@pytest.mark.parametrize(
    ("case", "answered", "intents", "urgency"),
    [
        ("A1-phone-missed", False, ("inquiry", "callback"), "high"),
        ("A1-phone-answered", True, ("inquiry",), "normal"),
        ("A1-phone-untold", None, ("inquiry",), "normal"),
    ],
)
def test_a_missed_call_waits_for_one_back(case: str, answered: Any, intents: Any, urgency: Any) -> None:
    draft = draft_of(lead_with("phone", call={"answered": answered}))
    assert (draft.intents, draft.urgency) == (intents, urgency)


def test_a_missed_call_in_a_chat_is_none() -> None:
    assert draft_of(lead_with("chat", call={"answered": False})).intents == ("inquiry",)


def test_the_whole_lead_arrives() -> None:
    lead = placed(lead_with(unheard_of={"a": [1]}, client={**ALFATRACK_LEADS["form"]["client"], "vip": True}))
    assert lead.lead_id == lead_id("alfatrack", "north", "alfatrack", "AT-900317")
    assert [entry.source for entry in lead.ids] == ["Alfa-Track", "leadbus"]
    assert (lead.customer.name.first, lead.customer.name.last) == ("Мария", "Иванова")
    assert lead.customer.emails[0].address == "m.ivanova@example.ru"
    assert lead.customer.phones[0].e164 == "+74951234567"
    assert (lead.subject, lead.message) == ("Заявка с сайта", "Интересует тест-драйв в субботу.")
    assert lead.occurred_at == datetime(2026, 4, 14, 9, 6, 40, tzinfo=UTC)
    assert lead.detected_at == datetime(2026, 4, 14, 9, 7, 2, tzinfo=UTC)
    assert lead.consent.at == lead.occurred_at
    assert lead.extras == {
        "project.id": "4127",
        "project.name": "Автоцентр Север",
        "unheard_of.a.0": "1",
        "client.vip": "true",
    }
    assert not lead.test


def test_call_and_chat_arrive() -> None:
    call = placed(lead_with("phone")).call
    assert call is not None
    assert (call.answered, call.tracking_number) == (False, "+74951230000")
    lines = placed(lead_with("chat")).transcript
    assert [(line.speaker, line.text) for line in lines] == [
        ("customer", "Есть в наличии?"),
        ("agent", "Да, две машины."),
    ]


def test_the_project_is_the_place_and_may_be_a_number() -> None:
    draft = draft_of(lead_with(project={"id": 4127}))
    assert (draft.location, draft.location_field) == ("4127", "project.id")


@pytest.mark.parametrize(
    ("case", "changes", "minute"),
    [
        ("told", {}, 6),
        ("sent", {"occurred_at": None, "parameters": {"sent_at": "2026-04-14T09:05:00Z"}}, 5),
        ("call", {"occurred_at": None, "call": {"started_at": "2026-04-14T09:04:00Z"}}, 4),
        ("line", {"occurred_at": None, "transcript": [{"at": "2026-04-14T09:03:00Z", "text": "a"}]}, 3),
        ("sent without offset", {"occurred_at": None, "parameters": {"sent_at": "14.04.2026 09:05"}}, None),
        ("nowhere", {"occurred_at": None}, None),
    ],
)
def test_when_it_happened(case: str, changes: Any, minute: Any) -> None:
    occurred_at = draft_of(lead_with(**changes)).occurred_at
    assert (occurred_at and occurred_at.astimezone(UTC).minute) == minute


def test_a_clock_gone_wrong_is_kept_beside_the_lead() -> None:
    draft = draft_of(lead_with(occurred_at="0001-01-01T00:00:00Z", detected_at="2999-01-01T00:00:00Z"))
    assert (draft.occurred_at, draft.detected_at) == (None, None)
    assert draft.extras["occurred_at"].startswith("0001-01-01T")
    assert draft.extras["detected_at"].startswith("2999-01-01T")
    assert warned(draft) == [("time_implausible", "occurred_at"), ("time_implausible", "detected_at")]


@pytest.mark.parametrize(
    ("case", "changes", "message", "warnings"),
    [
        ("plain", {"message": "a < b & c"}, "a < b & c", []),
        ("html beside it", {"message": "a", "message_html": "<p>b</p>"}, "a", []),
        ("html alone", {"message": None, "message_html": "<p>a</p><p>b</p>"}, "a\n\nb", []),
        ("html in its place", {"message": "a<br>b"}, "a\nb", [("message_was_html", "message")]),
        ("nothing", {"message": " ", "message_html": "<p></p>"}, None, []),
    ],
)
def test_the_message_is_plain_text(case: str, changes: Any, message: Any, warnings: Any) -> None:
    draft = draft_of(lead_with(**changes))
    assert draft.message == message
    assert warned(draft) == warnings


def test_what_could_not_be_read_stands_beside_the_lead() -> None:
    draft = draft_of(lead_with(client={"name": ["A"], "email": "nobody", "phone": "-"}, call="busy"))
    assert draft.extras["client.name"] == '["A"]'
    assert draft.extras["call"] == "busy"
    assert warned(draft) == [
        ("value_unread", "customer.name"),
        ("value_unread", "call"),
        ("email_invalid", "customer.emails.0"),
    ]


# id, bytes, content type, reason, field, kind
CANNOT_BE = [
    ("AT1 no JSON", b"hello", JSON, "undecodable", None, None),
    ("AT1 nothing", b"", None, "undecodable", None, None),
    ("AT1 not UTF-8", b'{"event": "\xc3\x28"}', JSON, "undecodable", None, None),
    ("AT1 too deep", b"[" * 100_000, JSON, "undecodable", None, None),
    ("AT2 XML", b"<lead/>", "text/xml", "unsupported_type", "content_type", None),
    ("AT2 XML untold", b"<lead/>", None, "unsupported_type", "content_type", None),
    ("AT2 form", b"a=b", "application/x-www-form-urlencoded", "unsupported_type", "content_type", None),
    ("AT3 list", b"[]", JSON, "payload_invalid", None, "array"),
    ("AT3 empty", b"{}", JSON, "payload_invalid", "event", "missing"),
    ("AT3 event", b'{"event": "m.ivanova"}', JSON, "payload_invalid", "event", "string"),
    ("AT4 no id", pushed(lead_with(lead_id=None)), JSON, "payload_invalid", "lead_id", "missing"),
    ("AT5 no type", pushed(lead_with(type=None)), JSON, "payload_invalid", "type", "missing"),
    ("AT6 no project", pushed(lead_with(project=None)), JSON, "payload_invalid", "project", "missing"),
    (
        "AT6 project",
        pushed(lead_with(project={"id": []})),
        JSON,
        "payload_invalid",
        "project.id",
        "array",
    ),
    (
        "AT4 knowledge of nothing",
        b'{"event": "knowledge"}',
        JSON,
        "payload_invalid",
        "lead_id",
        "missing",
    ),
]


@pytest.mark.parametrize(
    ("case", "data", "content_type", "reason", "field", "kind"), CANNOT_BE, ids=[row[0] for row in CANNOT_BE]
)
def test_what_cannot_be_a_push(
    case: str, data: bytes, content_type: Any, reason: Any, field: Any, kind: Any
) -> None:
    with pytest.raises(Rejection) as caught:
        read(data, content_type)
    assert (caught.value.reason, caught.value.field, caught.value.kind) == (reason, field, kind)
    assert "ivanova" not in str(caught.value)


def test_marks_and_halves() -> None:
    payload = pushed(lead_with(subject="\ud83d a"))
    draft = read(codecs.BOM_UTF8 + payload, JSON)
    assert isinstance(draft, Draft)
    assert draft.subject == "\ufffd a"
    assert warned(draft) == [("half_surrogate", "raw")]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [*AlfaTrackLead.model_fields, "extra"]


@settings(max_examples=300, deadline=None)
@given(
    told=st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
    event=st.sampled_from(["lead", "knowledge"]),
)
@example(told={"lead_id": "1", "parameters": {"a\x00": {"b": 10**400}}}, event="knowledge")
def test_whatever_comes_is_read_or_refused(told: dict[str, Any], event: str) -> None:
    try:
        draft = read(
            pushed({"lead_id": "1", "type": "form", "project": {"id": "P"}} | told | {"event": event}), JSON
        )
    except Rejection:
        return
    assert isinstance(draft, Knowledge) == (event == "knowledge")
    if isinstance(draft, Draft):
        assert Lead.model_validate_json(place(draft, ORIGIN, NORTH).to_json())


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
@example(data=b'{"event": "lead", "lead_id": ' + b"9" * 5_000 + b"}")
@example(data=b'{"event": "knowledge", "lead_id": 1, "parameters": {"city": ' + b"9" * 5_000 + b"}}")
@example(data=b'{"event": "knowledge", "lead_id": 1, "x": ' + b"9" * 5_000 + b"}")
@example(data=b'{"event": "knowledge", "lead_id": 1, "parameters": {"city": 1e400}}')
@example(data=b'{"event": "knowledge", "lead_id": 1, "as_of": 1e400}')
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for content_type in (JSON, None):
        try:
            read(data, content_type)
        except Rejection:
            continue
