"""How raw messages leave the quarantine."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from normalizer import reading, reporting, sources
from normalizer.domain.draft import Draft
from normalizer.quarantining import ClosedEntryError, UnknownRawError


async def quarantined_key(workshop: Any) -> UUID:
    (entry,) = [row for row in await workshop.quarantined() if row["state"] == "open"]
    return UUID(str(entry["raw_key"]))


async def test_what_waits_for_a_mapping_says_for_which(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.raw.handle([message(payload())])
    (entry,) = await workshop.quarantined()
    assert (entry["reason"], entry["field"], entry["location"]) == ("location_unmapped", "dealer.id", "40217")
    assert await workshop.leads() == {}


async def test_a_mapping_releases_in_bounded_batches_and_in_order(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.raw.handle([message(payload(lead_id=f"CAO-{n}"), f"raw-{n}") for n in range(5)])
    assert await workshop.quarantining.release_mapped() == 0
    await workshop.map_dealer()
    assert [await workshop.quarantining.release_mapped() for _ in range(4)] == [2, 2, 1, 0]
    assert list((await workshop.leads()).values()) == [1] * 5
    assert Counter(event.type for event in await workshop.published()) == {
        "raw.quarantined.v1": 5,
        "lead.received.v1": 5,
        "raw.released.v1": 5,
    }
    released = [event.data for event in await workshop.published() if event.type == "raw.released.v1"]
    assert {event["how"] for event in released} == {"mapped"}
    assert {UUID(lead) for event in released for lead in event["lead_ids"]} == set(await workshop.leads())


async def test_replicas_share_the_release(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.raw.handle([message(payload(lead_id=f"CAO-{n}"), f"raw-{n}") for n in range(6)])
    await workshop.map_dealer()
    released = await asyncio.gather(*(workshop.quarantining.release_mapped() for _ in range(4)))
    assert sum(released) == 6
    assert len(await workshop.leads()) == 6


async def test_a_mapping_of_another_account_releases_nothing(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.raw.handle([message(payload(), account="mine")])
    await workshop.map_dealer(account="other")
    assert await workshop.quarantining.release_mapped() == 0
    await workshop.map_dealer(account="mine")
    assert await workshop.quarantining.release_mapped() == 1


async def test_the_bell_releases_without_waiting_for_the_poll(
    workshop: Any, payload: Any, message: Any
) -> None:
    workshop.quarantining._poll_seconds = 3600
    await workshop.raw.handle([message(payload())])
    tasks = [asyncio.create_task(run()) for run in (workshop.quarantining.run, workshop.quarantining.listen)]
    try:
        await workshop.map_dealer()
        await workshop.until(workshop.leads)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_release_that_is_killed_starts_again(
    workshop: Any, payload: Any, message: Any, monkeypatch: Any
) -> None:
    await workshop.raw.handle([message(payload())])
    await workshop.map_dealer()
    normalizing = workshop.quarantining._normalizing

    async def killed(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(normalizing, "release", killed)
        with pytest.raises(ConnectionResetError):
            await workshop.quarantining.release_mapped()
    assert await workshop.leads() == {}
    assert await workshop.quarantining.release_mapped() == 1
    assert list((await workshop.leads()).values()) == [1]


async def test_a_defect_of_an_adapter_costs_its_own_message_only(
    workshop: Any, payload: Any, message: Any, monkeypatch: Any
) -> None:
    def defective(source: str, data: bytes, content_type: str | None, *by: Any) -> Any:
        if b"CAO-unlucky" in data:
            raise ZeroDivisionError("secret")
        return sources.read(source, data, content_type, *by)

    unlucky = message(payload(lead_id="CAO-unlucky"), "raw-2")
    await workshop.raw.handle([message(payload(), "raw-1"), unlucky])
    await workshop.map_dealer()
    monkeypatch.setattr(reading, "read", defective)
    assert await workshop.quarantining.release_mapped() == 1
    assert await workshop.quarantining.release_mapped() == 0
    (entry,) = [row for row in await workshop.quarantined() if row["state"] == "open"]
    assert (entry["reason"], entry["detail"]) == ("undecodable", "failed with ZeroDivisionError")


async def test_a_replay_says_what_still_holds_and_can_be_repeated(
    workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    await workshop.raw.handle([message(payload())])
    key = await quarantined_key(workshop)
    for times in (2, 3):
        replayed = await workshop.quarantining.replay(key, operator)
        assert replayed.verdict is not None
        assert replayed.verdict.reason == "location_unmapped"
        assert [row["times"] for row in await workshop.quarantined()] == [times]
    await workshop.map_dealer()
    replayed = await workshop.quarantining.replay(key, operator)
    assert (replayed.change, replayed.revision) == ("received", 1)
    with pytest.raises(ClosedEntryError) as closed:
        await workshop.quarantining.replay(key, operator)
    assert closed.value.state == "released"
    types = [event.type for event in await workshop.published()]
    assert sorted(types) == ["lead.received.v1", "raw.quarantined.v1", "raw.released.v1"]
    audited = await workshop.fetch("SELECT actor, action FROM audit WHERE action = 'quarantine.replay'")
    assert audited == [{"actor": "olga", "action": "quarantine.replay"}] * 3


async def test_a_replay_that_fails_for_another_reason_says_so(
    workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    foreign = message(payload())
    await workshop.raw.handle([replace(foreign, reply_to="somewhere")])
    key = await quarantined_key(workshop)
    replayed = await workshop.quarantining.replay(key, operator)
    assert replayed.verdict is not None
    (entry,) = await workshop.quarantined()
    assert (entry["reason"], entry["state"]) == ("location_unmapped", "open")
    reasons = [event.data["reason"] for event in await workshop.published()]
    assert reasons == ["foreign_message", "location_unmapped"]
    await workshop.map_dealer()
    assert await workshop.quarantining.release_mapped() == 1


async def test_what_is_rolled_back_is_not_reported(
    workshop: Any, payload: Any, message: Any, operator: Any, monkeypatch: Any
) -> None:
    await workshop.raw.handle([replace(message(payload()), reply_to="somewhere")])
    key = await quarantined_key(workshop)
    counted = reporting.QUARANTINED.labels(source="contactatonce", reason="location_unmapped")
    before = counted._value.get()

    async def lost(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(workshop.quarantining, "_audit", lost)
        with pytest.raises(ConnectionResetError):
            await workshop.quarantining.replay(key, operator)
    assert counted._value.get() == before
    await workshop.quarantining.replay(key, operator)
    assert counted._value.get() == before + 1


async def test_a_discarded_message_is_kept_and_stays_discarded(
    workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    await workshop.raw.handle([message(payload())])
    key = await quarantined_key(workshop)
    await workshop.quarantining.discard(key, operator, "a scanner's message")
    (entry,) = await workshop.quarantined()
    assert (entry["state"], entry["closed_by"], entry["note"]) == ("discarded", "olga", "a scanner's message")
    with pytest.raises(ClosedEntryError):
        await workshop.quarantining.discard(key, operator, "again")
    with pytest.raises(ClosedEntryError):
        await workshop.quarantining.replay_raw(key, operator)
    await workshop.map_dealer()
    assert await workshop.quarantining.release_mapped() == 0
    assert (await workshop.published())[-1].data["how"] == "discarded"
    assert len(await workshop.fetch("SELECT 1 FROM raw")) == 1


async def test_a_replay_of_what_made_a_lead_delivers_nothing_when_nothing_changed(
    workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload())])
    (raw,) = await workshop.fetch("SELECT raw_key, lead_id FROM raw")
    replayed = await workshop.quarantining.replay_raw(raw["raw_key"], operator)
    assert (replayed.change, replayed.lead_id, replayed.revision) == ("unchanged", raw["lead_id"], 1)
    assert len(await workshop.published()) == 1


async def test_a_better_adapter_makes_a_revision_of_the_pinned_lead(
    workshop: Any, payload: Any, message: Any, operator: Any, monkeypatch: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle(
        [
            message(payload(comments="kept as told later"), "raw-2", receivedat="2026-03-02T08:00:02Z"),
            message(payload(vehicle=None), "raw-1", receivedat="2026-03-02T08:00:01Z"),
        ]
    )
    first = await workshop.lead()

    def better(source: str, data: bytes, content_type: str | None, *by: Any) -> Draft:
        draft = sources.read(source, data, content_type, *by)
        assert isinstance(draft, Draft)
        return replace(
            draft, external_id=f"better-{draft.external_id}", subject="now read", message="now read"
        )

    monkeypatch.setattr(reading, "read", better)
    (raw,) = await workshop.fetch("SELECT raw_key FROM raw WHERE wire_id = 'raw-1'")
    replayed = await workshop.quarantining.replay_raw(raw["raw_key"], operator)
    assert (replayed.change, replayed.lead_id) == ("updated", first.lead_id)
    lead = await workshop.lead()
    assert (lead.revision, lead.subject) == (first.revision + 1, "now read")
    assert len(await workshop.leads()) == 1


async def test_what_is_unknown_is_said_so(workshop: Any, operator: Any) -> None:
    for act in (workshop.quarantining.replay, workshop.quarantining.replay_raw):
        with pytest.raises(UnknownRawError):
            await act(UUID(int=1), operator)
    with pytest.raises(UnknownRawError):
        await workshop.quarantining.discard(UUID(int=1), operator, "why")
