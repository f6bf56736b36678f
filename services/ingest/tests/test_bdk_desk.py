"""What operators see and do about BDK connections, and who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from ingest.bdk import measures
from ingest.bdk.measuring import Measuring
from ingest.store import bdk_reads
from leadbus.outbox import LeftToClaims

from tests.support.bdk_bank import NAME, PARTNER, Bank, lead

NOBODY = UUID(int=0)


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def ask(bank: Bank, method: str, path: str, role: str = "operator", **more: Any) -> Any:
    token = bank.ingest.token(role, more.pop("dealers", None))
    return await bank.ingest.http.request(method, f"/v1/bdk{path}", headers=token, **more)


async def test_connections_are_shown_with_what_waits(bank: Bank) -> None:
    await bank.notify({"leadId": "LS-1"})
    (shown,) = (await ask(bank, "GET", "/connections", "viewer")).json()["items"]
    assert (shown["name"], shown["state"], shown["waiting"]) == (NAME, "well", {"due": 1})
    assert shown == await bank.standing()
    assert bank.sandbox.secret not in str(shown)


async def test_reads_are_a_list_like_every_other(bank: Bank) -> None:
    for number in range(3):
        await bank.notify({"leadId": f"LS-{number}"})
        bank.ingest.clock.advance(1)
    page = (await ask(bank, "GET", "/reads?limit=2&state=due", "viewer")).json()
    assert [one["lead_id"] for one in page["items"]] == ["LS-2", "LS-1"]
    rest = (await ask(bank, "GET", f"/reads?limit=2&state=due&cursor={page['next_cursor']}", "viewer")).json()
    assert [one["lead_id"] for one in rest["items"]] == ["LS-0"]
    one = (await ask(bank, "GET", "/reads?lead_id=LS-1", "viewer")).json()["items"][0]
    assert one["read_id"] == str(bdk_reads.read_id(NAME, "LS-1"))
    assert "notice" not in one


async def test_a_read_is_tried_again_at_once(bank: Bank) -> None:
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()
    await bank.put(lead())
    read_id = bdk_reads.read_id(NAME, "LS-1")
    assert (await ask(bank, "POST", f"/reads/{read_id}/retry")).status_code == 202
    await bank.fetch()
    assert len(await bank.bodies()) == 1
    assert (await ask(bank, "POST", f"/reads/{NOBODY}/retry")).status_code == 404


async def test_a_read_is_given_up_and_due_again_when_it_is_told_of_again(bank: Bank) -> None:
    await bank.notify({"leadId": "LS-1"})
    read_id = bdk_reads.read_id(NAME, "LS-1")
    assert (await ask(bank, "POST", f"/reads/{read_id}/discard")).status_code == 202
    assert (await bank.standing())["waiting"] == {}
    assert (await ask(bank, "POST", f"/reads/{read_id}/discard")).status_code == 409
    await bank.notify({"leadId": "LS-1"})
    assert (await bank.read())["state"] == "due"


async def test_acts_are_audited(bank: Bank) -> None:
    await bank.notify({"leadId": "LS-1"})
    read_id = bdk_reads.read_id(NAME, "LS-1")
    await ask(bank, "POST", f"/connections/{NAME}/resume")
    await ask(bank, "POST", f"/connections/{NAME}/reconcile", json={})
    await ask(bank, "POST", f"/reads/{read_id}/retry")
    await ask(bank, "POST", f"/reads/{read_id}/discard")
    rows = await bank.ingest.rows(
        "SELECT actor, action, object FROM audit WHERE action LIKE 'bdk.%' ORDER BY id"
    )
    assert [(row["action"], row["object"]) for row in rows] == [
        ("bdk.resume", f"BdkConnection/{NAME}"),
        ("bdk.reconcile", f"BdkConnection/{NAME}"),
        ("bdk.retry", f"bdk_read/{read_id}"),
        ("bdk.discard", f"bdk_read/{read_id}"),
    ]
    assert {row["actor"] for row in rows} == {"test-operator"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/connections/{NAME}/resume"),
        ("POST", f"/connections/{NAME}/reconcile"),
        ("POST", f"/reads/{NOBODY}/retry"),
        ("POST", f"/reads/{NOBODY}/discard"),
    ],
)
async def test_acts_are_for_operators_of_everything(bank: Bank, method: str, path: str) -> None:
    assert (await ask(bank, method, path, "viewer", json={})).status_code == 403
    assert (await ask(bank, method, path, dealers=["a"], json={})).status_code == 403


@pytest.mark.parametrize("path", ["/connections", f"/connections/{NAME}", "/reads"])
async def test_who_is_limited_to_dealers_sees_none_of_it(bank: Bank, path: str) -> None:
    assert (await ask(bank, "GET", path, "viewer", dealers=["a"])).status_code == 404


@pytest.mark.parametrize(
    "path", ["/connections/none", "/connections/none/resume", "/connections/none/reconcile"]
)
async def test_what_is_not_there_is_not_found(bank: Bank, path: str) -> None:
    method = "POST" if path.count("/") > 2 else "GET"
    assert (await ask(bank, method, path, json={})).status_code == 404


async def test_gauges_tell_how_each_connection_is(bank: Bank) -> None:
    await bank.misbehave(forbidden_partners=[PARTNER])
    await bank.put(lead())
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()
    await bank.notify({"leadId": "LS-2"})
    bank.ingest.clock.advance(60)
    measuring = Measuring(bank.ingest.database, bank.ingest.clock, outgoing=LeftToClaims())
    await measuring.measure()

    def value(gauge: Any, **labels: str) -> float:
        return float(gauge.labels(connection=NAME, **labels)._value.get())

    assert value(measures.WAITING, state="held") == 1
    assert value(measures.WAITING, state="due") == 1
    assert value(measures.OLDEST) == 60
    assert value(measures.NEEDS_PERSON) == 1
    assert value(measures.LISTED_AGE) == 86_460
    headers = {**bank.ingest.token("admin"), "If-Match": "*"}
    await bank.ingest.http.delete(f"/v1/settings/BdkConnection/{NAME}", headers=headers)
    await measuring.measure()
    assert (value(measures.WAITING, state="held"), value(measures.NEEDS_PERSON)) == (0, 0)


async def test_what_is_fetched_leaves_when_it_is_old_and_nothing_else(bank: Bank) -> None:
    await bank.put(lead("LS-1"))
    await bank.notify({"leadId": "LS-1"})
    await bank.notify({"leadId": "LS-2"})
    await bank.fetch()
    bank.ingest.clock.advance(31 * 86_400)
    async with bank.ingest.database.transaction() as conn:
        left = await bdk_reads.forget(conn, bank.ingest.clock.now(), 100)
    assert left == {"bdk_read": 1}
    assert (await bank.read("LS-2"))["state"] == "due"
