"""Reconciliation: what no notification told of is found, whatever becomes of a list in its middle."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from ingest.bdk import measures

from tests.support.bdk_bank import NAME, PARTNER, Bank, lead, replica, until


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def cursor(bank: Bank, partner_number: str = PARTNER) -> dict[str, Any]:
    (row,) = await bank.ingest.rows("SELECT * FROM bdk_cursor WHERE partner_number = $1", partner_number)
    found: dict[str, Any] = row
    return found


async def due_again(bank: Bank) -> None:
    bank.ingest.clock.advance(300)


def lists(bank: Bank) -> list[str]:
    return [path for path in bank.asked("/leads") if "?" in path]


async def test_a_lead_whose_notification_got_lost_is_found(bank: Bank) -> None:
    missed = measures.MISSED._series._value.get()
    await bank.put(lead())
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 1
    row = await bank.read()
    assert (row["state"], row["first_noticed_by"]) == ("done", "list")
    assert measures.MISSED._series._value.get() == missed + 1


async def test_what_is_known_is_not_fetched_again_until_it_changes(bank: Bank) -> None:
    await bank.put(lead("LS-1"), lead("LS-2"))
    for _ in range(4):
        await bank.take_lists()
        await bank.fetch()
        await due_again(bank)
    assert len(bank.asked("/leads/")) == 2
    await bank.put(lead("LS-2", message="changed"))
    await bank.take_lists()
    await bank.fetch()
    assert len(bank.asked("/leads/")) == 3
    assert json.loads((await bank.bodies())[-1])["message"] == "changed"


async def test_a_list_is_read_page_by_page_to_its_end(bank: Bank) -> None:
    await bank.connect(reconciliation={"page_size": 3})
    await bank.put(*(lead(f"LS-{n}") for n in range(8)))
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 8
    (listed,) = (await bank.standing())["lists"]
    assert (listed["pages"], listed["entries"], listed["news"]) == (3, 8, 8)


async def test_a_server_that_knows_no_pages_is_not_asked_for_ever(bank: Bank) -> None:
    await bank.connect(reconciliation={"page_size": 3})
    await bank.put(*(lead(f"LS-{n}") for n in range(8)))
    await bank.misbehave(endless_pages=True)
    await bank.take_lists()
    assert len(lists(bank)) == 2
    assert (await cursor(bank))["outcome"] == "answered"


async def test_each_list_begins_before_the_one_before_it_began(bank: Bank) -> None:
    created = bank.ingest.clock.now()
    await bank.take_lists()
    assert (await cursor(bank))["known_until"] == created
    await due_again(bank)
    await bank.take_lists()
    first, second = (path.partition("changedSince=")[2].partition("&")[0] for path in lists(bank))
    assert first == f"{created - timedelta(hours=24, seconds=900):%Y-%m-%dT%H%%3A%M%%3A%SZ}"
    assert second == f"{created - timedelta(seconds=900):%Y-%m-%dT%H%%3A%M%%3A%SZ}"


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        pytest.param({"status": 500}, "unavailable", id="500"),
        pytest.param({"cut": True}, "unreachable", id="cut"),
        pytest.param({"answer": "html"}, "unreadable", id="html"),
        pytest.param({"answer": "truncated"}, "unreadable", id="truncated"),
        pytest.param({"status": 404}, "not_found", id="404"),
    ],
)
async def test_a_list_that_fails_is_read_again_from_where_it_began(
    bank: Bank, faults: dict[str, Any], outcome: str
) -> None:
    before = await cursor(bank)
    await bank.put(lead())
    await bank.misbehave(**faults)
    await bank.take_lists()
    after = await cursor(bank)
    assert (after["known_until"], after["outcome"]) == (before["known_until"], outcome)
    assert len(await bank.kept()) == (outcome == "unreadable")
    await bank.misbehave()
    await due_again(bank)
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 1


async def test_a_list_that_fails_on_its_second_page_keeps_what_it_found_and_is_read_again(bank: Bank) -> None:
    await bank.connect(reconciliation={"page_size": 2})
    await bank.put(*(lead(f"LS-{n}") for n in range(4)))
    before = (await cursor(bank))["known_until"]
    await bank.misbehave(revoke_after=1, token_status=500)
    token = await bank.notify({"leadId": "LS-0"})
    assert token.status_code == 202
    await bank.misbehave()
    await bank.fetch()
    await bank.misbehave(revoke_after=1, token_status=500)
    await bank.take_lists()
    assert (await cursor(bank))["known_until"] == before
    assert await bank.ingest.count("bdk_read") == 2, "the first page is committed"
    await bank.misbehave()
    await due_again(bank)
    await bank.take_lists()
    assert await bank.ingest.count("bdk_read") == 4


async def test_a_partner_number_that_is_not_shown_keeps_no_other_from_being_listed(bank: Bank) -> None:
    await bank.connect(partner_numbers=["0099", PARTNER])
    await bank.put(lead(), lead("LS-2", partnerNumber="0099"))
    await bank.misbehave(forbidden_partners=["0099"])
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 1
    standing = await bank.standing()
    assert (standing["state"], standing["needs_person"]) == ("needs_person", ["forbidden"])
    assert {one["partner_number"]: one["outcome"] for one in standing["lists"]} == {
        "0099": "forbidden",
        PARTNER: "answered",
    }
    await bank.misbehave()
    await bank.ingest.http.post(f"/v1/bdk/connections/{NAME}/resume", headers=bank.ingest.token("operator"))
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 2
    assert (await bank.standing())["state"] == "well"


async def test_a_connection_deleted_and_made_again_goes_on_where_it_was(bank: Bank) -> None:
    await bank.take_lists()
    known = (await cursor(bank))["known_until"]
    headers = {**bank.ingest.token("admin"), "If-Match": "*"}
    gone = await bank.ingest.http.delete(f"/v1/settings/BdkConnection/{NAME}", headers=headers)
    assert gone.status_code == 200
    bank.ingest.clock.advance(7 * 86_400)
    await bank.connect()
    assert (await cursor(bank))["known_until"] == known


async def test_replicas_read_each_list_once(bank: Bank) -> None:
    async with (
        replica(bank.ingest.database, bank.ingest.clock) as (_, one),
        replica(bank.ingest.database, bank.ingest.clock) as (_, other),
    ):
        await asyncio.gather(one.round(), other.round(), bank.reconciling.round())
        await asyncio.gather(one.settled(), other.settled(), bank.reconciling.settled())
    assert len(lists(bank)) == 1


async def test_a_list_that_a_process_died_in_another_one_reads(bank: Bank) -> None:
    await bank.put(lead())
    await bank.misbehave(hang=True, times=1)
    async with replica(bank.ingest.database, bank.ingest.clock, lease_seconds=1.0) as (_, dying):
        await dying.round()
        await until(lambda: lists(bank), "it never asked")

    async def listed() -> bool:
        await bank.take_lists()
        return bool(await bank.ingest.count("bdk_read"))

    await until(listed, "nobody read it")


async def test_one_list_for_all_partner_numbers(bank: Bank) -> None:
    path = "/leads?changedSince={changed_since}&page={page}&size={page_size}"
    await bank.connect(partner_numbers=[], reconciliation={"path": path})
    await bank.put(lead(), lead("LS-2", partnerNumber="0099"))
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 2
    assert [one["partner_number"] for one in (await bank.standing())["lists"]] == [""]


async def test_nothing_is_listed_where_it_is_off(bank: Bank) -> None:
    await bank.connect(reconciliation={"enabled": False})
    await bank.take_lists()
    assert lists(bank) == []
    await bank.connect(enabled=False)
    await bank.take_lists()
    assert lists(bank) == []


async def test_an_operator_has_older_leads_listed(bank: Bank) -> None:
    await bank.take_lists()
    since = bank.ingest.clock.now() - timedelta(days=90)
    answer = await bank.ingest.http.post(
        f"/v1/bdk/connections/{NAME}/reconcile",
        json={"since": since.isoformat()},
        headers=bank.ingest.token("operator"),
    )
    assert answer.status_code == 200, answer.text
    await bank.take_lists()
    assert f"{since - timedelta(seconds=900):%Y-%m-%d}" in lists(bank)[-1]


async def test_its_task_reads_what_is_due(bank: Bank) -> None:
    await bank.put(lead())
    task = asyncio.create_task(bank.reconciling.run())

    async def noticed() -> bool:
        return bool(await bank.ingest.count("bdk_read"))

    await until(noticed, "never listed")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
