"""What ingest fetched or received itself: stored once, published once, kept where it cannot be published."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from ingest import arrivals
from ingest.arrivals import Arrival, Faulty
from leadbus.messages import DOORS_BODY_BYTES
from leadbus.outbox import LeftToClaims

OUTGOING = LeftToClaims()


def arrival(key: str = "lead-1", body: bytes = b"<lead/>", **attributes: str) -> Arrival:
    return Arrival("virtualexpo", "aero", key, body, "application/xml", attributes)


async def bring(ingest: Any, *brought: Arrival) -> list[bool]:
    async with ingest.database.transaction() as conn:
        return await arrivals.store(conn, brought, ingest.clock.now(), OUTGOING)


async def outbox(ingest: Any) -> list[dict[str, Any]]:
    return list(await ingest.rows("SELECT * FROM outbox ORDER BY id"))


def test_an_arrival_has_the_same_id_for_ever() -> None:
    assert arrival().raw_id == UUID("e8648393-3788-56a7-8e00-f48308a7e653")
    assert arrival(body=b"other").raw_id == arrival().raw_id
    assert Arrival("bdk", "aero", "lead-1", b"", "").raw_id != arrival().raw_id
    assert Arrival("virtualexpo", "aero lead", "-1", b"", "").raw_id != arrival().raw_id


@pytest.mark.parametrize("name", ["account", "receivedat"])
def test_what_every_message_says_is_no_attribute_of_an_arrival(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Arrival("virtualexpo", "aero", "lead-1", b"", "", {name: "x"})


def test_a_body_shows_in_no_repr() -> None:
    assert "Miller" not in repr(arrival(body=b"Miller"))


async def test_it_is_stored_and_published_once(ingest: Any) -> None:
    one, other = arrival("1", b"<a/>"), arrival("2", b"<b/>")
    assert await bring(ingest, one, other, arrival("1", b"<a/>")) == [True, True, False]
    assert await bring(ingest, other, arrival("3")) == [False, True]
    rows = await outbox(ingest)
    assert [(row["routing_key"], bytes(row["body"])) for row in rows] == [
        ("raw.virtualexpo", b"<a/>"),
        ("raw.virtualexpo", b"<b/>"),
        ("raw.virtualexpo", b"<lead/>"),
    ]
    assert rows[0]["subject"] == str(one.raw_id)
    stored = await ingest.rows("SELECT raw_id, account, key_id, digest FROM raw ORDER BY accepted_at, body")
    assert {row["raw_id"] for row in stored} >= {one.raw_id, other.raw_id}
    assert all(row["key_id"] is None and row["account"] == "aero" for row in stored)


async def test_its_envelope_says_where_it_came_from_and_what_else_it_is_told(ingest: Any) -> None:
    await bring(ingest, arrival(trial="true", categories="request,prospect", test="true"))
    (row,) = await outbox(ingest)
    headers = json.loads(row["headers"])
    told = {name.removeprefix("cloudEvents_"): value for name, value in headers.items()}
    assert told["account"] == "aero"
    assert told["source"] == "/ingest/virtualexpo/aero"
    assert (told["trial"], told["categories"], told["test"]) == ("true", "request,prospect", "true")
    assert told["receivedat"] == ingest.clock.now().isoformat()
    (raw,) = await ingest.rows("SELECT test FROM raw")
    assert raw["test"] is True


async def test_what_rolls_back_was_never_brought(ingest: Any) -> None:
    async def fail_after_it() -> None:
        async with ingest.database.transaction() as conn:
            await arrivals.store(conn, [arrival()], ingest.clock.now(), OUTGOING)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_it()
    assert await bring(ingest, arrival()) == [True]


async def test_what_the_normalizer_would_not_read_is_kept_and_told(ingest: Any) -> None:
    large = arrival("large", b"x" * (DOORS_BODY_BYTES + 1))
    assert await bring(ingest, arrival("fits", b"x" * DOORS_BODY_BYTES), large) == [True, True]
    assert await bring(ingest, large) == [False]
    assert await ingest.count("raw") == 1
    (kept,) = await ingest.rows("SELECT * FROM quarantine")
    assert (kept["raw_id"], kept["reason"]) == (large.raw_id, "too_large")
    assert bytes(kept["body"]) == large.body
    message, event = await outbox(ingest)
    assert message["routing_key"] == "raw.virtualexpo"
    assert event["routing_key"] == "raw.quarantined.v1"
    told = json.loads(event["body"])
    assert told["raw"] == {"source": "virtualexpo", "account": "aero", "id": str(large.raw_id)}
    assert (told["reason"], told["quarantine_id"]) == ("too_large", str(large.raw_id))


async def test_a_faulty_body_is_kept_once(ingest: Any) -> None:
    faulty = Faulty(arrival(body=b"<html>"), "undecodable", "an HTML page in place of a document")
    for new in (True, False):
        async with ingest.database.transaction() as conn:
            assert await arrivals.quarantine(conn, [faulty], ingest.clock.now(), OUTGOING) == [new]
    (event,) = await outbox(ingest)
    assert json.loads(event["body"])["reason"] == "undecodable"
    assert b"html" not in bytes(event["body"])


async def test_a_door_never_takes_for_a_repeat_what_ingest_fetched(ingest: Any) -> None:
    await ingest.set_up("virtualexpo")
    key = await ingest.key("virtualexpo", "aero")
    await bring(ingest, arrival(trial="true"))
    answer = await ingest.bring(b"<lead/>", "application/xml", source="virtualexpo", key=key)
    assert answer.json()["duplicate"] is False
