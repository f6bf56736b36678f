"""Foreign messages: what each becomes, that its neighbours do not notice, that nothing of it is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus import log
from leadbus.envelope import Properties
from leadbus.messages import IncomingMessage
from normalizer.domain import escaping
from normalizer.receiving import Limits, receive, receive_again

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIMITS = Limits(body_bytes=4_194_304)
FORGED_DEATH = [{"queue": "other", "reason": "expired", "count": 7, "time": NOW, "exchange": ""}]


def change(message: IncomingMessage, **attributes: Any) -> IncomingMessage:
    """The message with other attributes; `headers` are added."""
    return replace(message, **{**attributes, "headers": {**message.headers, **attributes.get("headers", {})}})


# id, what is odd, reason, field
FOREIGN = [
    ("F1", {"body": b"hello", "headers": {}}, "undecodable", None),
    ("F2", {"content_type": "text/html"}, "unsupported_type", "content_type"),
    ("F3", {"body": b"\x00\x00\x00"}, "undecodable", None),
    ("F4", {"body": b'{"a": "' + b"x" * 5_000_000 + b'"}'}, "too_large", "body"),
    ("F5", {"body": b'{"lead_id": "\xc3\x28"}'}, "undecodable", None),
    ("F6", {"headers": {"x-death": FORGED_DEATH}}, "foreign_message", "headers.x-death"),
    ("F7", {"reply_to": "amq.rabbitmq.reply-to"}, "foreign_message", "reply_to"),
    ("F8", {"headers": {"cloudEvents_id": "with\x00nul"}}, "envelope_invalid", "id"),
    ("F9", {"headers": {"cloudEvents_id": "x" * 300}}, "envelope_invalid", "id"),
    ("F10", {"headers": {"cloudEvents_specversion": "0.3"}}, "envelope_invalid", "specversion"),
    ("F11", {"routing_key": "raw.nobody"}, "source_unknown", "routing_key"),
    ("F12", {"routing_key": "normalizer.raw"}, "source_unknown", "routing_key"),
    ("F13", {"routing_key": "raw.dms"}, "source_unknown", None),
    ("F14", {"unreadable": "UnicodeDecodeError"}, "envelope_invalid", "properties"),
    ("F15", {"body": b"<!DOCTYPE lead><lead/>", "content_type": "text/xml"}, "xml_forbidden", None),
    ("F16", {"body": b"{}", "headers": {}}, "payload_invalid", "lead_type"),
    ("F18", {"headers": {"cloudEvents_account": "é" * 200}}, "envelope_invalid", "account"),
    ("F17", {"headers": {"cloudEvents_receivedat": "yesterday"}}, "envelope_invalid", "receivedat"),
]


def odd(message: Any, payload: Any, attributes: dict[str, Any]) -> IncomingMessage:
    body = attributes.pop("body", json.dumps(payload()).encode())
    content_type = attributes.pop("content_type", "application/json")
    bare = attributes.get("headers") == {}
    return change(message(body, None if bare else "foreign", content_type=content_type), **attributes)


@pytest.mark.parametrize(("case", "attributes", "reason", "field"), FOREIGN, ids=[row[0] for row in FOREIGN])
async def test_a_foreign_message_is_kept_with_its_reason(
    case: str, attributes: Any, reason: Any, field: Any, workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    foreign = odd(message, payload, dict(attributes))
    neighbours = [message(payload(lead_id=name), name) for name in ("before", "after")]
    await workshop.raw.handle([neighbours[0], foreign, neighbours[1]])
    assert len(await workshop.leads()) == 2
    (entry,) = await workshop.quarantined()
    assert (entry["reason"], entry["field"]) == (reason, field)
    (kept,) = await workshop.fetch("SELECT body FROM raw WHERE raw_key = $1", entry["raw_key"])
    assert kept["body"] == foreign.body
    quarantined = [event for event in await workshop.published() if event.type == "raw.quarantined.v1"]
    assert [event.data["reason"] for event in quarantined] == [reason]
    await workshop.raw.handle([foreign])
    assert [row["times"] for row in await workshop.quarantined()] == [1]


async def test_each_gets_one_line_that_holds_nothing_of_it(
    workshop: Any, payload: Any, message: Any, capfd: Any
) -> None:
    log.configure("normalizer", "INFO")
    await workshop.raw.handle(
        [message(payload(dealer={"id": "nowhere"}), "dana@example.com"), message(b"secret", str(UUID(int=2)))]
    )
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if '"raw.' in line]
    told = {line["reason"]: line.get("raw_id") for line in lines}
    assert told == {"location_unmapped": None, "undecodable": str(UUID(int=2))}
    assert not any(word in json.dumps(lines) for word in ("dana@", "secret", "Núñez", "3125550191"))


@pytest.mark.parametrize(
    ("told", "taken"), [("2026-03-02T08:00:00Z", NOW.replace(hour=8)), ("2126-03-02T08:00:00Z", NOW)]
)
def test_no_sender_was_at_our_door_in_the_future(
    told: str, taken: datetime, payload: Any, message: Any
) -> None:
    assert receive(message(payload(), receivedat=told), LIMITS, NOW).received_at == taken


def test_a_kept_message_is_told_again_as_it_came(payload: Any, message: Any) -> None:
    structured = {
        "specversion": "1.0",
        "id": "s-1",
        "source": "partner",
        "type": "raw.contactatonce",
        "account": "partner-account",
        "data": payload(),
    }
    came = replace(
        message(json.dumps(structured).encode(), None),
        headers={},
        properties=Properties(content_type="application/cloudevents+json"),
    )
    raw = receive(came, LIMITS, NOW)
    assert (raw.wire_id, raw.account, raw.rejection) == ("s-1", "partner-account", None)
    assert json.loads(raw.data) == payload()
    assert raw.body == came.body
    again = receive_again(replace(raw, data=raw.body, content_type=None), LIMITS)
    assert again == raw


def test_a_person_who_replays_vouches_for_a_foreign_message(payload: Any, message: Any) -> None:
    raw = receive(change(message(payload()), reply_to="q", headers={"x-death": FORGED_DEATH}), LIMITS, NOW)
    assert raw.rejection is not None
    assert receive_again(raw, LIMITS).rejection is None
    still = receive_again(raw, Limits(body_bytes=10)).rejection
    assert still is not None
    assert still.reason == "too_large"


amqp_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
    | st.decimals(allow_nan=False).map(Decimal),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), amqp_values, max_size=5))
def test_headers_come_back_as_they_were(headers: Any) -> None:
    text = escaping.dump(headers)
    assert "\\u0000" not in text
    json.dumps(json.loads(text), ensure_ascii=False).encode()  # raises for what jsonb would refuse
    assert escaping.load(text) == headers


def test_headers_that_look_like_our_escapes_come_back_too() -> None:
    headers = {"$bytes": "not base64", "nested": {"$table": 1, "x": {"$time": "never"}}}
    assert escaping.load(escaping.dump(headers)) == headers


def test_headers_nested_without_end_are_left_out(payload: Any, message: Any) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    raw = receive(change(message(payload()), headers={"deep": deep}), LIMITS, NOW)
    assert json.loads(raw.attributes)["headers_left_out"] == "nested too deep"
    assert raw.rejection is None
