"""The vendor is asked once in two hours: by however many replicas, and whatever people do to the setting."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from ingest.fetching.due import STARTS_WITHIN
from ingest.fetching.fetcher import Fetcher
from leadbus.web import Problem
from leadbus_devstack.sandboxes.virtualexpo_documents import lead

from tests.support.vendor import NEXT_SECONDS, TWO_HOURS_SECONDS, Vendor

REPLICAS = 6
FLOOR_SECONDS = TWO_HOURS_SECONDS + STARTS_WITHIN.total_seconds()


async def test_replicas_that_look_at_once_ask_once(vendor: Vendor) -> None:
    names = [f"stand-{number}" for number in range(4)]
    for name in names:
        await vendor.subscribe(name, url=f"{vendor.sandbox.url}/leads?stand={name}&key={{key}}")
    replicas = [vendor.replica() for _ in range(REPLICAS)]
    for round_ in (1, 2):
        for _ in names:
            await asyncio.gather(*(replica.scheduler.fetch_due() for replica in replicas))
        asked = [seen.query.partition("&")[0] for seen in vendor.asked()]
        assert sorted(asked) == sorted(f"stand={name}" for name in names * round_)
        vendor.clock.advance(NEXT_SECONDS)
    attempts = await vendor.rows("SELECT count(*) FROM virtualexpo_attempt")
    assert attempts[0]["count"] == 2 * len(names)


async def test_the_attempt_is_on_record_before_anything_is_asked(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies in between has used up the attempt."""

    async def dies(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Fetcher, "fetch", dies)
    await vendor.subscribe()
    with pytest.raises(asyncio.CancelledError):
        await vendor.fetch()
    monkeypatch.undo()
    (attempt,) = await vendor.rows("SELECT outcome, ended_at FROM virtualexpo_attempt")
    assert (attempt["outcome"], attempt["ended_at"]) == ("running", None)
    assert await vendor.replica().scheduler.fetch_due() is None
    assert vendor.asked() == []
    assert await vendor.fetch(NEXT_SECONDS) is not None


async def test_an_attempt_whose_process_is_gone_is_ended_by_another(vendor: Vendor) -> None:
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.rows(
        "UPDATE virtualexpo_attempt SET outcome = 'running', ended_at = NULL,"
        " lease_until = clock_timestamp() - interval '1 second'"
    )
    await vendor.replica().scheduler.sweep()
    (attempt,) = await vendor.rows("SELECT outcome, code FROM virtualexpo_attempt")
    assert (attempt["outcome"], attempt["code"]) == ("interrupted", "process_ended")


async def stopped(vendor: Vendor, within_seconds: float) -> dict[str, Any]:
    """The attempt that was under way when ingest was told to end."""
    scheduler = vendor.way_in.scheduler
    running = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(30):
        while not vendor.asked():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.05)
        await scheduler.drain(within_seconds)
        await running
    (attempt,) = await vendor.rows("SELECT outcome, code, ended_at, leads FROM virtualexpo_attempt")
    assert attempt["ended_at"] is not None
    return attempt


async def test_a_transfer_is_broken_off_by_a_stop(vendor: Vendor) -> None:
    vendor.sandbox.control(hang=True)
    await vendor.subscribe()
    attempt = await stopped(vendor, within_seconds=6)
    assert (attempt["outcome"], attempt["code"]) == ("interrupted", "stopped")


async def test_a_stop_without_any_time_says_so_of_the_attempt(vendor: Vendor) -> None:
    vendor.sandbox.control(hang=True)
    await vendor.subscribe()
    attempt = await stopped(vendor, within_seconds=0)
    assert attempt["outcome"] == "interrupted"


