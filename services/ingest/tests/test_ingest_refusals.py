"""Bad input: every kind gets its answer as a problem document, and nothing of it is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ingest import metrics
from ingest.domain.refusal import Reason

KIB = 1024
LIMIT = 2 * KIB
UNKNOWN_KEY = "lbk_" + "a" * 11 + "_" + "b" * 43


@dataclass(frozen=True)
class Bad:
    """One row of the README's table."""

    status: int
    reason: Reason | None
    body: bytes = b"{}"
    content_type: str | None = "application/json"
    source: str = "contactatonce"
    key_of: str | None = "contactatonce"
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    position: tuple[int, int, int] | None = None
    setting: Mapping[str, Any] = field(default_factory=dict)


TABLE = {
    "no_key": Bad(401, Reason.KEY_MISSING, key=""),
    "no_key_and_unknown_source": Bad(404, Reason.UNKNOWN_SOURCE, key="", source="nosuch"),
    "text_that_is_no_key": Bad(401, Reason.KEY_INVALID, key="secret"),
    "unknown_key": Bad(401, Reason.KEY_INVALID, key=UNKNOWN_KEY),
    "basic_credentials": Bad(401, Reason.KEY_MISSING, key="", headers={"Authorization": "Basic YTpi"}),
    "operator_token": Bad(401, Reason.KEY_INVALID, key="", headers={"Authorization": "Bearer a.b.c"}),
    "key_of_another_source": Bad(403, Reason.KEY_OF_OTHER_SOURCE, source="adf"),
    "unknown_source": Bad(404, Reason.UNKNOWN_SOURCE, source="nosuch"),
    "source_in_capitals": Bad(404, Reason.UNKNOWN_SOURCE, source="ContactAtOnce"),
    "source_that_does_not_push": Bad(404, Reason.UNKNOWN_SOURCE, source="dms"),
    "disabled_source": Bad(403, Reason.SOURCE_DISABLED, setting={"enabled": False}),
    "account_not_served": Bad(403, Reason.ACCOUNT_NOT_SERVED, setting={"accounts": ["other"]}),
    "test_not_allowed": Bad(403, Reason.TEST_NOT_ALLOWED, query="?test=true", setting={"allow_test": False}),
    "declared_too_large": Bad(413, Reason.TOO_LARGE, body=b"[" + b" " * LIMIT + b"]"),
    "declared_too_large_by_the_setting": Bad(
        413, Reason.TOO_LARGE, body=b"[" + b" " * KIB + b"]", setting={"max_body_bytes": KIB}
    ),
    "no_content_type": Bad(415, Reason.UNSUPPORTED_TYPE, content_type=None),
    "text": Bad(415, Reason.UNSUPPORTED_TYPE, content_type="text/plain"),
    "form": Bad(415, Reason.UNSUPPORTED_TYPE, content_type="application/x-www-form-urlencoded"),
    "cloudevent": Bad(415, Reason.UNSUPPORTED_TYPE, content_type="application/cloudevents+json"),
    "compressed": Bad(415, Reason.UNSUPPORTED_TYPE, headers={"Content-Encoding": "gzip"}),
    "empty_body": Bad(400, Reason.NOT_JSON, body=b"", position=(1, 1, 0)),
    "not_json": Bad(400, Reason.NOT_JSON, body=b'{"a": 1,\n "b": }', position=(2, 7, 15)),
    "xml_sent_as_json": Bad(400, Reason.NOT_JSON, body=b"<lead/>", position=(1, 1, 0)),
    "json_sent_as_xml": Bad(400, Reason.NOT_XML, content_type="text/xml", position=(1, 1, 0)),
    "nan": Bad(400, Reason.NOT_JSON, body=b'{"a": NaN}', position=(1, 7, 6)),
    "repeated_name": Bad(400, Reason.NOT_JSON, body=b'{"a": 1, "a": 2}', position=(1, 10, 9)),
    "invalid_utf8": Bad(400, Reason.NOT_JSON, body=b'{"a": "\xff"}', position=(1, 8, 7)),
    "utf16_json": Bad(400, Reason.NOT_JSON, body="{}".encode("utf-16"), position=(1, 1, 0)),
    "deep_json": Bad(400, Reason.TOO_DEEP, body=b"[" * 101 + b"]" * 101, position=(1, 101, 100)),
    "not_xml": Bad(400, Reason.NOT_XML, body=b"<a>\n<b></a>", content_type="text/xml", position=(2, 6, 9)),
    "deep_xml": Bad(400, Reason.TOO_DEEP, body=b"<a>" * 101, content_type="text/xml", position=(1, 301, 300)),
    "doctype": Bad(
        400,
        Reason.XML_FORBIDDEN,
        body=b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        content_type="application/xml",
        position=(1, 13, 12),
    ),
    "entity": Bad(
        400, Reason.XML_FORBIDDEN, body=b"<a>&x;</a>", content_type="application/adf+xml", position=(1, 4, 3)
    ),
    "long_idempotency_key": Bad(400, Reason.HEADER_INVALID, headers={"Idempotency-Key": "k" * 256}),
    "empty_idempotency_key": Bad(400, Reason.HEADER_INVALID, headers={"Idempotency-Key": ""}),
    "query_that_is_no_boolean": Bad(422, None, query="?validate=perhaps"),
}


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"raw_body_limit_bytes": LIMIT, "raw_body_timeout_seconds": 0.3}


