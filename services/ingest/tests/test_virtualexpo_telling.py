"""A subscription that the vendor does not let in needs a person: an event, and one for its end."""

from __future__ import annotations

import asyncio
import json

import pytest
from leadbus.contracts import EVENTS

from tests.support.vendor import NEXT_SECONDS, Vendor

NEEDS_PERSON, MENDED = "connection.needs_person.v1", "connection.mended.v1"


async def told(vendor: Vendor) -> list[tuple[str, list[str]]]:
    """Types and reasons of the events, in their order; each keeps to its contract."""
    rows = await vendor.rows("SELECT * FROM outbox WHERE routing_key LIKE 'connection.%' ORDER BY id")
    events = [(row["routing_key"], json.loads(row["body"])) for row in rows]
    for type_, data in events:
        EVENTS[type_].model.model_validate(data)
        assert (data["service"], data["connection"]) == ("ingest", "VirtualExpoSubscription/aero")
    return [(type_, data["reasons"]) for type_, data in events]


async def test_refused_and_let_in_again(vendor: Vendor) -> None:
    vendor.sandbox.control(status=403)
    await vendor.subscribe()
    await vendor.fetch()
    replicas = [vendor.replica() for _ in range(4)]
    await asyncio.gather(*(replica.scheduler.sweep() for replica in replicas))
    assert await told(vendor) == [(NEEDS_PERSON, ["key_refused"])]

    vendor.sandbox.control(status=429)
    await vendor.fetch(NEXT_SECONDS)
    await vendor.way_in.scheduler.sweep()
    assert len(await told(vendor)) == 1, "throttled says nothing of the key"

    vendor.sandbox.control()
    await vendor.fetch(24 * 3600)
    await vendor.way_in.scheduler.sweep()
    assert await told(vendor) == [(NEEDS_PERSON, ["key_refused"]), (MENDED, ["key_refused"])]


async def test_without_a_key(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPO_KEY_OF_A_TEST", "k")
    await vendor.subscribe(key="env:EXPO_KEY_OF_A_TEST")
    monkeypatch.delenv("EXPO_KEY_OF_A_TEST")
    await vendor.fetch()
    await vendor.way_in.scheduler.sweep()
    assert await told(vendor) == [(NEEDS_PERSON, ["secret_unreadable"])]


@pytest.mark.parametrize("how", ["switched off", "taken down"])
async def test_nobody_is_needed_for_what_is_off_or_gone(vendor: Vendor, how: str) -> None:
    vendor.sandbox.control(status=401)
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.way_in.scheduler.sweep()
    if how == "switched off":
        await vendor.subscribe(enabled=False)
    else:
        await vendor.unsubscribe()
    await vendor.way_in.scheduler.sweep()
    assert [type_ for type_, _ in await told(vendor)] == [NEEDS_PERSON, MENDED]
    assert await vendor.rows("SELECT FROM connection_told") == []


@pytest.mark.parametrize("faults", [{}, {"status": 500}, {"cut_after_bytes": 10}])
async def test_what_heals_by_itself_needs_nobody(vendor: Vendor, faults: dict[str, int]) -> None:
    vendor.sandbox.control(**faults)
    await vendor.subscribe()
    await vendor.fetch()
    await vendor.way_in.scheduler.sweep()
    assert await told(vendor) == []
