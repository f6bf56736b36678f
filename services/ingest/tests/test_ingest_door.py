"""The door over HTTP on a real database: what is taken, what is said, what is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus import metrics
from leadbus.contracts.examples import CONTACTATONCE, CONTACTATONCE_XML

CHAT = json.dumps(CONTACTATONCE["Chat"]).encode()


async def test_taken_is_stored_with_its_message_in_the_outbox(ingest: Any) -> None:
    answer = await ingest.bring(CHAT, "application/json; charset=utf-8", headers={"Idempotency-Key": "k-1"})

    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == told["links"]["self"] == f"/v1/raw/{told['raw_id']}"
    assert told == {
        "raw_id": told["raw_id"],
        "status": "accepted",
        "duplicate": False,
        "duplicate_by": None,
        "source": "contactatonce",
        "account": "main",
        "test": False,
        "accepted_at": "2026-03-02T09:00:00Z",
        "digest": f"sha256:{hashlib.sha256(CHAT).hexdigest()}",
        "size_bytes": len(CHAT),
        "links": {"self": f"/v1/raw/{told['raw_id']}"},
    }
    (row,) = await ingest.rows("SELECT * FROM raw")
    assert (str(row["raw_id"]), row["body"], row["published_at"]) == (told["raw_id"], CHAT, None)
    (message,) = await ingest.rows("SELECT * FROM outbox")
    assert (message["exchange"], message["routing_key"]) == ("leadbus.raw", "raw.contactatonce")
    assert (message["subject"], message["body"], message["mandatory"]) == (told["raw_id"], CHAT, True)
    headers = json.loads(message["headers"])
    assert headers["cloudEvents_id"] == told["raw_id"]
    assert headers["cloudEvents_account"] == "main"
    assert headers["cloudEvents_receivedat"] == "2026-03-02T09:00:00+00:00"
    assert "cloudEvents_test" not in headers
    assert json.loads(message["properties"])["content_type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (CONTACTATONCE_XML.encode(), "application/xml"),
        (b'<?xml version="1.0" encoding="windows-1251"?><a>\xcf</a>', "text/xml"),
        ("<?xml version='1.0' encoding='utf-16'?><a>é</a>".encode("utf-16"), "application/adf+xml"),
        (b'\xef\xbb\xbf{"a": "\\ud83d"}\r\n', "application/vnd.x+json"),
        (b"  [1,2 ]  ", "application/json"),
    ],
)
async def test_bytes_are_kept_as_they_came(ingest: Any, body: bytes, content_type: str) -> None:
    answer = await ingest.bring(body, content_type)
    assert answer.status_code == 202, answer.text
    raw_id = answer.json()["raw_id"]
    (row,) = await ingest.rows("SELECT body, content_type FROM raw")
    assert (row["body"], row["content_type"]) == (body, content_type)
    seen = await ingest.http.get(f"/v1/raw/{raw_id}/body", headers=ingest.token("operator"))
    assert seen.content == body


async def test_key_in_the_authorization_header(ingest: Any) -> None:
    key = await ingest.key()
    answer = await ingest.http.post(
        "/v1/raw/contactatonce",
        content=b"{}",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 202


async def test_test_messages_are_marked(ingest: Any) -> None:
    answer = await ingest.bring(query="?test=true")
    assert answer.json()["test"] is True
    (message,) = await ingest.rows("SELECT headers FROM outbox")
    assert json.loads(message["headers"])["cloudEvents_test"] == "true"


async def test_test_messages_count_in_no_figure(ingest: Any) -> None:
    names = ("leadbus_raw_accepted_total", "leadbus_raw_accept_seconds_count", "leadbus_raw_duplicates_total")

    def figures() -> list[float]:
        samples = [each for metric in metrics.REGISTRY.collect() for each in metric.samples]
        return [sum(each.value for each in samples if each.name == name) for name in names]

    before = figures()
    assert (await ingest.bring(query="?test=true")).status_code == 202
    assert (await ingest.bring(query="?test=true")).json()["duplicate"] is True
    assert (await ingest.bring(b"{", query="?test=true")).status_code == 400
    assert figures() == before
    for outcome in ("accepted", "duplicate", "refused"):
        labels = {"source": "contactatonce", "outcome": outcome}
        assert metrics.REGISTRY.get_sample_value("leadbus_raw_test_requests_total", labels)


async def test_trace_goes_with_the_message(ingest: Any) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await ingest.bring(b"1", headers={"traceparent": trace, "X-Correlation-Id": "from-the-sender"})
    await ingest.bring(b"2", headers={"traceparent": "<script>"})
    first, second = await ingest.rows("SELECT headers FROM outbox ORDER BY id")
    assert json.loads(first["headers"])["cloudEvents_traceparent"] == trace
    assert json.loads(first["headers"])["cloudEvents_correlationid"] == "from-the-sender"
    assert "cloudEvents_traceparent" not in json.loads(second["headers"])


async def test_same_key_same_body_is_the_first_answer_again(ingest: Any) -> None:
    first = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-1"})
    ingest.clock.advance(timedelta(days=3).total_seconds())
    again = await ingest.bring(CHAT, headers={"Idempotency-Key": '"k-1"'})
    assert again.status_code == first.status_code == 202
    assert again.json() == {**first.json(), "duplicate": True, "duplicate_by": "idempotency_key"}
    assert (await ingest.count("raw"), await ingest.count("outbox")) == (1, 1)


async def test_same_key_other_body_is_a_conflict(ingest: Any) -> None:
    first = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-1"})
    other = await ingest.bring(CHAT + b" ", headers={"Idempotency-Key": "k-1"})
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"
    problem = other.json()
    assert (problem["code"], problem["raw_id"]) == ("idempotency_key_reused", first.json()["raw_id"])
    assert await ingest.count("raw") == 1


async def test_keys_of_two_accounts_do_not_meet(ingest: Any) -> None:
    for account in ("main", "second"):
        key = await ingest.key(account=account)
        answer = await ingest.bring(CHAT, key=key, headers={"Idempotency-Key": "k-1"})
        assert answer.json()["duplicate"] is False
    assert await ingest.count("raw") == 2


async def test_same_body_within_the_window_is_a_duplicate(ingest: Any) -> None:
    first = await ingest.bring(CHAT)
    ingest.clock.advance(599)
    again = await ingest.bring(CHAT)
    assert again.status_code == 202
    assert again.json() == {**first.json(), "duplicate": True, "duplicate_by": "content"}
    ingest.clock.advance(1)
    later = await ingest.bring(CHAT)
    assert later.json()["duplicate"] is False
    assert await ingest.count("raw") == 2


async def test_a_corrected_charset_is_no_repeat(ingest: Any) -> None:
    body = CONTACTATONCE_XML.encode("utf-8")
    sent = ["text/xml; charset=iso-8859-1", "text/xml; charset=utf-8", "text/xml; charset=utf-8"]
    answers = [(await ingest.bring(body, content_type)).json() for content_type in sent]
    assert [answer["duplicate"] for answer in answers] == [False, False, True]
    assert answers[2]["raw_id"] == answers[1]["raw_id"] != answers[0]["raw_id"]


async def test_the_window_is_a_setting(ingest: Any) -> None:
    await ingest.set_up(duplicate_window_seconds=0)
    assert [(await ingest.bring(CHAT)).json()["duplicate"] for _ in range(2)] == [False, False]


async def test_a_new_key_on_a_repeated_body_stands_for_the_first_message(ingest: Any) -> None:
    first = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-1"})
    repeat = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-2"})
    assert (repeat.json()["raw_id"], repeat.json()["duplicate_by"]) == (first.json()["raw_id"], "content")
    assert (await ingest.bring(b"[]", headers={"Idempotency-Key": "k-2"})).status_code == 409
    ingest.clock.advance(timedelta(days=1).total_seconds())
    late = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-2"})
    assert late.json()["duplicate_by"] == "idempotency_key"


async def test_a_lead_after_its_test_is_not_lost(ingest: Any) -> None:
    assert (await ingest.bring(CHAT, query="?test=true")).json()["duplicate"] is False
    assert (await ingest.bring(CHAT)).json()["duplicate"] is False
    assert await ingest.count("outbox") == 2


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "k-1"}, {}], ids=["same_key", "same_body"])
async def test_fifty_at_once_are_one(ingest: Any, headers: dict[str, str]) -> None:
    await ingest.key()
    answers = await asyncio.gather(*(ingest.bring(CHAT, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["raw_id"] for answer in answers}) == 1
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 49
    assert (await ingest.count("raw"), await ingest.count("outbox")) == (1, 1)


async def test_one_key_with_two_bodies_at_once_takes_one_of_them(ingest: Any) -> None:
    await ingest.key()
    answers = await asyncio.gather(
        *(ingest.bring(b"[%d]" % (n % 2), headers={"Idempotency-Key": "k-1"}) for n in range(20))
    )
    assert sorted({answer.status_code for answer in answers}) == [202, 409]
    assert await ingest.count("raw") == 1


async def test_crossed_keys_and_bodies_do_not_wait_for_each_other(ingest: Any) -> None:
    await ingest.key()
    answers = await asyncio.gather(
        *(
            ingest.bring(b"[%d]" % (n % 3), headers={"Idempotency-Key": f"k-{n % 4}"} if n % 5 else {})
            for n in range(60)
        )
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert await ingest.count("raw") == 3


async def test_rehearsal_stores_nothing_and_says_what_would_happen(ingest: Any) -> None:
    rehearsed = await ingest.bring(CHAT, query="?validate=true", headers={"Idempotency-Key": "k-1"})
    assert rehearsed.status_code == 200
    assert rehearsed.json() == {
        "would": "accept",
        "duplicate_of": None,
        "duplicate_by": None,
        "source": "contactatonce",
        "account": "main",
        "form": "json",
        "digest": f"sha256:{hashlib.sha256(CHAT).hexdigest()}",
        "size_bytes": len(CHAT),
        "payload": {"contract": "contactatonce", "faults": [], "warnings": []},
    }
    assert [await ingest.count(table) for table in ("raw", "outbox", "idempotency_key")] == [0, 0, 0]
    taken = await ingest.bring(CHAT, headers={"Idempotency-Key": "k-1"})
    assert taken.json()["duplicate"] is False
    repeated = (await ingest.bring(CHAT, query="?validate=true")).json()
    assert (repeated["would"], repeated["duplicate_of"]) == ("repeat", taken.json()["raw_id"])
    conflict = await ingest.bring(b"[]", query="?validate=true", headers={"Idempotency-Key": "k-1"})
    assert conflict.status_code == 409


@pytest.mark.parametrize(
    ("body", "content_type", "faults"),
    [
        (CONTACTATONCE_XML.encode(), "text/xml", []),
        (CONTACTATONCE_XML.replace("Ann", "Zoë").encode("latin-1"), "text/xml; charset=latin-1", []),
        (b"\xef\xbb\xbf" + CHAT, "application/json", []),
        (CHAT.replace(b'"CAO-', b'"\\ud83dCAO-'), "application/json", []),
        (
            b"{}",
            "application/json",
            [("/lead_type", "missing"), ("/lead_id", "missing"), ("/dealer", "missing")],
        ),
        (b"[]", "application/json", [("", "model_type")]),
        (
            b'{"lead_type": "Fax", "lead_id": "1", "dealer": {}}',
            "application/json",
            [("/lead_type", "literal_error"), ("/dealer/id", "missing")],
        ),
        (b"<leads/>", "text/xml", [("", "root_element")]),
        (
            CONTACTATONCE_XML.replace("<lead_id>", "<lead_id>1</lead_id><lead_id>").encode(),
            "text/xml",
            [("/lead_id", "string_type")],
        ),
        (
            b"<lead><lead_type>Chat</lead_type><dealer><id>1</id></dealer></lead>",
            "text/xml",
            [("/lead_id", "missing")],
        ),
    ],
)
async def test_rehearsal_reads_the_payload(
    ingest: Any, body: bytes, content_type: str, faults: list[tuple[str, str]]
) -> None:
    answer = await ingest.bring(body, content_type, query="?validate=true")
    assert answer.status_code == 200
    found = answer.json()["payload"]["faults"]
    assert [(fault["pointer"], fault["code"]) for fault in found] == faults


@pytest.mark.parametrize(
    ("body", "content_type", "warnings"),
    [
        (CHAT.replace(b'"speaker": "customer"', b'"speaker": "Customer"'), "application/json", []),
        (
            json.dumps(
                {
                    **CONTACTATONCE["Chat"],
                    "occurred_at": "yesterday",
                    "vehicle": {"mileage": "12,5", "url": "file:///a"},
                }
            ).encode(),
            "application/json",
            [
                ("/occurred_at", "value_unread"),
                ("/vehicle/mileage", "value_unread"),
                ("/vehicle/url", "link_unusable"),
            ],
        ),
        (
            b'<lead xmlns="urn:x"><lead_type>Chat</lead_type><lead_id>1</lead_id><dealer><id>1</id></dealer>'
            b"<transcript><line><speaker>customer</speaker><text>hi</text></line>"
            b"<line><speaker>dog</speaker><text>hi</text></line></transcript></lead>",
            "text/xml",
            [("/transcript/1/speaker", "value_unread")],
        ),
    ],
    ids=["plain", "json", "xml"],
)
async def test_rehearsal_warns_of_what_will_not_reach_its_field(
    ingest: Any, body: bytes, content_type: str, warnings: list[tuple[str, str]]
) -> None:
    payload = (await ingest.bring(body, content_type, query="?validate=true")).json()["payload"]
    assert payload["faults"] == []
    assert [(warning["pointer"], warning["code"]) for warning in payload["warnings"]] == warnings


@pytest.mark.parametrize("name", CONTACTATONCE)
async def test_published_examples_have_no_findings(ingest: Any, name: str) -> None:
    answer = await ingest.bring(json.dumps(CONTACTATONCE[name]).encode(), query="?validate=true")
    assert answer.json()["payload"] == {"contract": "contactatonce", "faults": [], "warnings": []}


async def test_sources_without_a_contract_are_not_read(ingest: Any) -> None:
    key = await ingest.key("adf")
    answer = await ingest.bring(b"<adf/>", "text/xml", source="adf", key=key, query="?validate=true")
    assert answer.json()["payload"] is None


async def test_a_body_in_pieces(ingest: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in CHAT:
            yield bytes([byte])

    answer = await ingest.http.post(
        "/v1/raw/contactatonce",
        content=pieces(),
        headers={"X-Api-Key": await ingest.key(), "Content-Type": "application/json"},
    )
    assert answer.json()["size_bytes"] == len(CHAT)


async def test_what_became_of_it_for_sender_and_operator(ingest: Any) -> None:
    told = (await ingest.bring(CHAT)).json()
    path = f"/v1/raw/{told['raw_id']}"
    mine = await ingest.http.get(path, headers={"X-Api-Key": await ingest.key()})
    assert mine.status_code == 200
    assert mine.json() == {
        "raw_id": told["raw_id"],
        "status": "accepted",
        "source": "contactatonce",
        "account": "main",
        "test": False,
        "content_type": "application/json",
        "digest": told["digest"],
        "size_bytes": len(CHAT),
        "accepted_at": told["accepted_at"],
        "published_at": None,
        "publication": {"failed_attempts": 0, "last_error": None},
        "links": {"self": path},
    }
    assert (await ingest.http.get(path, headers=ingest.token("viewer"))).json() == mine.json()

    await ingest.rows("UPDATE outbox SET attempts = 4, last_error = 'returned' RETURNING 1")
    waiting = (await ingest.http.get(path, headers=ingest.token("viewer"))).json()
    assert waiting["publication"] == {"failed_attempts": 4, "last_error": "returned"}


async def test_others_do_not_see_it(ingest: Any) -> None:
    path = f"/v1/raw/{(await ingest.bring(CHAT)).json()['raw_id']}"
    second = await ingest.key(account="second")
    adf = await ingest.key("adf")
    answers = [
        await ingest.http.get(path, headers={"X-Api-Key": second}),
        await ingest.http.get(path, headers={"X-Api-Key": adf}),
        await ingest.http.get(path, headers=ingest.token("operator", dealers=["d1"])),
        await ingest.http.get(f"/v1/raw/{UUID(int=1)}", headers=ingest.token("viewer")),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.text for answer in answers}) == 1


async def test_a_stranger_sees_nothing(ingest: Any) -> None:
    path = f"/v1/raw/{(await ingest.bring(CHAT)).json()['raw_id']}"
    for headers in (
        {},
        {"X-Api-Key": "lbk_x"},
        {"Authorization": "Bearer lbk_x"},
        {"Authorization": "Bearer x"},
    ):
        assert (await ingest.http.get(path, headers=headers)).status_code == 401
        assert (await ingest.http.get(f"{path}/body", headers=headers)).status_code == 401


async def test_the_body_is_for_operators_and_leaves_a_trace(ingest: Any) -> None:
    path = f"/v1/raw/{(await ingest.bring(CHAT)).json()['raw_id']}/body"
    assert (await ingest.http.get(path, headers=ingest.token("viewer"))).status_code == 403
    assert (await ingest.http.get(path, headers={"X-Api-Key": await ingest.key()})).status_code == 401
    assert await ingest.rows("SELECT 1 FROM audit WHERE action = 'raw.reveal'") == []
    seen = await ingest.http.get(path, headers=ingest.token("operator"))
    assert seen.content == CHAT
    assert seen.headers["content-type"] == "application/octet-stream"
    assert seen.headers["content-disposition"].startswith("attachment")
    (trace,) = await ingest.rows("SELECT actor, object FROM audit WHERE action = 'raw.reveal'")
    assert trace == {"actor": "test-operator", "object": path.removeprefix("/v1/").removesuffix("/body")}
    missing = await ingest.http.get(f"/v1/raw/{UUID(int=1)}/body", headers=ingest.token("operator"))
    assert missing.status_code == 404