@pytest.mark.parametrize("rehearsed", [False, True], ids=["brought", "rehearsed"])
@pytest.mark.parametrize("case", TABLE)
async def test_bad_input(ingest: Any, case: str, *, rehearsed: bool) -> None:
    bad = TABLE[case]
    key = await ingest.key(bad.key_of) if bad.key is None else bad.key
    if bad.setting:
        await ingest.set_up(**bad.setting)
    headers = {**bad.headers, **({"X-Api-Key": key} if key else {})}
    if bad.content_type:
        headers["Content-Type"] = bad.content_type
    query = f"{bad.query or '?'}&validate=true" if rehearsed and bad.reason else bad.query
    counted = _refused(bad)

    answer = await ingest.http.post(f"/v1/raw/{bad.source}{query}", content=bad.body, headers=headers)

    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"].startswith("https://leadbus.dev/problems/")
    assert problem["status"] == bad.status
    if bad.reason:
        assert problem["code"] == bad.reason.value
        assert problem["detail"]
        assert _refused(bad) == counted + 1
    if bad.position:
        line, column, byte = bad.position
        assert problem["position"] == {"line": line, "column": column, "byte": byte}
    if bad.status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert [await ingest.count(table) for table in ("raw", "outbox", "idempotency_key")] == [0, 0, 0]


def _refused(bad: Bad) -> float:
    if bad.reason is None:
        return 0
    if bad.reason is Reason.TEST_NOT_ALLOWED:
        return float(metrics.TESTS.labels(source=bad.source, outcome="refused")._value.get())
    known = bad.source in {"contactatonce", "adf"}
    series = metrics.REFUSED.labels(source=bad.source if known else metrics.NO_SOURCE, reason=bad.reason)
    return float(series._value.get())


def test_every_reason_has_a_row() -> None:
    elsewhere = {Reason.KEY_REUSED, Reason.TOO_SLOW, Reason.INCOMPLETE}
    assert {bad.reason for bad in TABLE.values() if bad.reason} | elsewhere == set(Reason)


async def test_two_idempotency_keys(ingest: Any) -> None:
    key = await ingest.key()
    answer = await ingest.http.post(
        "/v1/raw/contactatonce",
        content=b"{}",
        headers=[
            ("X-Api-Key", key),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "a"),
            ("Idempotency-Key", "a"),
        ],
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "header_invalid")


