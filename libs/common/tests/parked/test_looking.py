"""L: looking into a holding queue takes nothing out of it and shows nobody's data."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pamqp.frame
import pytest
import structlog
from aiormq.abc import ChannelFrame
from leadbus import metrics
from leadbus.parked import Depths, HoldingReader, parked_router
from leadbus.parked.depths import HELD
from leadbus.parked.reader import BrokerAway, NoQueue
from pamqp import commands
from pamqp.body import ContentBody
from pydantic import SecretStr

Bench = Any
As = Any
QUEUE = "normalizer.raw"
PARKED = "normalizer.raw.parked"
SECRET = b'{"name": "Jane Doe", "phone": "+13125550191"}'


def slug(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


async def test_l1_looking_often_changes_nothing(bench: Bench) -> None:
    bodies = [b"%d" % number for number in range(30)]
    await bench.wire.park(*bodies)
    first = await bench.messages()
    for _ in range(25):  # more often than RabbitMQ 4 would allow without our policy
        assert await bench.messages() == first
    assert [one["position"] for one in first] == list(range(30))
    await bench.wire.settled(PARKED, 30)
    assert await bench.wire.bodies(PARKED) == bodies


async def test_l2_who_it_is_and_why_but_not_what_it_says(bench: Bench) -> None:
    await bench.wire.park(
        SECRET,
        message_id="m-1",
        content_type="application/json",
        headers={
            "cloudEvents_id": "m-1",
            "ce-subject": "Jane Doe",
            "phone": "+13125550191",
            "account": "main",
        },
    )
    (one,) = await bench.messages()
    assert (one["message_id"], one["routing_key"], one["content_type"]) == (
        "m-1",
        "raw.contactatonce",
        "application/json",
    )
    assert (one["digest"], one["size_bytes"]) == (hashlib.sha256(SECRET).hexdigest(), len(SECRET))
    assert (one["death"]["reason"], one["death"]["count"], one["refusal"]) == ("rejected", 1, None)
    assert one["attributes"] == {"id": "m-1", "account": "main"}
    assert one["other_headers"] == ["ce-subject", "phone"]
    assert (await bench.http.get(f"/v1/parked/{QUEUE}/{one['id']}")).json() == one
    for said in (str(one), (await bench.http.get(f"/v1/parked/{QUEUE}")).text):
        assert "Jane" not in said
        assert "5550191" not in said


async def test_l3_the_bytes_only_for_operators_and_on_record(bench: Bench, as_: As) -> None:
    await bench.wire.park(SECRET)
    (one,) = await bench.messages()
    path = f"/v1/parked/{QUEUE}/{one['id']}/body"
    refused = await bench.http.get(path, headers=as_("viewer"))
    assert (refused.status_code, slug(refused)) == (403, "forbidden")
    assert await bench.audited("parked.read_body") == []
    told = await bench.http.get(path)
    assert (told.content, told.headers["content-type"]) == (SECRET, "application/octet-stream")
    assert told.headers["cache-control"] == "no-store"
    (act,) = await bench.audited("parked.read_body")
    assert (act["actor"], act["object"]) == ("olga", f"parked/{PARKED}/{one['id']}")
    await bench.wire.settled(PARKED, 1)


async def test_l4_pages_together_are_the_queue(bench: Bench) -> None:
    await bench.wire.park(*(b"%d" % number for number in range(7)))
    whole = await bench.messages()
    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor:
        query: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await bench.http.get(f"/v1/parked/{QUEUE}", params=query)).json()
        pages.append([one["id"] for one in page["items"]])
        cursor = page["next_cursor"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in page] == [one["id"] for one in whole]


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({"colour": "red"}, 400, "unknown-parameter"),
        ({"cursor": "x"}, 400, "invalid-cursor"),
        ({"cursor": "WyJwb3NpdGlvbiIsLTFd"}, 400, "invalid-cursor"),
        ({"cursor": "WyJwb3NpdGlvbiIsdHJ1ZV0"}, 400, "invalid-cursor"),
        ({"limit": "0"}, 422, "invalid"),
        ({"limit": "501"}, 422, "invalid"),
    ],
    ids=str,
)
async def test_l5_wrong_questions(bench: Bench, query: dict[str, str], status: int, kind: str) -> None:
    answer = await bench.http.get(f"/v1/parked/{QUEUE}", params=query)
    assert (answer.status_code, slug(answer)) == (status, kind)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/parked/adf-mailer.leads", 404),
        (f"/v1/parked/{QUEUE}/{'0' * 32}", 404),
        (f"/v1/parked/{QUEUE}/{'0' * 32}/body", 404),
        (f"/v1/parked/{QUEUE}/nonsense", 422),
        (f"/v1/unrouted/{'0' * 32}", 404),
    ],
)
async def test_l6_unknown_queues_and_ids(bench: Bench, path: str, status: int) -> None:
    assert (await bench.http.get(path)).status_code == status


async def test_l7_a_token_limited_to_dealers_sees_none(bench: Bench, as_: As) -> None:
    await bench.wire.park(SECRET)
    (one,) = await bench.messages()
    limited = as_("admin", ["prairie"])
    for path in ("/v1/parked", f"/v1/parked/{QUEUE}", "/v1/unrouted"):
        assert (await bench.http.get(path, headers=limited)).status_code == 403
    for path in (f"/v1/parked/{QUEUE}/{one['id']}", f"/v1/parked/{QUEUE}/{one['id']}/body"):
        assert (await bench.http.get(path, headers=limited)).status_code == 404


async def test_l8_the_same_message_twice_has_one_id(bench: Bench) -> None:
    await bench.wire.park(b"a", b"a", message_id="1")
    await bench.wire.park(b"a", message_id="2")
    await bench.wire.park(b"b", message_id="1")
    ids = [one["id"] for one in await bench.messages()]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_l9_properties_that_nobody_can_read(bench: Bench) -> None:
    """A timestamp beyond what Python knows: aiormq itself would give the connection up over it."""
    await bench.wire.park(b"before")
    await _publish_raw(bench, b"odd", timestamp=2**63)
    await bench.wire.park(b"after")
    found = await bench.messages()
    assert [one["unreadable"] is not None for one in found] == [False, True, False]
    assert found[1]["digest"] == hashlib.sha256(b"odd").hexdigest()
    for _ in range(3):
        assert await bench.messages() == found


async def _publish_raw(bench: Bench, body: bytes, timestamp: int) -> None:
    """Written past pamqp, which refuses to; then dead-lettered without being read by a plain client."""
    channel = await bench.wire.connection.channel(publisher_confirms=False)
    payload = struct.pack(">HHQHQ", 60, 0, len(body), 1 << 6, timestamp)
    frames = [
        pamqp.frame.marshal(
            commands.Basic.Publish(exchange="leadbus.raw", routing_key="raw.contactatonce"), channel.number
        ),
        struct.pack(">BHI", 2, channel.number, len(payload)) + payload + b"\xce",
        pamqp.frame.marshal(ContentBody(body), channel.number),
    ]
    await channel.write_queue.put(ChannelFrame(b"".join(frames), should_close=False))
    await bench.wire.settled(QUEUE, 1)
    reader = HoldingReader(SecretStr(bench.vhost.amqp_url), "rejecting")
    async with reader.walk(QUEUE) as walk:
        (held,) = await walk.take(1)
        await walk._channel.basic_reject(held.message.delivery_tag, requeue=False)
        await bench.wire.settled(PARKED, 2)
    await reader.close()


async def test_l10_how_much_lies_there_is_a_metric(bench: Bench) -> None:
    await bench.wire.park(b"1", b"2", b"3")
    await Depths(bench.reader, [PARKED, "leadbus.unrouted"]).measure()
    said = metrics.exposition().decode()
    assert f'leadbus_held_messages{{queue="{PARKED}"}} 3.0' in said
    assert 'leadbus_held_messages{queue="leadbus.unrouted"} 0.0' in said
    listed = (await bench.http.get("/v1/parked")).json()["items"]
    assert listed == [{"queue": QUEUE, "messages": 3, "unreadable": None}]


async def test_l11_a_broker_that_is_away(bench: Bench) -> None:
    away = HoldingReader(SecretStr("amqp://guest:guest@127.0.0.1:1/"), "test")
    with pytest.raises(BrokerAway):
        await away.depth(PARKED)
    await Depths(away, [PARKED]).measure()
    bench.http._transport.app.router.routes.clear()
    bench.http._transport.app.include_router(parked_router(bench.database, away, [QUEUE]))
    answer = await bench.http.get("/v1/parked")
    assert (answer.status_code, slug(answer), answer.headers["retry-after"]) == (
        503,
        "broker-unavailable",
        "5",
    )


async def test_l12_the_connection_is_opened_again_after_it_was_lost(bench: Bench) -> None:
    await bench.wire.park(b"1")
    assert len(await bench.messages()) == 1
    await bench.reader._connection.close()
    assert len(await bench.messages()) == 1


async def test_l13_a_queue_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(NoQueue) as missing:
        await bench.reader.depth("nowhere.parked")
    assert missing.value.code == "no_queue"
    assert await bench.messages() == [], "the connection outlives it"


async def test_l14_one_missing_queue_keeps_no_other_from_being_measured_and_told(bench: Bench) -> None:
    await bench.wire.park(b"1", b"2")
    HELD.labels(queue=PARKED).set(0)
    with structlog.testing.capture_logs() as logs:
        depths = Depths(bench.reader, ["nowhere.parked", PARKED])
        await depths.measure()
        await depths.measure()
    assert f'leadbus_held_messages{{queue="{PARKED}"}} 2.0' in metrics.exposition().decode()
    assert [(one["queue"], one["reason"]) for one in logs] == [("nowhere.parked", "no_queue")], "said once"
    bench.http._transport.app.router.routes.clear()
    bench.http._transport.app.include_router(
        parked_router(bench.database, bench.reader, ["a-queue.nowhere", QUEUE])
    )
    answer = await bench.http.get("/v1/parked")
    assert (answer.status_code, answer.json()["items"]) == (
        200,
        [
            {"queue": "a-queue.nowhere", "messages": None, "unreadable": "no_queue"},
            {"queue": QUEUE, "messages": 2, "unreadable": None},
        ],
    )