async def test_leads_that_came_before_a_stop_are_stored(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"), lead("VX-2"))
    vendor.sandbox.control(stall_after_bytes=900)
    await vendor.subscribe()
    attempt = await stopped(vendor, within_seconds=9)
    assert (attempt["outcome"], attempt["code"], attempt["leads"]) == ("partial", "stopped", 2)
    assert len(await vendor.published()) == 2


async def test_an_attempt_in_hand_is_left_to_whoever_makes_it(vendor: Vendor) -> None:
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.rows("UPDATE virtualexpo_attempt SET outcome = 'running', ended_at = NULL")
    await vendor.replica().scheduler.sweep()
    (attempt,) = await vendor.rows("SELECT outcome FROM virtualexpo_attempt")
    assert attempt["outcome"] == "running"


async def asked_again(vendor: Vendor, name: str = "aero") -> None:
    """It was asked once, and is again when two hours are over, and not before."""
    assert (await vendor.due_at(name)) == vendor.clock.now() + timedelta(seconds=FLOOR_SECONDS)
    assert await vendor.fetch(FLOOR_SECONDS - 1) is None
    assert await vendor.fetch(1) is not None
    assert len(vendor.asked()) == 2


async def test_a_setting_made_anew_waits_for_the_two_hours(vendor: Vendor) -> None:
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.unsubscribe()
    assert await vendor.fetch() is None
    await vendor.subscribe()
    await asked_again(vendor)


async def test_a_setting_made_anew_by_another_name_waits_for_the_two_hours(vendor: Vendor) -> None:
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.unsubscribe()
    await vendor.subscribe("another-name")
    await asked_again(vendor, "another-name")


async def test_a_changed_address_does_not_shorten_the_two_hours(vendor: Vendor) -> None:
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.subscribe(url=f"{vendor.sandbox.url}/leads?again=1&key={{key}}")
    await asked_again(vendor)


async def test_a_changed_setting_is_tried_as_soon_as_may_be(vendor: Vendor) -> None:
    await vendor.subscribe(interval_seconds=86_400)
    await vendor.fetch()
    assert (await vendor.due_at() - vendor.clock.now()).total_seconds() >= 86_400
    await vendor.subscribe()
    await asked_again(vendor)


async def test_what_is_switched_off_is_not_asked(vendor: Vendor) -> None:
    await vendor.subscribe(enabled=False)
    assert await vendor.fetch(NEXT_SECONDS) is None
    await vendor.subscribe(enabled=True)
    assert await vendor.fetch() is not None


async def test_two_settings_cannot_ask_for_the_same(vendor: Vendor) -> None:
    await vendor.subscribe()
    with pytest.raises(Problem) as refused:
        await vendor.subscribe("again")
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/spec/url", "fetched_already")
    ]


async def test_nor_can_two_that_are_made_at_once(vendor: Vendor) -> None:
    made = await asyncio.gather(*(vendor.subscribe(name) for name in "abcd"), return_exceptions=True)
    refused = [one for one in made if one is not None]
    assert len(refused) == 3
    for problem in refused:
        assert isinstance(problem, Problem)
        assert [error.code for error in problem.errors] == ["fetched_already"]


async def test_a_setting_of_a_newer_release_keeps_no_other_waiting(vendor: Vendor) -> None:
    await vendor.subscribe("newer")
    await vendor.rows("""UPDATE setting SET spec = spec || '{"colour": "green"}' WHERE name = 'newer'""")
    vendor.clock.advance(1)
    await vendor.subscribe("ours", url=f"{vendor.sandbox.url}/leads?key={{key}}&stand=2")
    assert await vendor.fetch() is None
    assert await vendor.fetch() is not None
    assert [seen.query.endswith("stand=2") for seen in vendor.asked()] == [True]


async def test_a_process_that_stood_still_asks_nothing(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have slept for hours between its attempt on record and the call."""
    monkeypatch.setattr("ingest.fetching.scheduler.LONGEST_CONNECT_SECONDS", -1.0)
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code) == ("failed", "too_late")
    assert vendor.asked() == []


async def test_a_defect_ends_its_attempt_alone(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise KeyError("Claire")

    monkeypatch.setattr("ingest.fetching.fetcher.ending", breaks)
    vendor.serve(lead("VX-1"))
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code) == ("failed", "defect")
    (attempt,) = await vendor.rows("SELECT outcome, code FROM virtualexpo_attempt")
    assert (attempt["outcome"], attempt["code"]) == ("failed", "defect")