@pytest.mark.parametrize("source", ["nosuch", "nosuch2", "other", "unknown"])
async def test_a_test_for_a_source_that_is_not_there_is_counted_under_one_name(
    ingest: Any, source: str
) -> None:
    """Refused tests by source; a label outside its set would be counted as `other`, with a warning."""

    def refused() -> dict[str, float]:
        series = (one for metric in metrics.TESTS._series.collect() for one in metric.samples)
        return {one.labels["source"]: one.value for one in series if one.labels["outcome"] == "refused"}

    before = refused()
    answer = await ingest.http.post(f"/v1/raw/{source}?test=true", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_source")
    assert refused() == before | {metrics.NO_SOURCE: before.get(metrics.NO_SOURCE, 0) + 1}


async def test_refusals_do_not_repeat_what_was_sent(ingest: Any) -> None:
    for body, content_type in [
        (b'{"name": "Ann Sample" "', "application/json"),
        (b'{"name": 1, "Ann Sample": 2, "Ann Sample": 3}', "application/json"),
        (b"<lead><name>Ann Sample</lead>", "text/xml"),
        (b"<!DOCTYPE AnnSample><a/>", "text/xml"),
        (b'{"lead_type": "Ann Sample"}', "text/Ann Sample"),
    ]:
        answer = await ingest.bring(body, content_type)
        assert answer.status_code in (400, 415)
        assert "Sample" not in answer.text


async def test_rehearsed_payload_faults_do_not_repeat_values(ingest: Any) -> None:
    body = (
        b'{"lead_type": "Ann Sample", "lead_id": ["Ann Sample"], "occurred_at": "Ann Sample", "dealer": {}}'
    )
    answer = await ingest.bring(body, query="?validate=true")
    assert len(answer.json()["payload"]["faults"]) == 3
    assert "Sample" not in answer.text
    warned = await ingest.bring(
        b'{"lead_type": "Chat", "lead_id": "1", "dealer": {"id": "1"}, "occurred_at": "Ann Sample",'
        b' "customer": "Ann Sample"}',
        query="?validate=true",
    )
    assert len(warned.json()["payload"]["warnings"]) == 2
    assert "Sample" not in warned.text


async def test_undeclared_size_is_counted_while_it_comes(ingest: Any) -> None:
    sender = Sender(ingest.app, await ingest.key(), [b" " * KIB] * 100)
    await sender.send()
    assert (sender.status, sender.problem["code"], sender.problem["limit_bytes"]) == (413, "too_large", LIMIT)
    assert sender.sent_bytes <= LIMIT + KIB
    assert await ingest.count("raw") == 0


async def test_a_body_that_does_not_end_in_time(ingest: Any) -> None:
    sender = Sender(ingest.app, await ingest.key(), [b"{", STALL])
    await sender.send()
    assert (sender.status, sender.problem["code"]) == (408, "too_slow")
    assert await ingest.count("raw") == 0


async def test_a_sender_that_goes_away_leaves_nothing(ingest: Any) -> None:
    sender = Sender(ingest.app, await ingest.key(), [b"{}", GONE])
    await sender.send()
    assert (sender.status, sender.problem["code"]) == (400, "incomplete")
    assert await ingest.count("raw") == 0


STALL, GONE = object(), object()


class Sender:
    """A sender that does what an HTTP client library would not let us do."""

    def __init__(self, app: Any, key: str, pieces: list[Any]) -> None:
        self._app = app
        self._pieces = iter(pieces)
        self._headers = [(b"x-api-key", key.encode()), (b"content-type", b"application/json")]
        self.sent_bytes = 0
        self.status = 0
        self.problem: dict[str, Any] = {}

    async def send(self) -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/raw/contactatonce",
            "query_string": b"",
            "headers": self._headers,
        }
        await self._app(scope, self._receive, self._answered)

    async def _receive(self) -> dict[str, Any]:
        piece = next(self._pieces, b"")
        if piece is GONE:
            return {"type": "http.disconnect"}
        if piece is STALL:
            await asyncio.Event().wait()
        self.sent_bytes += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def _answered(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.problem = json.loads(message["body"])
