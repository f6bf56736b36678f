"""D: parked messages go through their handler again, each once for each job, or are given up on record."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from leadbus.jobs import store
from leadbus.parked import HoldingReader, ParkedRedrive, looking
from leadbus.parked.reader import BrokerAway, Walk
from pydantic import SecretStr

Bench = Any
As = Any
QUEUE = "normalizer.raw"
PARKED = "normalizer.raw.parked"
ALL = {"queue": QUEUE, "all": True}


def numbered(count: int) -> list[bytes]:
    return [b"%04d" % number for number in range(count)]


def slug(answer: Any) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


async def test_d1_handled_as_if_it_came_now(bench: Bench) -> None:
    await bench.wire.park(b"1", b"2", b"3", message_id="m", headers={"account": "main"})
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL)
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("done", 3, 3, 0)
    assert bench.service.bodies == Counter([b"1", b"2", b"3"])
    (message, *_) = bench.service.handled
    assert (message.exchange, message.routing_key) == ("leadbus.raw", "raw.contactatonce")
    assert (message.properties.message_id, message.headers) == ("m", {"account": "main"})
    await bench.wire.settled(PARKED, 0)
    assert await bench.wire.ready(QUEUE) == 0, "nothing was published again"
    acts = await bench.audited("parked.redrive")
    assert {act["actor"] for act in acts} == {"olga"}
    assert len(acts) == 3


async def test_d2_what_fails_again_stays_and_is_tried_once_for_each_job(bench: Bench) -> None:
    bodies = numbered(12)
    bench.service.refuses = {b"0003", b"0007", b"0009"}
    bench.service.cannot_store = {b"0003", b"0009"}
    await bench.wire.park(*bodies)
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL, batch_size=4)
    assert (job["state"], job["done"], job["failed"], job["remaining"]) == ("done", 10, 2, 0)
    assert (job["last_error"], [one["code"] for one in job["failures"]]) == ("KeyError", ["KeyError"] * 2)
    assert set(bench.service.bodies.values()) == {1}
    assert [message.body for message in bench.service.poisoned] == [b"0007"], "stored by the poison handler"
    await bench.wire.settled(PARKED, 2)
    assert {one["id"] for one in job["failures"]} == {one["id"] for one in await bench.messages()}

    bench.service.refuses = set()
    again = await bench.done("parked.redrive", filter=ALL)
    assert (again["total"], again["done"], again["failed"]) == (2, 2, 0)
    await bench.wire.settled(PARKED, 0)


async def test_d3_a_forged_death_does_not_change_the_source(bench: Bench) -> None:
    forged = {
        "count": 0,
        "reason": "rejected",
        "queue": QUEUE,
        "exchange": "leadbus.raw",
        "routing-keys": ["raw.bdk"],
        "time": datetime.now(UTC),
    }
    first = {
        f"x-first-death-{name}": value for name, value in (("queue", QUEUE), ("exchange", "leadbus.raw"))
    }
    await bench.wire.park(
        b"forged", headers={"x-death": [forged], **first, "x-first-death-reason": "rejected"}
    )
    (shown,) = await bench.messages()
    assert (shown["routing_key"], shown["death"]["count"]) == ("raw.contactatonce", 1)
    bench.begin()
    assert (await bench.done("parked.redrive", filter=ALL))["done"] == 1
    (message,) = bench.service.handled
    assert message.routing_key == "raw.contactatonce"
    assert message.headers == {}


async def test_d4_what_did_not_die_in_the_queue_is_refused_and_stays(bench: Bench) -> None:
    await bench.wire.publish(b"smuggled", exchange="", key=PARKED)
    await bench.wire.settled(PARKED, 1)
    await bench.wire.park(b"direct", exchange="", key=QUEUE)
    refusals = {one["digest"]: one["refusal"] for one in await bench.messages()}
    assert refusals == {
        hashlib.sha256(b"smuggled").hexdigest(): "origin_unproven",
        hashlib.sha256(b"direct").hexdigest(): "not_declared",
    }
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL)
    assert (job["done"], job["failed"]) == (0, 2)
    assert {one["code"] for one in job["failures"]} == {"origin_unproven", "not_declared"}
    assert bench.service.handled == []
    await bench.wire.settled(PARKED, 2)


async def test_d5_single_ones_by_id_with_their_copies(bench: Bench) -> None:
    await bench.wire.park(b"a", b"b", b"a", b"c", b"d", message_id="same")
    ids = [one["id"] for one in await bench.messages()]
    bench.begin()
    job = await bench.done("parked.redrive", filter={"queue": QUEUE, "ids": [ids[0], ids[3]]})
    assert (job["total"], job["done"]) == (3, 3)
    assert bench.service.bodies == Counter({b"a": 2, b"c": 1})
    await bench.wire.settled(PARKED, 2)
    assert sorted(await bench.wire.bodies(PARKED)) == [b"b", b"d"]


@pytest.mark.parametrize(
    ("filter_", "status", "kind"),
    [
        ({"queue": QUEUE, "ids": ["0" * 32]}, 404, "not-found"),
        ({"queue": QUEUE}, 422, "invalid"),
        ({"queue": QUEUE, "all": True, "ids": ["0" * 32]}, 422, "invalid"),
        ({"queue": QUEUE, "ids": []}, 422, "invalid"),
        ({"queue": QUEUE, "ids": ["nonsense"]}, 422, "invalid"),
        ({"queue": "adf-mailer.leads", "all": True}, 422, "invalid"),
        ({"all": True}, 422, "invalid"),
        ({"queue": QUEUE, "all": True, "colour": "red"}, 422, "invalid"),
    ],
    ids=str,
)
async def test_d6_plans_that_make_no_sense(
    bench: Bench, filter_: dict[str, Any], status: int, kind: str
) -> None:
    await bench.wire.park(b"1")
    answer = await bench.plan("parked.redrive", filter=filter_)
    assert (answer.status_code, slug(answer)) == (status, kind)
    if status == 404:
        assert answer.json()["ids"] == ["0" * 32]
    await bench.wire.settled(PARKED, 1)


async def test_d7_discarded_on_record(bench: Bench) -> None:
    await bench.wire.park(b"keep", b"spam", message_id="m-1")
    spam = (await bench.messages())[1]
    asked = {"filter": {"queue": QUEUE, "ids": [spam["id"]]}}
    refused = await bench.plan("parked.discard", **asked)
    assert (refused.status_code, slug(refused)) == (422, "job-needs-reason")
    bench.begin()
    job = await bench.done("parked.discard", reason="a test of theirs", **asked)
    assert (job["done"], job["failed"]) == (1, 0)
    (act,) = await bench.audited("parked.discard")
    assert act["object"] == f"parked/{PARKED}/{spam['id']}"
    for said in (hashlib.sha256(b"spam").hexdigest(), "a test of theirs", "m-1", job["id"]):
        assert said in act["detail"]
    await bench.wire.settled(PARKED, 1)
    assert await bench.wire.bodies(PARKED) == [b"keep"]
    assert bench.service.handled == []


async def test_d8_cancelled_in_the_middle(bench: Bench) -> None:
    await bench.wire.park(*numbered(30))
    in_hand, go_on = asyncio.Event(), asyncio.Event()

    async def stop_at_second(messages: Any) -> None:
        if messages[0].body == b"0010":
            in_hand.set()
            await go_on.wait()

    bench.service.before = stop_at_second
    bench.begin()
    job_id = await bench.start("parked.redrive", filter=ALL, batch_size=10)
    await asyncio.wait_for(in_hand.wait(), 30)
    assert (await bench.http.post(f"/v1/jobs/{job_id}/cancel")).status_code == 202
    go_on.set()
    job = await bench.ended(job_id)
    assert (job["state"], job["done"], job["remaining"]) == ("cancelled", 20, 10)
    await bench.wire.settled(PARKED, 10)
    assert sorted(await bench.wire.bodies(PARKED)) == numbered(30)[20:]


async def test_d9_two_replicas_handle_each_message_once(bench: Bench) -> None:
    bodies = numbered(120)
    await bench.wire.park(*bodies)
    bench.begin()
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL, batch_size=5)
    assert (job["state"], job["done"]) == ("done", 120)
    assert bench.service.bodies == Counter(bodies)


async def test_d10_a_handled_message_that_could_not_be_recorded_comes_again_and_counts_once(
    bench: Bench,
) -> None:
    """As after a kill between the handler's commit and the job's: the inbox knows it, the job does not."""
    await bench.wire.park(*numbered(10))
    robbed = False

    async def rob(messages: Any) -> None:
        nonlocal robbed
        if messages[0].body == b"0005" and not robbed:
            robbed = True
            async with bench.database.acquire() as conn:
                await conn.execute("UPDATE job SET lease_expires_at = clock_timestamp() - interval '1 s'")
                await store.claim(conn, uuid4(), lease_seconds=0.0, kinds=["parked.redrive"])

    bench.service.before = rob
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL, batch_size=5)
    assert (job["state"], job["done"], job["failed"], job["remaining"]) == ("done", 10, 0, 0)
    assert bench.service.bodies == Counter({body: 1 if body < b"0005" else 2 for body in numbered(10)})
    assert len(await bench.audited("parked.redrive")) == 10
    await bench.wire.settled(PARKED, 0)


async def test_d11_a_lost_acknowledgement_counts_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.wire.park(*numbered(6))
    ack = Walk.ack
    lost: list[Any] = []

    async def lose_one(self: Walk, held: Any) -> None:
        if held.message.body == b"0002" and not lost:
            lost.append(held)
            raise BrokerAway("connection lost")
        await ack(self, held)

    monkeypatch.setattr(Walk, "ack", lose_one)
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL, batch_size=3)
    assert (job["state"], job["done"], job["failed"], job["remaining"]) == ("done", 6, 0, 0)
    assert len(await bench.audited("parked.redrive")) == 6
    await bench.wire.settled(PARKED, 0)


async def test_d12_what_somebody_just_looks_at_is_left_to_the_next_job(bench: Bench) -> None:
    await bench.wire.park(*numbered(8))
    planned = await bench.plan("parked.redrive", filter=ALL)
    onlooker = HoldingReader(SecretStr(bench.vhost.amqp_url), "onlooker")
    async with onlooker.walk(PARKED) as walk:
        assert len(await walk.take(3)) == 3
        bench.begin()
        await bench.http.post(f"/v1/jobs/{planned.json()['id']}/run")
        job = await bench.ended(planned.json()["id"])
    await onlooker.close()
    assert (job["state"], job["done"], job["remaining"]) == ("done", 5, 3)
    await bench.wire.settled(PARKED, 3)


async def test_d13_a_thousand_at_a_rate(bench: Bench) -> None:
    bodies = numbered(1000)
    bench.service.refuses = bench.service.cannot_store = {b"0500"}
    await bench.wire.park(*bodies)
    bench.begin()
    job = await bench.done("parked.redrive", filter=ALL, batch_size=200, rate_per_second=400)
    assert (job["total"], job["done"], job["failed"]) == (1000, 999, 1)
    assert bench.service.bodies == Counter(body for body in bodies if body != b"0500")
    await bench.wire.settled(PARKED, 1)


async def test_d14_no_more_than_were_planned(bench: Bench) -> None:
    await bench.wire.park(*numbered(4))
    planned = (await bench.plan("parked.redrive", filter=ALL)).json()
    await bench.wire.park(b"later")
    bench.begin()
    await bench.http.post(f"/v1/jobs/{planned['id']}/run")
    job = await bench.ended(planned["id"])
    assert (job["total"], job["done"]) == (4, 4)
    await bench.wire.settled(PARKED, 1)


async def test_d15_one_job_on_a_queue(bench: Bench) -> None:
    await bench.wire.park(b"1")
    running = await bench.start("parked.redrive", filter=ALL)
    other = (await bench.plan("parked.discard", filter=ALL, reason="r")).json()
    refused = await bench.http.post(f"/v1/jobs/{other['id']}/run")
    assert (refused.status_code, slug(refused), refused.json()["job_id"]) == (
        409,
        "job-subject-busy",
        running,
    )


async def test_d16_a_queue_that_is_not_there(bench: Bench, clean_vhost: Any) -> None:
    reader = HoldingReader(SecretStr(clean_vhost.amqp_url), "test")
    kind = next(one for one in bench.kinds if isinstance(one, ParkedRedrive))
    there, kind._reader = kind._reader, reader
    answer = await bench.plan("parked.redrive", filter=ALL)
    assert (answer.status_code, slug(answer), answer.json()["code"]) == (
        503,
        "queue-not-readable",
        "no_queue",
    )

    kind._reader = there
    await bench.wire.park(b"1")
    job_id = await bench.start("parked.redrive", filter=ALL)
    kind._reader = reader
    bench.begin()
    job = await bench.ended(job_id)
    assert (job["state"], job["end_reason"]) == ("failed", "no_queue")
    await reader.close()


async def test_d17_a_limited_token_has_no_part_of_it(bench: Bench, as_: As) -> None:
    answer = await bench.http.post(
        "/v1/jobs", json={"kind": "parked.redrive", "filter": ALL}, headers=as_("admin", ["prairie"])
    )
    assert (answer.status_code, slug(answer)) == (403, "job-without-dealer")


async def test_d18_what_a_killed_job_tried_in_vain_the_next_runner_does_not_try(bench: Bench) -> None:
    bench.service.refuses = bench.service.cannot_store = {b"0000", b"0001"}
    await bench.wire.park(*numbered(10))
    in_hand = asyncio.Event()

    async def hang(messages: Any) -> None:
        if messages[0].body >= b"0005":
            in_hand.set()
            await asyncio.Event().wait()

    tried: Counter[bytes] = Counter()
    poison = bench.service.poison

    async def counting(message: Any, error: Exception) -> None:
        tried[message.body] += 1
        await poison(message, error)

    kind = next(one for one in bench.kinds if isinstance(one, ParkedRedrive))
    handler = kind._handlers[QUEUE]
    kind._handlers = {QUEUE: type(handler)(handler.handle, counting)}
    bench.service.before = hang
    first = bench.begin()
    job_id = await bench.start("parked.redrive", filter=ALL, batch_size=5)
    await asyncio.wait_for(in_hand.wait(), 30)
    first.cancel()
    await asyncio.wait([first])
    bench.service.before = None
    bench.begin()
    job = await bench.ended(job_id)
    assert (job["state"], job["done"], job["failed"]) == ("done", 8, 2)
    assert tried == Counter([b"0000", b"0001"])
    await bench.wire.settled(PARKED, 2)


@pytest.mark.parametrize("kind", ["parked.redrive", "parked.discard"])
async def test_d19_names_that_no_database_holds(bench: Bench, kind: str) -> None:
    await bench.wire.park(b"1", message_id="m\0n", headers={"ce-id": "\0"})
    (one,) = await bench.messages()
    assert (one["message_id"], one["attributes"]) == ("m\ufffdn", {"id": "\ufffd"})
    bench.begin()
    job = await bench.done(kind, filter=ALL, reason="r")
    assert (job["done"], job["sample"][0]["message_id"]) == (1, "m\ufffdn")
    await bench.wire.settled(PARKED, 0)


@pytest.mark.parametrize("kind", ["parked.redrive", "parked.discard"])
async def test_d20_what_comes_in_place_of_the_planned_ones_has_no_turn(bench: Bench, kind: str) -> None:
    await bench.wire.park(b"planned", b"copied", b"gone", message_id="m")
    planned = (await bench.plan(kind, filter=ALL, reason="r")).json()
    assert (planned["total"], planned["left_out"], len(planned["sample"])) == (3, 0, 3)
    assert sorted(await bench.wire.bodies(PARKED)) == [b"copied", b"gone", b"planned"]
    await bench.wire.park(
        b"unseen 1", b"copied", b"unseen 2", b"planned", b"copied", b"unseen 3", message_id="m"
    )
    bench.begin()
    await bench.http.post(f"/v1/jobs/{planned['id']}/run")
    job = await bench.ended(planned["id"])
    assert (job["state"], job["done"]) == ("done", 3), "a copy is the message that was seen, up to the count"
    await bench.wire.settled(PARKED, 3)
    assert sorted(await bench.wire.bodies(PARKED)) == [b"unseen 1", b"unseen 2", b"unseen 3"]
    async with bench.database.acquire() as conn:
        assert await conn.fetchval("SELECT bound::text FROM job") == "{}", "no row grows by what it met"


async def test_d21_what_is_out_of_a_looks_reach_is_left_out_of_the_plan(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "MOST_MESSAGES", 3)
    await bench.wire.park(*numbered(5))
    job_id = (planned := (await bench.plan("parked.discard", filter=ALL, reason="r")).json())["id"]
    assert (planned["total"], planned["left_out"], planned["remaining"]) == (5, 2, 3)
    bench.begin()
    await bench.http.post(f"/v1/jobs/{job_id}/run")
    job = await bench.ended(job_id)
    assert (job["done"], job["remaining"]) == (3, 2)
    await bench.wire.settled(PARKED, 2)
