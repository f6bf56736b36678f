"""CloudEvents on RabbitMQ: every accepted form, the emitted one, and the round trip between them."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.envelope import (
    DIRECT_ACCOUNT,
    Envelope,
    EnvelopeError,
    Properties,
    decode,
    encode,
    raw_attributes,
)
from leadbus.messages import IncomingMessage

NOON = datetime(2026, 4, 14, 12, 0, 0, 125000, tzinfo=UTC)
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "CAO-1",
    "source": "https://partner.example/leads",
    "type": "raw.contactatonce",
    "subject": "40217",
    "account": "prairie-group",
    "time": "2026-04-14T12:00:00.125Z",
}
EXPECTED = Envelope(
    id="CAO-1",
    source="https://partner.example/leads",
    type="raw.contactatonce",
    time=NOON,
    subject="40217",
    datacontenttype="application/json",
    extensions={"account": "prairie-group"},
    data=b'{"lead_id": "CAO-1"}',
)


def incoming(
    headers: dict[str, Any] | None = None,
    *,
    body: bytes = b'{"lead_id": "CAO-1"}',
    content_type: str | None = "application/json",
    routing_key: str = "raw.contactatonce",
    user_id: str | None = None,
    timestamp: datetime | None = None,
) -> IncomingMessage:
    return IncomingMessage(
        body=body,
        exchange="leadbus.raw",
        routing_key=routing_key,
        headers=headers or {},
        properties=Properties(content_type=content_type, timestamp=timestamp),
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
        user_id=user_id,
    )


def structured(event: dict[str, Any], **more: Any) -> IncomingMessage:
    more.setdefault("content_type", "application/cloudevents+json; charset=utf-8")
    return incoming(body=json.dumps(event).encode(), **more)


@pytest.mark.parametrize("prefix", ["cloudEvents_", "cloudEvents:", "ce-", "CE-", "cloudevents_"])
def test_binary_forms_say_the_same(prefix: str) -> None:
    headers = {f"{prefix}{name}": value for name, value in ATTRIBUTES.items()}
    assert decode(incoming(headers)) == EXPECTED


def test_structured_form_says_the_same_and_keeps_the_bytes_of_data() -> None:
    body = (
        b'{"specversion": "1.0", "id": "CAO-1", "source": "https://partner.example/leads", '
        b'"type": "raw.contactatonce", "subject": "40217", "account": "prairie-group", '
        b'"time": "2026-04-14T12:00:00.125Z", "datacontenttype": "application/json", '
        b'"data": {"lead_id":  "CAO-1", "price": 1.10} }'
    )
    message = incoming(body=body, content_type="Application/CloudEvents+JSON")
    found = decode(message)
    assert found.data == b'{"lead_id":  "CAO-1", "price": 1.10}'
    assert (found.id, found.time, found.extensions) == ("CAO-1", NOON, {"account": "prairie-group"})


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ({"data_base64": base64.b64encode(b"<lead>\xff</lead>").decode()}, b"<lead>\xff</lead>"),
        ({"data": "<lead/>", "datacontenttype": "application/xml"}, b"<lead/>"),
        ({"data": "text"}, b'"text"'),
        ({"data": {"a": [1, 2]}, "datacontenttype": "application/vnd.x+json"}, b'{"a": [1, 2]}'),
        ({"data": None}, b"null"),
        ({}, b""),
    ],
    ids=["base64", "xml text", "json string", "json suffix", "null", "absent"],
)
def test_structured_data(member: dict[str, Any], data: bytes) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", **member}
    assert decode(structured(event)).data == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-04-14T12:00:00.125Z", NOON),
        ("2026-04-14t14:00:00.125+02:00", NOON),
        ("2026-04-14T12:00:00.1250000009z", NOON),
        (int(NOON.timestamp() * 1000), NOON),
        (NOON.replace(microsecond=0), NOON.replace(microsecond=0)),
        (NOON.replace(tzinfo=None), NOON),
        (b"2026-04-14T12:00:00.125Z", NOON),
    ],
    ids=["string", "offset", "nanoseconds", "milliseconds", "amqp timestamp", "naive timestamp", "bytes"],
)
def test_time_in_every_form_senders_use(value: Any, expected: datetime) -> None:
    headers = {f"cloudEvents_{name}": each for name, each in ATTRIBUTES.items()} | {"cloudEvents_time": value}
    assert decode(incoming(headers)).time == expected


def test_native_values_become_canonical_strings() -> None:
    headers: dict[str, Any] = {f"cloudEvents_{name}": value for name, value in ATTRIBUTES.items()}
    headers |= {"cloudEvents_test": True, "cloudEvents_chunk": 7, "cloudEvents_snapshot": b"s-1"}
    headers |= {"cloudEvents_receivedat": NOON, "cloudEvents_trial": None}
    found = decode(incoming(headers))
    assert found.extensions == {
        "account": "prairie-group",
        "test": "true",
        "chunk": "7",
        "snapshot": "s-1",
        "receivedat": "2026-04-14T12:00:00.125000Z",
    }
    attributes = raw_attributes("contactatonce", found)
    assert (attributes.test, attributes.trial, attributes.chunk, attributes.received_at) == (
        True,
        False,
        7,
        NOON,
    )


def test_bare_body_is_known_by_its_digest_and_its_key() -> None:
    found = decode(incoming(body=b"<adf/>", content_type="text/xml", routing_key="raw.adf", timestamp=NOON))
    assert found.extensions == {"bare": "true"}
    assert (found.source, found.type, found.time, found.datacontenttype) == (
        "adf",
        "raw.adf",
        NOON,
        "text/xml",
    )
    assert found.id == decode(incoming(body=b"<adf/>", routing_key="raw.adf")).id
    assert found.id != decode(incoming(body=b"<adf/>", routing_key="raw.bdk")).id
    assert found.id != decode(incoming(body=b"<adf />", routing_key="raw.adf")).id


_CLOUD_EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}


@pytest.mark.parametrize(
    ("headers", "user_id", "account"),
    [
        ({"account": "h"}, "u", "h"),
        ({}, "u", "u"),
        ({}, None, None),
        (_CLOUD_EVENT | {"account": "h"}, "u", "h"),
        (_CLOUD_EVENT, "u", "u"),
        (_CLOUD_EVENT, None, None),
        (_CLOUD_EVENT | {"ce-account": "e", "account": "h"}, "u", "e"),
    ],
    ids=["header", "user", "none", "event, header", "event, user", "event, none", "event, extension"],
)
def test_account_is_what_is_named_else_who_the_broker_saw(
    headers: dict[str, str], user_id: str | None, account: str | None
) -> None:
    found = decode(incoming(headers, user_id=user_id))
    assert found.extensions.get("account") == account
    assert raw_attributes("contactatonce", found).account == (account or DIRECT_ACCOUNT)


@pytest.mark.parametrize("mark", ["true", "True", True, "1"])
def test_a_bare_body_may_be_marked_as_a_test(mark: object) -> None:
    marked, unmarked = decode(incoming({"test": mark})), decode(incoming({}))
    assert raw_attributes("contactatonce", marked).test
    assert not raw_attributes("contactatonce", unmarked).test
    assert marked.id != unmarked.id


@pytest.mark.parametrize("mark", ["perhaps", "", 7])
def test_a_mark_that_cannot_be_read_is_no_real_lead(mark: object) -> None:
    with pytest.raises(EnvelopeError, match="test"):
        raw_attributes("contactatonce", decode(incoming({"test": mark})))


@pytest.mark.parametrize("mark", ["true", True, "1", "On"])
def test_what_the_way_of_a_message_tells_of_it(mark: object) -> None:
    headers = _CLOUD_EVENT | {"ce-location": "D-1", "ce-locationalways": mark, "ce-letters": mark}
    told = raw_attributes("adf", decode(incoming(headers, routing_key="raw.adf")))
    assert (told.location, told.location_always, told.letters) == ("D-1", True, True)
    untold = raw_attributes("adf", decode(incoming(_CLOUD_EVENT, routing_key="raw.adf")))
    assert (untold.location, untold.location_always, untold.letters) == (None, False, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("location", ""), ("location", "x" * 201), ("locationalways", "perhaps"), ("letters", "7")],
)
def test_a_way_that_cannot_be_read(name: str, value: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        raw_attributes("adf", decode(incoming(_CLOUD_EVENT | {f"ce-{name}": value}, routing_key="raw.adf")))
    assert caught.value.field == name


def test_a_sender_cannot_call_its_event_bare() -> None:
    assert "bare" not in decode(incoming(_CLOUD_EVENT | {"ce-bare": "true"})).extensions


def test_nothing_is_read_from_headers_that_prove_nothing() -> None:
    headers = {
        "x-death": [{"queue": "a", "count": 7}],
        "x-cloudEvents_id": "forged",
        "reply_to": "somewhere",
        "account": "a",
    }
    assert decode(incoming(headers)).extensions == {"bare": "true", "account": "a"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"type": None}, "type"),
        ({"source": None}, "source"),
        ({"id": "x" * 256}, "id"),
        ({"id": "ü" * 200}, "id"),
        ({"id": "a\x00b"}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "a\ud800"}, "id"),
        ({"id": b"\xff\xfe"}, "id"),
        ({"id": {"nested": {"table": 1}}}, "id"),
        ({"id": [1, 2]}, "id"),
        ({"id": 1.5}, "id"),
        ({"subject": "x" * 100_000}, "subject"),
        ({"note": "x" * 5000}, "note"),
        ({"ID": "CAO-2"}, "id"),
        ({"my-own": "x"}, "headers"),
        ({"": "x"}, "headers"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-04-14T12:00:00"}, "time"),
        ({"time": "2026-02-30T12:00:00Z"}, "time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
        ({"time": 10**30}, "time"),
        ({"time": True}, "time"),
        ({"time": [1]}, "time"),
        ({f"e{n}": "x" for n in range(70)}, "headers"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_refused_and_where_it_says_so(change: dict[str, Any], field: str) -> None:
    headers = {f"cloudEvents_{name}": value for name, value in (ATTRIBUTES | change).items()}
    with pytest.raises(EnvelopeError) as caught:
        decode(incoming(headers))
    assert (caught.value.code, caught.value.field) == ("envelope_invalid", field)
    assert "CAO" not in str(caught.value)


def test_two_kinds_of_headers_are_refused_because_either_could_be_meant() -> None:
    headers = {f"cloudEvents_{name}": value for name, value in ATTRIBUTES.items()} | {"ce-id": "other"}
    with pytest.raises(EnvelopeError, match="two kinds"):
        decode(incoming(headers))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "undecodable"),
        (b"\xff\xfe{}", "undecodable"),
        (b"[1]", "undecodable"),
        (b'{"a": 1} {}', "undecodable"),
        (b'{"a": NaN}', "undecodable"),
        (b'{"id": "1", "id": "2"}', "undecodable"),
        (b'{"a": ' + b"[" * 100_000, "undecodable"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "undecodable"),
        (b'{1: "a"}', "undecodable"),
        (b"{}", "envelope_invalid"),
        (
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":""}',
            "envelope_invalid",
        ),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%%"}', "envelope_invalid"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":7}', "envelope_invalid"),
        (
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain",'
            b'"data":"\\ud800"}',
            "envelope_invalid",
        ),
    ],
)
def test_structured_bodies_that_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        decode(incoming(body=body, content_type="application/cloudevents+json"))
    assert caught.value.code == code


def test_a_batch_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="one event per message"):
        decode(incoming(body=b"[]", content_type="application/cloudevents-batch+json"))


def test_emitted_headers_are_strings_and_properties_repeat_them() -> None:
    envelope = Envelope(
        id="1",
        source="/normalizer",
        type="lead.received.v1",
        time=NOON.astimezone(timezone(timedelta(hours=-5))),
        datacontenttype="application/json",
        extensions={"correlationid": "c-1"},
        data=b"{}",
    )
    headers, properties = encode(envelope, app_id="normalizer")
    assert headers == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": "1",
        "cloudEvents_source": "/normalizer",
        "cloudEvents_type": "lead.received.v1",
        "cloudEvents_time": "2026-04-14T12:00:00.125000Z",
        "cloudEvents_correlationid": "c-1",
    }
    assert properties == Properties(
        content_type="application/json",
        message_id="1",
        correlation_id="c-1",
        timestamp=NOON,
        type="lead.received.v1",
        app_id="normalizer",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        Envelope(id="", source="s", type="t"),
        Envelope(id="a\r\nb", source="s", type="t"),
        Envelope(id="1", source="s", type="t", extensions={"Upper": "x"}),
        Envelope(id="1", source="s", type="t", extensions={"id": "x"}),
        Envelope(id="1", source="s", type="t", datacontenttype="a\x00"),
    ],
    ids=["empty id", "line break", "upper case", "reserved name", "content type"],
)
def test_what_no_receiver_would_accept_is_not_emitted(wrong: Envelope) -> None:
    with pytest.raises(EnvelopeError):
        encode(wrong)


@pytest.mark.parametrize("name", ["receivedat", "test", "chunk"])
def test_unreadable_raw_attributes_are_named(name: str) -> None:
    envelope = Envelope(id="1", source="s", type="t", extensions={name: "Ann O'Hara"})
    with pytest.raises(EnvelopeError) as caught:
        raw_attributes("contactatonce", envelope)
    assert caught.value.field == name
    assert "Ann" not in str(caught.value)


_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=60).filter(
    lambda text: len(text.encode()) <= 255
)
_EXTENSIONS = st.dictionaries(st.from_regex(r"x[a-z0-9]{0,20}", fullmatch=True), _TEXT, max_size=5)
_ENVELOPES = st.builds(
    Envelope,
    id=_TEXT,
    source=_TEXT,
    type=_TEXT,
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    subject=st.none() | _TEXT,
    datacontenttype=st.none() | st.sampled_from(["application/json", "text/xml; charset=utf-8"]),
    dataschema=st.none() | _TEXT,
    extensions=_EXTENSIONS,
    data=st.binary(max_size=200),
)


@settings(deadline=None)
@given(_ENVELOPES)
def test_round_trip(envelope: Envelope) -> None:
    headers, properties = encode(envelope)
    again = decode(incoming(headers, body=envelope.data, content_type=properties.content_type))
    assert again == envelope


_TABLE_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from([*ATTRIBUTES, "datacontenttype", "dataschema", "test", "receivedat", "x-y", "ID"])
_KEYS = (
    st.builds(str.__add__, st.sampled_from(["cloudEvents_", "cloudEvents:", "ce-", ""]), _NAMES) | st.text()
)


@settings(deadline=None)
@given(
    headers=st.dictionaries(_KEYS, _TABLE_VALUES, max_size=8),
    body=st.binary(max_size=50) | st.text(max_size=50).map(lambda text: text.encode(errors="replace")),
    content_type=st.none()
    | st.text()
    | st.sampled_from(["application/json", "application/cloudevents+json"]),
    routing_key=st.text() | st.just("raw.adf"),
    user_id=st.none() | st.text(),
)
def test_whatever_comes_only_an_envelope_error_escapes(
    headers: dict[str, Any], body: bytes, content_type: str | None, routing_key: str, user_id: str | None
) -> None:
    try:
        found = decode(
            incoming(headers, body=body, content_type=content_type, routing_key=routing_key, user_id=user_id)
        )
    except EnvelopeError:
        return
    assert found.id
    assert all("\x00" not in value for value in found.extensions.values())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ATTRIBUTES, "data", "data_base64", "datacontenttype"]), _JSON))
def test_whatever_is_structured_only_an_envelope_error_escapes(event: dict[str, Any]) -> None:
    with suppress(EnvelopeError):
        assert decode(structured(event)).id


@settings(deadline=None)
@given(_JSON)
def test_structured_json_data_keeps_its_meaning(data: Any) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": data}
    assert json.loads(decode(structured(event)).data) == data
