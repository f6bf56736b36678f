"""H: what operators may ask of jobs over HTTP, and what is said to the rest."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from leadbus.jobs import store

Bench = Any
As = Any
NOBODY = UUID(int=0)


def slug(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition("/")[2]


async def test_h1_run_twice(bench: Bench) -> None:
    job_id = await bench.started()
    again = await bench.http.post(f"/v1/jobs/{job_id}/run")
    assert (again.status_code, slug(again)) == (409, "job-running")


async def test_h2_cancel_twice(bench: Bench) -> None:
    running = await bench.started()
    await bench.held()
    assert (await bench.http.post(f"/v1/jobs/{running}/cancel")).json()["state"] == "running"
    again = await bench.http.post(f"/v1/jobs/{running}/cancel")
    assert (again.status_code, slug(again)) == (409, "job-cancelling")

    planned = (await bench.planned())["id"]
    assert (await bench.http.post(f"/v1/jobs/{planned}/cancel")).json()["state"] == "cancelled"
    again = await bench.http.post(f"/v1/jobs/{planned}/cancel")
    assert (again.status_code, slug(again), again.json()["state"]) == (409, "job-ended", "cancelled")
    run = await bench.http.post(f"/v1/jobs/{planned}/run")
    assert (run.status_code, slug(run)) == (409, "job-ended")


@pytest.mark.parametrize("swept", [False, True])
async def test_h3_an_old_plan_is_not_run(bench: Bench, swept: bool) -> None:
    job = await bench.planned()
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET expires_at = clock_timestamp()")
        if swept:
            await store.expire(conn)
    run = await bench.http.post(f"/v1/jobs/{job['id']}/run")
    assert (run.status_code, slug(run)) == (409, "job-plan-expired")
    assert (await bench.job(job["id"]))["end_reason"] == "plan_expired"


async def test_h4_two_jobs_on_one_subject(bench: Bench) -> None:
    bench.kind.subject = "some.queue"
    running = await bench.started()
    other = await bench.planned()
    run = await bench.http.post(f"/v1/jobs/{other['id']}/run")
    assert (run.status_code, slug(run), run.json()["job_id"]) == (409, "job-subject-busy", running)
    assert (await bench.job(other["id"]))["state"] == "planned", "it can be run when the other has ended"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "thing.unknown"}, "/kind"),
        ({"filter": {"colour": "red"}}, "/filter/colour"),
        ({"filter": {"up_to": "many"}}, "/filter/up_to"),
        ({"filter": None}, "/filter"),
        ({"batch_size": 0}, "/batch_size"),
        ({"batch_size": 501}, "/batch_size"),
        ({"rate_per_second": 0}, "/rate_per_second"),
        ({"rate_per_second": "fast"}, "/rate_per_second"),
        ({"reason": "\0"}, "/reason"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=str,
)
async def test_h5_a_plan_that_makes_no_sense(bench: Bench, body: dict[str, Any], pointer: str) -> None:
    answer = await bench.http.post("/v1/jobs", json={"kind": bench.kind.name, "filter": {}, **body})
    assert (answer.status_code, slug(answer)) == (422, "invalid")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (await bench.http.get("/v1/jobs")).json()["items"] == []


async def test_h6_what_cannot_be_undone_needs_a_reason(bench: Bench) -> None:
    bench.kind.needs_reason = True
    asked = {"kind": bench.kind.name, "filter": {}}
    for body in (asked, {**asked, "reason": None}):
        answer = await bench.http.post("/v1/jobs", json=body)
        assert (answer.status_code, slug(answer)) == (422, "job-needs-reason")
    blank = await bench.http.post("/v1/jobs", json={**asked, "reason": "  "})
    assert (blank.status_code, slug(blank)) == (422, "invalid")
    job = await bench.planned(reason="they are tests")
    assert job["reason"] == "they are tests"


@pytest.mark.parametrize("path", ["", "/run", "/cancel"])
async def test_h7_unknown_jobs(bench: Bench, path: str) -> None:
    method = "POST" if path else "GET"
    answer = await bench.http.request(method, f"/v1/jobs/{NOBODY}{path}")
    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert (await bench.http.request(method, f"/v1/jobs/x{path}")).status_code == 422


async def test_h8_a_viewer_may_look_and_nothing_else(bench: Bench, as_: As) -> None:
    job = await bench.planned()
    viewer = as_("viewer")
    assert (await bench.http.get("/v1/jobs", headers=viewer)).json()["items"][0]["id"] == job["id"]
    assert (await bench.http.get(f"/v1/jobs/{job['id']}", headers=viewer)).status_code == 200
    for method, path in (("POST", "/v1/jobs"), ("POST", f"/v1/jobs/{job['id']}/run")):
        answer = await bench.http.request(
            method, path, headers=viewer, json={"kind": bench.kind.name, "filter": {}}
        )
        assert (answer.status_code, slug(answer)) == (403, "forbidden")
    nobody = await bench.http.get("/v1/jobs", headers={"Authorization": ""})
    assert nobody.status_code == 401


async def test_h9_a_limited_token_plans_over_its_dealers_only(bench: Bench, as_: As) -> None:
    await bench.things(3, "prairie")
    await bench.things(4, "lakeside")
    prairie, lakeside = as_(dealers=["prairie"]), as_(dealers=["lakeside"])
    job = await bench.planned(headers=prairie)
    assert (job["total"], job["dealers"]) == (3, ["prairie"])
    other = {"kind": bench.kind.name, "filter": {"dealer": "lakeside"}}
    refused = await bench.http.post("/v1/jobs", json=other, headers=prairie)
    assert (refused.status_code, slug(refused)) == (403, "forbidden")

    whole = await bench.planned()
    for stranger, hidden in ((lakeside, job["id"]), (prairie, whole["id"])):
        assert (await bench.http.get(f"/v1/jobs/{hidden}", headers=stranger)).status_code == 404
        assert (await bench.http.post(f"/v1/jobs/{hidden}/run", headers=stranger)).status_code == 404
        assert (await bench.http.post(f"/v1/jobs/{hidden}/cancel", headers=stranger)).status_code == 404
        listed = (await bench.http.get("/v1/jobs", headers=stranger)).json()["items"]
        assert hidden not in [one["id"] for one in listed]
    assert {one["id"] for one in (await bench.http.get("/v1/jobs")).json()["items"]} == {
        job["id"],
        whole["id"],
    }
    await bench.http.post(f"/v1/jobs/{job['id']}/run", headers=prairie)
    bench.begin(bench.runner())
    assert (await bench.ended(job["id"]))["done"] == 3
    assert await bench.turns() == [1, 1, 1, 0, 0, 0, 0]


async def test_h10_a_limited_token_has_no_part_of_things_without_a_dealer(bench: Bench, as_: As) -> None:
    bench.kind.per_dealer = False
    answer = await bench.http.post(
        "/v1/jobs", json={"kind": bench.kind.name, "filter": {}}, headers=as_(dealers=["prairie"])
    )
    assert (answer.status_code, slug(answer)) == (403, "job-without-dealer")


async def test_h11_the_list_has_the_grammar_of_lists(bench: Bench) -> None:
    ids = [(await bench.planned())["id"] for _ in range(5)]
    await bench.http.post(f"/v1/jobs/{ids[0]}/cancel")
    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor:
        query = {"limit": "2", "state": "planned"} | ({"cursor": cursor} if cursor else {})
        page = (await bench.http.get("/v1/jobs", params=query)).json()
        pages.append([one["id"] for one in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]]]
    unknown = await bench.http.get("/v1/jobs", params={"colour": "red"})
    assert (unknown.status_code, slug(unknown)) == (400, "unknown-parameter")
    assert (await bench.http.get("/v1/jobs", params={"state": "odd"})).status_code == 422
    assert (await bench.http.get("/v1/jobs", params={"kind": "none"})).json()["items"] == []


async def test_h12_what_nobody_works_on_is_cancelled_at_once_and_its_subject_is_free(bench: Bench) -> None:
    bench.kind.subject = "some.queue"
    running = await bench.started()
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET kind = 'thing.unknown'")
    asked = await bench.http.post(f"/v1/jobs/{running}/cancel")
    assert (asked.status_code, asked.json()["state"]) == (202, "cancelled")
    await bench.started()
