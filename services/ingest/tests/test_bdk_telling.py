"""A connection that needs a person is an event, told once by whichever replica; and so is its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ingest.bdk.measuring import Measuring
from leadbus.contracts import EVENTS
from leadbus.contracts.events import ConnectionMended
from leadbus.outbox import LeftToClaims

from tests.support.bdk_bank import NAME, PARTNER, VARIABLE, Bank, lead

NEEDS_PERSON, MENDED = "connection.needs_person.v1", "connection.mended.v1"


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def look(bank: Bank, replicas: int = 1) -> None:
    looking = [
        Measuring(bank.ingest.database, bank.ingest.clock, outgoing=LeftToClaims()) for _ in range(replicas)
    ]
    await asyncio.gather(*(one.measure() for one in looking))


async def told(bank: Bank) -> list[tuple[str, list[str]]]:
    """Types and reasons of the events, in their order; each keeps to its contract."""
    rows = await bank.ingest.rows("SELECT * FROM outbox WHERE routing_key LIKE 'connection.%' ORDER BY id")
    events = [(row["routing_key"], json.loads(row["body"])) for row in rows]
    for type_, data in events:
        EVENTS[type_].model.model_validate(data)
        assert (data["service"], data["connection"]) == ("ingest", f"BdkConnection/{NAME}")
    return [(type_, data["reasons"]) for type_, data in events]


async def forbid(bank: Bank) -> None:
    await bank.misbehave(forbidden_partners=[PARTNER])
    await bank.put(lead())
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()


async def lose_the_secret(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the bank takes the token no more that we have."""
    await bank.put(lead("LS-2"))
    await bank.notify({"leadId": "LS-2"})
    monkeypatch.delenv(VARIABLE)
    await bank.misbehave(forbidden_partners=[PARTNER], revoke_after=0)
    await bank.fetch()


async def test_nothing_is_told_of_what_is_well(bank: Bank) -> None:
    await bank.notify({"leadId": "LS-1"})
    await bank.fetch()
    await look(bank)
    assert await told(bank) == []


async def test_it_is_told_once_however_many_look_and_however_often(bank: Bank) -> None:
    await forbid(bank)
    await look(bank, replicas=4)
    bank.ingest.clock.advance(60)
    await look(bank, replicas=2)
    assert await told(bank) == [(NEEDS_PERSON, ["forbidden"])]


async def test_its_end_is_told_with_what_it_was(bank: Bank) -> None:
    await forbid(bank)
    await look(bank)
    since = bank.ingest.clock.now()
    await bank.misbehave(forbidden_partners=[])
    bank.ingest.clock.advance(2 * 3600)
    await bank.fetch()
    await look(bank, replicas=2)
    assert await told(bank) == [(NEEDS_PERSON, ["forbidden"]), (MENDED, ["forbidden"])]
    row = (await bank.ingest.rows("SELECT body FROM outbox ORDER BY id DESC LIMIT 1"))[0]
    data = ConnectionMended.model_validate_json(row["body"])
    assert (data.since, data.mended_at) == (since, bank.ingest.clock.now())


@pytest.mark.parametrize("how", ["switched off", "deleted"])
async def test_nobody_is_needed_for_what_is_off_or_gone(bank: Bank, how: str) -> None:
    await forbid(bank)
    await look(bank)
    if how == "deleted":
        headers = {**bank.ingest.token("admin"), "If-Match": "*"}
        await bank.ingest.http.delete(f"/v1/settings/BdkConnection/{NAME}", headers=headers)
    else:
        await bank.connect(enabled=False)
    await look(bank)
    assert await told(bank) == [(NEEDS_PERSON, ["forbidden"]), (MENDED, ["forbidden"])]
    assert await bank.ingest.rows("SELECT FROM connection_told") == []


async def test_one_reason_more_is_told_and_one_less_is_not(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forbid(bank)
    await look(bank)
    with monkeypatch.context() as patched:
        await lose_the_secret(bank, patched)
        await look(bank)
    assert await told(bank) == [
        (NEEDS_PERSON, ["forbidden"]),
        (NEEDS_PERSON, ["forbidden", "secret_unreadable"]),
    ]
    bank.ingest.clock.advance(3600)
    await bank.fetch()
    await look(bank)
    assert len(await told(bank)) == 2


async def test_what_comes_back_is_told_again(bank: Bank) -> None:
    for _ in range(2):
        await forbid(bank)
        await look(bank)
        await bank.misbehave(forbidden_partners=[])
        bank.ingest.clock.advance(2 * 3600)
        await bank.fetch()
        await look(bank)
        await bank.put(lead(message="again"))
    assert [type_ for type_, _ in await told(bank)] == [NEEDS_PERSON, MENDED] * 2
