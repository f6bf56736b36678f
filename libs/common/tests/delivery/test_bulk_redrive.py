"""B: deliveries redriven by what they have in common, as a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from leadbus import jobs
from leadbus.delivery import Delivered, Permanent
from leadbus.delivery.redriving import DeliveriesRedrive
from leadbus.jobs import JobRunner
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from pydantic import SecretStr

Bench = Any
KEY = SecretStr("0123456789abcdef0123456789abcdef")
DEADLINE_SECONDS = 30.0


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, 'olga', role, dealers)}"}


class Operator:
    """Plans and runs over HTTP; a runner works beside."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def plan(self, headers: dict[str, str] | None = None, **filter_: Any) -> httpx2.Response:
        body = {"kind": "deliveries.redrive", "filter": filter_, "rate_per_second": 1000, "batch_size": 3}
        return await self.http.post("/v1/jobs", json=body, headers=headers)

    async def redrive(self, headers: dict[str, str] | None = None, **filter_: Any) -> dict[str, Any]:
        planned = await self.plan(headers, **filter_)
        assert planned.status_code == 201, planned.text
        return await self.run(planned.json()["id"])

    async def run(self, job_id: str) -> dict[str, Any]:
        assert (await self.http.post(f"/v1/jobs/{job_id}/run")).status_code == 202
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                job: dict[str, Any] = (await self.http.get(f"/v1/jobs/{job_id}")).json()
                if job["state"] != "running":
                    return job
                await asyncio.sleep(0.02)


@pytest.fixture
async def operator(bench: Bench) -> AsyncIterator[Operator]:
    if not await bench.rows("SELECT 1 FROM pg_tables WHERE tablename = 'job'"):
        await bench.execute(jobs.DDL_V1)
    await bench.execute("TRUNCATE job, job_item")
    kinds = [DeliveriesRedrive(bench.database, sink="test-sink", clock=bench.clock)]
    app = create_app(
        "test", "Test", "1", [jobs.router(bench.database, kinds)], verifier=TokenVerifier(StaticKey(KEY))
    )
    runner = asyncio.create_task(JobRunner(bench.database, kinds, poll_seconds=0.02).run())
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=bearer()) as http:
        yield Operator(http)
    runner.cancel()
    await asyncio.wait([runner])


async def failed(bench: Bench, *keys: str, **more: Any) -> None:
    await bench.plan(*keys, **more)
    bench.sink.always(Permanent("refused"))
    await bench.settle(bench.engine())
    bench.sink.always(Delivered())


async def phases(bench: Bench) -> dict[str, str]:
    return {row["key"]: row["phase"] for row in await bench.rows("SELECT key, phase FROM delivery")}


async def test_b1_failed_ones_of_one_destination(bench: Bench, operator: Operator) -> None:
    await failed(bench, *(f"here:k{n}" for n in range(7)), "there:other")
    await bench.plan("here:fresh")
    planned = (await operator.plan(phase="failed", destination="here")).json()
    assert (planned["total"], planned["left_out"], len(planned["sample"])) == (7, 0, 7)
    assert set(planned["sample"][0]) == {"id", "subject_id", "route", "phase", "outcome", "reason"}
    job = await operator.run(planned["id"])
    assert (job["state"], job["done"], job["left_out"], job["remaining"]) == ("done", 7, 0, 0)
    assert await phases(bench) == {f"k{n}": "waiting" for n in range(7)} | {
        "other": "failed",
        "fresh": "queued",
    }
    acts = await bench.rows(
        "SELECT actor, detail ->> 'job_id' AS job FROM audit WHERE action = 'delivery.redrive'"
    )
    assert [(act["actor"], act["job"]) for act in acts] == [("olga", job["id"])] * 7
    await bench.settle(bench.engine())
    assert {kind for kind, _ in await bench.events()} >= {"recovered"}


async def test_b2_those_being_sent_are_left_out_and_counted(
    bench: Bench, operator: Operator, gate: Any
) -> None:
    await failed(bench, "a", "b")
    await bench.plan("c")
    bench.sink.answer = gate.answer
    engine = bench.engine()
    await bench.until(lambda: bool(gate.waiting), engine)
    planned = (await operator.plan(all=True)).json()
    assert (planned["total"], planned["left_out"], planned["remaining"]) == (3, 1, 2)
    job = await operator.run(planned["id"])
    assert (job["done"], job["left_out"], job["remaining"]) == (2, 1, 0)
    gate.opened.set()
    await bench.settle(engine)
    assert (await bench.row("c"))["attempts"] == 1

    asked = await operator.plan(phase="sending")
    assert (asked.status_code, asked.json()["type"].rpartition("/")[2]) == (409, "delivery-in-flight")


async def test_b3_delivered_ones_only_when_asked_and_they_say_so(bench: Bench, operator: Operator) -> None:
    await bench.plan("a", "b")
    await bench.settle(bench.engine())
    assert (await operator.plan(all=True)).json()["total"] == 0
    for wrong in ({"phase": "delivered"}, {"repeat": True, "all": True}, {"phase": "failed", "repeat": True}):
        assert (await operator.plan(**wrong)).status_code == 422
    assert (await operator.redrive(phase="delivered", repeat=True))["done"] == 2
    await bench.settle(bench.engine())
    assert [job.repeat for job in bench.sink.acts] == [False, False, True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"all": False},
        {"phase": "odd", "all": True},
        {"colour": "red"},
        {"planned_after": "yesterday"},
        {"planned_after": "2026-01-01T00:00:00"},
        {"route": ""},
    ],
    ids=str,
)
async def test_b4_filters_that_make_no_sense(operator: Operator, wrong: dict[str, Any]) -> None:
    answer = await operator.plan(**wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_b5_a_limited_token_redrives_its_dealers_deliveries_only(
    bench: Bench, operator: Operator
) -> None:
    await failed(bench, "a", "b", dealer="prairie")
    await failed(bench, "c", dealer="lakeside")
    await failed(bench, "d")
    limited = bearer(dealers=["prairie"])
    assert (await operator.plan(limited, dealer="lakeside")).status_code == 403
    assert (await operator.redrive(limited, all=True))["done"] == 2
    assert await phases(bench) == {"a": "waiting", "b": "waiting", "c": "failed", "d": "failed"}


async def test_b6_what_fails_again_is_not_redriven_by_the_same_job(bench: Bench, operator: Operator) -> None:
    await failed(bench, *(f"k{n}" for n in range(9)))
    bench.sink.always(Permanent("refused"))
    planned = (await operator.plan(phase="failed")).json()
    engine = bench.engine()
    running = asyncio.create_task(operator.run(planned["id"]))
    while not running.done():
        await engine.step()
        await asyncio.sleep(0)
    assert (await running)["done"] == 9
    await bench.settle(engine)
    assert {row["attempts"] for row in await bench.rows("SELECT attempts FROM delivery")} == {2}


async def test_b7_skipped_ones_without_a_destination_are_left_out(bench: Bench, operator: Operator) -> None:
    await failed(bench, "a")
    await bench.execute("UPDATE delivery SET phase = 'skipped', destination = ''")
    job = await operator.redrive(phase="skipped")
    assert (job["total"], job["done"], job["left_out"], job["remaining"]) == (1, 0, 1, 0)


async def test_b8_what_is_planned_later_is_not_part_of_it(bench: Bench, operator: Operator) -> None:
    await failed(bench, "a")
    planned = (await operator.plan(phase="failed")).json()
    await failed(bench, "b")
    assert (await operator.run(planned["id"]))["done"] == 1
    assert await phases(bench) == {"a": "waiting", "b": "failed"}
