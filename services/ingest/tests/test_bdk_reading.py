"""Leads of the BDK are fetched once, whatever the bank does meanwhile, and whoever fetches them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import Any

import pytest
from ingest.bdk import measures
from leadbus.db import Database

from tests.support.bdk_bank import NAME, PARTNER, VARIABLE, Bank, lead, replica, until

HOUR = 3600


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def told_of(bank: Bank, *lead_ids: str, **fields: Any) -> None:
    """Leads that are at the bank, and thin notifications of them."""
    await bank.put(*(lead(lead_id, **fields) for lead_id in lead_ids))
    for lead_id in lead_ids:
        assert (await bank.notify({"leadId": lead_id})).status_code == 202


async def test_what_was_told_of_is_fetched_and_published_byte_for_byte(bank: Bank) -> None:
    await told_of(bank, "LS-1", message="Grüße aus Kiel")
    await bank.fetch()
    (row,) = await bank.ingest.rows("SELECT * FROM raw")
    assert row["body"] == json.dumps(lead(message="Grüße aus Kiel"), ensure_ascii=False).encode()
    assert (row["source"], row["account"], row["content_type"]) == ("bdk", NAME, "application/json")
    (message,) = await bank.ingest.rows("SELECT * FROM outbox")
    headers = {key.partition("_")[2]: value for key, value in json.loads(message["headers"]).items()}
    assert (headers["id"], headers["account"]) == (str(row["raw_id"]), NAME)
    assert headers["correlationid"] == (await bank.read())["correlation_id"]
    read = await bank.read()
    assert (read["state"], read["outcome"], read["status"], read["raw_id"]) == (
        "done",
        "answered",
        200,
        row["raw_id"],
    )
    assert (read["lease_token"], read["notice"]) == (None, None)


async def test_whatever_tells_of_a_lead_it_is_one_message(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()
    await bank.notify(json.dumps(lead(), indent=1).encode())
    await bank.take_lists()
    await bank.fetch()
    assert len(await bank.bodies()) == 1
    assert len(await bank.ingest.rows("SELECT FROM outbox")) == 1


async def test_a_lead_that_says_something_new_is_a_further_message(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.fetch()
    await told_of(bank, "LS-1", message="Noch eine Frage")
    await bank.fetch()
    assert [json.loads(body).get("message") for body in await bank.bodies()] == [None, "Noch eine Frage"]


@pytest.mark.parametrize("told", [{"bdkLeadTypeId": "99z"}, {"bdkLeadTypeld": "1e"}, {"partnerNumber": "?"}])
async def test_no_lead_is_refused_for_what_it_says(bank: Bank, told: dict[str, Any]) -> None:
    await told_of(bank, "LS-1", **told)
    await bank.misbehave(misspelt=True)
    await bank.fetch()
    assert len(await bank.bodies()) == 1


async def test_told_of_before_it_can_be_read(bank: Bank) -> None:
    await bank.misbehave(early=3)
    await told_of(bank, "LS-1")
    for times, seconds in enumerate((5, 10, 20), start=1):
        await bank.fetch()
        row = await bank.read()
        assert (row["state"], row["outcome"]) == ("due", "not_found")
        bank.ingest.clock.advance(seconds - 1)
        await bank.fetch()
        assert bank.sandbox.requests()[-1].status == 404
        bank.ingest.clock.advance(1)
        assert len(bank.asked("/leads/")) == times, "asked before its time"
    await bank.fetch()
    assert len(await bank.bodies()) == 1


async def test_a_lead_that_never_can_be_read_is_given_up_after_two_days_and_seen(bank: Bank) -> None:
    assert (await bank.notify({"leadId": "LS-404"})).status_code == 202
    for _ in range(4):
        await bank.fetch()
        bank.ingest.clock.advance(16 * HOUR + 1)
    row = await bank.read("LS-404")
    assert (row["state"], row["outcome"]) == ("given_up", "not_found")
    assert (await bank.standing())["waiting"] == {"given_up": 1}
    await told_of(bank, "LS-404")
    await bank.fetch()
    assert (await bank.read("LS-404"))["state"] == "done", "told of again, it is due again"


async def test_tokens_withdrawn_in_the_middle_cost_nothing(bank: Bank) -> None:
    await told_of(bank, *(f"LS-{n}" for n in range(12)))
    await bank.misbehave(revoke_after=5)
    await bank.fetch()
    assert len(await bank.bodies()) == 12
    assert len(bank.asked("/oauth/token")) == 2
    assert (await bank.standing())["state"] == "well"


async def test_all_replicas_wait_as_long_as_the_bank_asks(bank: Bank) -> None:
    await told_of(bank, "LS-1", "LS-2", "LS-3")
    await bank.connect(concurrency=1)
    await bank.misbehave(status=429, retry_after="120", times=1)
    await bank.fetch()
    asked = len(bank.asked("/leads/"))
    assert asked == 1
    standing = await bank.standing()
    assert (standing["state"], standing["waiting"]) == ("paused", {"due": 3})
    bank.ingest.clock.advance(119)
    async with replica(bank.ingest.database, bank.ingest.clock) as (other, lists):
        await other.round()
        await lists.round()
        assert (other.busy, lists.busy) == (False, False)
    bank.ingest.clock.advance(1)
    await bank.fetch()
    assert len(await bank.bodies()) == 3
    assert (await bank.read("LS-1"))["tries"] == 0, "nobody is at fault"


async def test_a_partner_number_that_is_not_shown_needs_a_person_and_holds_up_no_other(
    bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await bank.connect(partner_numbers=[PARTNER, "0099"])
    await told_of(bank, "LS-1", partnerNumber="0099")
    await told_of(bank, "LS-2")
    await bank.misbehave(forbidden_partners=["0099"])
    await bank.fetch()
    assert (await bank.read("LS-1"))["state"] == "held"
    assert (await bank.read("LS-2"))["state"] == "done"
    standing = await bank.standing()
    assert (standing["state"], standing["needs_person"]) == ("needs_person", ["forbidden"])
    assert "bdk.read_waits_for_person" in caplog.text
    await bank.misbehave()
    bank.ingest.clock.advance(HOUR - 1)
    await bank.fetch()
    assert (await bank.read("LS-1"))["state"] == "held", "it is not asked for again and again"
    resumed = await bank.ingest.http.post(
        f"/v1/bdk/connections/{NAME}/resume", headers=bank.ingest.token("operator")
    )
    assert resumed.status_code == 200
    await bank.fetch()
    assert (await bank.read("LS-1"))["state"] == "done"
    assert (await bank.standing())["needs_person"] == []


async def test_it_heals_by_itself_when_the_bank_shows_it(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(forbidden_partners=[PARTNER])
    await bank.fetch()
    await bank.misbehave()
    bank.ingest.clock.advance(HOUR)
    await bank.fetch()
    assert (await bank.standing())["needs_person"] == []
    assert len(await bank.bodies()) == 1


async def test_a_login_that_is_refused_stops_the_connection_until_the_setting_is_mended(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    await told_of(bank, "LS-1", "LS-2", "LS-3")
    right = bank.sandbox.secret
    monkeypatch.setenv(VARIABLE, "wrong")
    await bank.connect(concurrency=1)
    await bank.fetch()
    assert len(bank.asked("/oauth/token")) == 1, "refused logins lock accounts"
    assert bank.asked("/leads/") == []
    standing = await bank.standing()
    assert (standing["state"], standing["needs_person"]) == ("needs_person", ["login_refused"])
    assert caplog.text.count("bdk.connection_needs_person") == 1
    assert "wrong" not in caplog.text
    monkeypatch.setenv(VARIABLE, right)
    await bank.fetch()
    assert bank.asked("/leads/") == []
    await bank.connect(concurrency=2)
    await bank.fetch()
    assert len(await bank.bodies()) == 3
    assert (await bank.standing())["state"] == "well"


async def test_or_until_a_probe_succeeds(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    await told_of(bank, "LS-1", "LS-2")
    monkeypatch.delenv(VARIABLE)
    await bank.fetch()
    assert (await bank.standing())["needs_person"] == ["secret_unreadable"]
    monkeypatch.setenv(VARIABLE, bank.sandbox.secret)
    bank.ingest.clock.advance(900)
    await bank.fetch()
    assert len(await bank.bodies()) == 2
    assert (await bank.standing())["state"] == "well"


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        pytest.param({"status": 500}, "unavailable", id="500"),
        pytest.param({"cut": True}, "unreachable", id="cut in the middle"),
        pytest.param({"token_status": 500}, "unavailable", id="no token"),
        pytest.param({"status": 418}, "rejected", id="418"),
        pytest.param({"status": 302}, "rejected", id="redirect"),
    ],
)
async def test_a_bank_that_fails_is_asked_again(bank: Bank, faults: dict[str, Any], outcome: str) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(**faults)
    await bank.fetch()
    row = await bank.read()
    assert (row["state"], row["outcome"], row["tries"]) == ("due", outcome, 1)
    await bank.misbehave()
    bank.ingest.clock.advance(10)
    await bank.fetch()
    assert len(await bank.bodies()) == 1
    assert (await bank.standing())["failures"] == 0


async def test_a_bank_that_is_gone_is_asked_for_one_lead_now_and_then(bank: Bank) -> None:
    await told_of(bank, *(f"LS-{n}" for n in range(20)))
    await bank.misbehave(status=500)
    for _ in range(10):
        await bank.fetch()
        bank.ingest.clock.advance(20)
    before = len(bank.asked("/leads/"))
    await bank.fetch()
    assert len(bank.asked("/leads/")) - before <= 1
    assert (await bank.standing())["state"] in {"paused", "well"}
    await bank.misbehave()
    for _ in range(3):
        bank.ingest.clock.advance(1200)
        await bank.fetch()
    assert len(await bank.bodies()) == 20


@pytest.mark.parametrize("answer", ["html", "empty", "truncated", "other_lead"])
async def test_what_comes_in_place_of_a_lead_is_kept_and_it_is_asked_again(bank: Bank, answer: str) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(answer=answer)
    await bank.fetch()
    bank.ingest.clock.advance(10)
    await bank.fetch()
    assert (await bank.read())["outcome"] == "unreadable"
    (kept,) = await bank.kept()
    assert (kept["source"], kept["account"], kept["reason"]) == ("bdk", NAME, "undecodable")
    assert await bank.bodies() == []
    await bank.misbehave()
    bank.ingest.clock.advance(60)
    await bank.fetch()
    assert len(await bank.bodies()) == 1


async def test_a_lead_without_partner_number_is_for_the_normalizer_to_judge(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(answer="no_partner")
    await bank.fetch()
    assert len(await bank.bodies()) == 1


async def test_replicas_fetch_each_lead_once(bank: Bank) -> None:
    ids = [f"LS-{n}" for n in range(40)]
    await told_of(bank, *ids)
    async with (
        replica(bank.ingest.database, bank.ingest.clock) as (one, _),
        replica(bank.ingest.database, bank.ingest.clock) as (other, _),
    ):
        while await bank.ingest.rows("SELECT FROM bdk_read WHERE state <> 'done'"):
            await asyncio.gather(one.round(), other.round(), bank.reading.round())
            await asyncio.gather(one.settled(), other.settled(), bank.reading.settled())
    assert Counter(bank.asked("/leads/")) == Counter(f"/leads/{lead_id}" for lead_id in ids)
    assert len(await bank.bodies()) == 40


async def test_what_a_process_had_in_hand_when_it_died_another_one_fetches(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(hang=True, times=1)
    async with replica(bank.ingest.database, bank.ingest.clock, lease_seconds=1.0) as (dying, _):
        await dying.round()
        await until(lambda: bank.asked("/leads/"), "it never asked")
        await bank.reading.round()
        assert not bank.reading.busy, "taken although it is in hand"
    assert (await bank.read())["state"] == "due"

    async def fetched() -> bool:
        await bank.fetch()
        return bool(await bank.bodies())

    await until(fetched, "nobody took it over")
    assert len(await bank.bodies()) == 1


async def test_news_while_it_is_fetched_has_it_fetched_once_more(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(delay_seconds=0.5)
    await bank.reading.round()
    await until(lambda: bank.asked("/leads/"), "it never asked")
    await told_of(bank, "LS-1", message="changed meanwhile")
    await bank.reading.settled()
    assert (await bank.read())["state"] == "due"
    await bank.fetch()
    assert "changed meanwhile" in (await bank.bodies())[-1].decode()


async def test_a_slow_bank_keeps_no_other_waiting(bank: Bank) -> None:
    await bank.connect("slow", concurrency=1)
    await bank.put(lead("LS-1"))
    await bank.misbehave(hang=True, times=1)
    await bank.notify({"leadId": "LS-1"}, name="slow")
    await bank.reading.round()
    await until(lambda: bank.asked("/leads/"), "it never asked")
    await bank.notify({"leadId": "LS-1"})
    await bank.reading.round()
    await until(bank.bodies, "kept waiting")
    assert bank.reading.busy


async def test_a_database_that_goes_while_the_lead_comes_costs_one_more_try(bank: Bank) -> None:
    await told_of(bank, "LS-1")
    await bank.misbehave(delay_seconds=0.5, times=1)
    own = Database(bank.ingest.settings.database_url)
    await own.open()
    async with replica(own, bank.ingest.clock, lease_seconds=1.0) as (unlucky, _):
        await unlucky.round()
        await until(lambda: bank.asked("/leads/"), "it never asked")
        await own.close()
        await unlucky.settled()
    assert await bank.bodies() == []

    async def fetched() -> bool:
        await bank.fetch()
        return bool(await bank.bodies())

    await until(fetched, "never fetched again")


async def test_drained_it_ends_what_it_has_and_begins_nothing(bank: Bank) -> None:
    await told_of(bank, "LS-1", "LS-2")
    await bank.connect(concurrency=1)
    await bank.misbehave(delay_seconds=0.3)
    task = asyncio.create_task(bank.reading.run())
    await until(lambda: bank.asked("/leads/"), "it never asked")
    await bank.reading.drain(10)
    await task
    assert len(await bank.bodies()) == 1
    assert len(bank.asked("/leads/")) == 1


async def test_its_task_fetches_as_soon_as_it_is_woken(bank: Bank) -> None:
    task = asyncio.create_task(bank.reading.run())
    await told_of(bank, "LS-1")
    bank.reading.wake()
    await until(bank.bodies, "never fetched")
    await bank.reading.drain(5)
    await task


async def test_what_is_not_done_is_measured(bank: Bank) -> None:
    before = measures.READS.labels(outcome="forbidden")._value.get()
    await bank.misbehave(forbidden_partners=[PARTNER])
    await told_of(bank, "LS-1")
    await bank.fetch()
    assert measures.READS.labels(outcome="forbidden")._value.get() == before + 1
