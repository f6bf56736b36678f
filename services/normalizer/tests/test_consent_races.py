"""Acts of consent while leads come, replicas share the work, and processes die."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from normalizer import reporting, surroundings
from normalizer.domain.consents import Act, Ledger, record
from normalizer.store import acts

from tests.support.consenting import ANN, BOB, Desk, Make, chats, consents, lead_of, prepare

ORDINARY = "normalizer.found_ordinary"


@pytest.fixture
async def keyed(workshop: Any) -> Any:
    return await prepare(workshop)


@pytest.fixture
def desk(keyed: Any) -> Desk:
    return Desk(keyed)


@pytest.fixture
def chat(payload: Any, message: Any) -> Make:
    return chats(payload, message)


class Killed(Exception):  # noqa: N818 -- as a process is
    """The process ended here."""


async def test_killed_before_its_commit_it_is_done_again_and_once(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "_LEADS", 2)
    await keyed.raw.handle([chat(f"a{n}") for n in range(6)])
    await desk.say("withdraw", f"mailto:{ANN}")
    batches = 0
    while await desk.left():
        with monkeypatch.context() as patched:
            patched.setattr(acts, "went_on", _dies)
            with pytest.raises(Killed):
                await desk.consenting.apply()
        await Desk(keyed).consenting.apply()
        batches += 1
    assert batches > 4
    assert {row["revision"] for row in await keyed.fetch("SELECT revision FROM lead")} == {2}
    changed = [event for event in await keyed.published() if event.type == "lead.consent_changed.v1"]
    assert len(changed) == len({event.id for event in changed}) == 6


async def _dies(*_: Any) -> None:
    raise Killed


async def test_replicas_share_the_acts(keyed: Any, chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_LEADS", 3)
    await keyed.raw.handle([chat(f"a{n}") for n in range(9)] + [chat(f"b{n}", BOB) for n in range(9)])
    replicas = [Desk(keyed) for _ in range(3)]
    await replicas[0].say("withdraw", f"mailto:{ANN}")
    await replicas[1].say("withdraw", f"mailto:{BOB}")
    await asyncio.gather(*(replica.apply() for replica in replicas))
    assert {row["revision"] for row in await keyed.fetch("SELECT revision FROM lead")} == {2}
    assert await keyed.fetch("SELECT FROM consent_act WHERE applied_at IS NULL") == []


@pytest.mark.parametrize("few", [0, 8])
async def test_an_act_recorded_between_look_and_write_is_not_missed(
    keyed: Any, desk: Desk, chat: Any, passed: list[str], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(surroundings, "FEW", few)
    normalizing = keyed.raw._normalizing
    write_new = normalizing.write_new

    async def after_the_act(*arguments: Any, **named: Any) -> None:
        await desk.say("withdraw", f"mailto:{ANN}")
        await desk.apply()
        await write_new(*arguments, **named)

    monkeypatch.setattr(normalizing, "write_new", after_the_act)
    await keyed.raw.handle([chat("a")])
    assert ORDINARY in passed
    assert await consents(keyed, "a") == ["withdrawn"]
    assert (await lead_of(keyed, "a")).revision == 1


async def test_an_act_is_laid_over_leads_again_when_what_was_on_its_way_has_come(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that looked before the act and commits after the walk: the second walk finds its lead."""
    looked, go_on = asyncio.Event(), asyncio.Event()
    normalizing = keyed.raw._normalizing
    write = normalizing.write

    async def slow(*arguments: Any, **named: Any) -> Any:
        looked.set()
        await go_on.wait()
        return await write(*arguments, **named)

    monkeypatch.setattr(normalizing, "write", slow)
    # Twice the same message: the batch takes the long way, in a transaction.
    batch = asyncio.create_task(keyed.raw.handle([chat("a"), chat("a")]))
    await looked.wait()
    await desk.say("withdraw", f"mailto:{ANN}")
    assert await desk.consenting.apply()
    assert not await desk.consenting.apply()
    (act,) = await keyed.fetch("SELECT walked_at, applied_at FROM consent_act")
    assert act["walked_at"] is not None
    assert act["applied_at"] is None
    go_on.set()
    await batch
    assert await consents(keyed, "a") == ["request"]
    await desk.apply()
    assert await consents(keyed, "a") == ["withdrawn"]


async def test_the_task_is_rung_and_counts(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages: list[float] = []
    monkeypatch.setattr("normalizer.reporting.CONSENT_AGE.set", ages.append)

    async def nothing_waits() -> bool:
        return bool(ages) and ages[-1] == 0.0

    before = _counted()
    await keyed.raw.handle([chat("a")])
    tasks = [asyncio.create_task(run()) for run in (desk.consenting.run, desk.consenting.listen)]
    try:
        await desk.say("withdraw", f"mailto:{ANN}")

        async def withdrawn() -> bool:
            return await consents(keyed, "a") == ["withdrawn"] and not await desk.left()

        await keyed.until(withdrawn)
        await keyed.until(nothing_waits)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert _counted() == (before[0] + 1, before[1] + 1)


def _counted() -> tuple[float, float]:
    acted = reporting.CONSENT_ACTS.labels(action="withdraw", told_by="operator")
    changed = reporting.CONSENTS_CHANGED.labels(source="contactatonce")
    return float(acted._value.get()), float(changed._value.get())


async def test_the_same_act_twice_is_one(keyed: Any, desk: Desk) -> None:
    act_id = uuid4()
    for _ in range(2):
        await desk.say("withdraw", f"mailto:{ANN}", act_id=act_id)
    assert len(await keyed.fetch("SELECT FROM consent_act")) == 1


async def test_standings_are_what_the_acts_come_to_in_any_order(keyed: Any, desk: Desk) -> None:
    ledger = Ledger()
    said: list[tuple[Any, tuple[str, ...]]] = [
        ("grant", ("nurture", "sales")),
        ("withdraw", ("sales",)),
        ("grant", ("sales",)),
        ("withdraw", ()),
        ("grant", ("marketing",)),
    ]
    for action, purposes in said:
        await desk.say(action, f"mailto:{ANN}", *purposes)
        ledger = record(ledger, Act(f"mailto:{ANN}", action, keyed.clock.now(), purposes))
        keyed.clock.advance(60)
    rows = await keyed.fetch("SELECT contact, purpose, state, at FROM consent_standing")
    assert {(row["contact"], row["purpose"]): (row["state"], row["at"]) for row in rows} == {
        key: (stand.state, stand.at) for key, stand in ledger.standings.items()
    }


async def test_what_a_person_said_goes_before_what_a_source_said(keyed: Any, desk: Desk) -> None:
    for n in range(3):
        await desk.say("grant", f"mailto:{n}@example.org", "sales", told_by="source")
    await desk.say("withdraw", f"mailto:{ANN}")
    await desk.consenting.apply()
    (first,) = await keyed.fetch("SELECT contact FROM consent_act WHERE walked_at IS NOT NULL")
    assert first["contact"] == f"mailto:{ANN}"
