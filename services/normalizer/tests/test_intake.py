"""The batch handler on a real database: leads, revisions, duplicates, quarantine."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from leadbus.contracts.lead import Lead


async def test_a_raw_message_becomes_a_lead_with_its_event(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer(phone="(630) 555-0110", legal_name="Prairie Motors, Inc.")
    await workshop.raw.handle([message(payload("ClickForCallBack"), receivedat="2026-03-02T08:59:58Z")])
    lead = await workshop.lead()
    assert lead.dealer.dealer_id == "prairie-motors"
    assert lead.dealer.phone == "+16305550110"
    assert lead.customer.phones[0].e164 == "+13125550148"
    assert lead.received_at.isoformat() == "2026-03-02T08:59:58+00:00"
    (event,) = await workshop.published()
    assert event.type == "lead.received.v1"
    assert Lead.model_validate(event.data["lead"]) == lead
    (raw,) = await workshop.fetch("SELECT * FROM raw")
    assert raw["lead_id"] == lead.lead_id
    assert raw["wire_id"] == "raw-1"


async def test_the_same_message_again_changes_nothing(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    sent = message(payload())
    await workshop.map_dealer("lakeside", "40339")
    await workshop.raw.handle([sent, sent])
    await workshop.raw.handle([sent])
    assert list((await workshop.leads()).values()) == [1]
    assert len(await workshop.published()) == 1
    assert len(await workshop.fetch("SELECT 1 FROM raw")) == 1


async def test_the_same_content_under_another_id_is_kept_and_changes_nothing(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "raw-1"), message(payload(), "raw-2")])
    assert list((await workshop.leads()).values()) == [1]
    kept = await workshop.fetch("SELECT lead_id FROM raw")
    assert len(kept) == 2
    assert len({row["lead_id"] for row in kept}) == 1
    assert [event.type for event in await workshop.published()] == ["lead.received.v1"]


async def test_an_id_with_another_content_is_quarantined_once(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    reused = message(payload(comments="other"), "raw-1")
    await workshop.raw.handle([message(payload(), "raw-1"), reused, reused])
    await workshop.raw.handle([reused])
    (entry,) = await workshop.quarantined()
    assert (entry["reason"], entry["times"]) == ("id_reused", 1)
    assert Counter(event.type for event in await workshop.published()) == {
        "lead.received.v1": 1,
        "raw.quarantined.v1": 1,
    }
    assert len(await workshop.fetch("SELECT 1 FROM raw")) == 2


async def test_several_messages_of_one_lead_in_one_batch_are_folded_in_door_order(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    batch = [
        message(payload(comments="third"), "raw-3", receivedat="2026-03-02T08:00:03Z"),
        message(payload(comments="first"), "raw-1", receivedat="2026-03-02T08:00:01Z"),
        message(payload(comments="second"), "raw-2", receivedat="2026-03-02T08:00:02Z"),
    ]
    await workshop.raw.handle(batch)
    revisions = await workshop.revisions()
    assert [row["revision"] for row in revisions] == [1, 2, 3]
    assert [row["changed"] for row in revisions] == [[], ["message"], ["message"]]
    assert (await workshop.lead()).message == "third"
    types = [event.type for event in await workshop.published()]
    assert types == ["lead.received.v1", "lead.updated.v1", "lead.updated.v1"]


async def test_the_order_of_arrival_does_not_matter(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    told = [
        message(payload(comments="first", campaign="spring"), "raw-1", receivedat="2026-03-02T08:00:01Z"),
        message(payload(comments="second", transcript=[]), "raw-2", receivedat="2026-03-02T08:00:02Z"),
        message(payload(comments="", lead_source="elsewhere"), "raw-3", receivedat="2026-03-02T08:00:03Z"),
    ]
    contents = set()
    for number, order in enumerate(([0, 1, 2], [2, 1, 0], [1, 2, 0])):
        lead_id = f"CAO-{number}"
        for index in order:
            body = told[index].body.replace(b"CAO-88120977", lead_id.encode())
            renamed = message(
                body,
                f"raw-{number}-{index}",
                receivedat=f"2026-03-02T08:00:0{index + 1}Z",
            )
            await workshop.raw.handle([renamed])
    for row in await workshop.fetch("SELECT lead_id FROM lead"):
        lead = await workshop.lead(row["lead_id"])
        contents.add(lead.model_copy(update={"ids": ()}).digest())
        told_first, told_last = lead.extras["campaign"], lead.extras["lead_source"]
        assert (told_first, lead.message, told_last) == ("spring", "second", "elsewhere")
        assert lead.received_at.second == 1
    assert len(contents) == 1


async def test_a_location_of_the_account_goes_before_one_of_any(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer("anyone", "40217")
    await workshop.map_dealer("mine", "40217", account="my-account")
    await workshop.raw.handle(
        [
            message(payload(), "raw-1", account="my-account"),
            message(payload(), "raw-2", account="other-account"),
        ]
    )
    dealers = await workshop.fetch("SELECT account, dealer_id FROM lead ORDER BY account")
    assert dealers == [
        {"account": "my-account", "dealer_id": "mine"},
        {"account": "other-account", "dealer_id": "anyone"},
    ]


async def test_a_changed_dealer_shows_in_new_revisions_only(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer(contact="Marcy")
    await workshop.raw.handle([message(payload(), "raw-1")])
    await workshop.map_dealer(contact="Lee")
    await workshop.raw.handle([message(payload(), "raw-2")])
    assert (await workshop.lead()).dealer.contact == "Marcy"
    await workshop.raw.handle([message(payload(comments="more"), "raw-3")])
    lead = await workshop.lead()
    assert (lead.revision, lead.dealer.contact) == (2, "Lee")


async def test_a_trial_is_read_and_goes_nowhere(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), trial="true")])
    assert await workshop.leads() == {}
    assert await workshop.published() == []
    (raw,) = await workshop.fetch("SELECT trial, lead_id FROM raw")
    assert raw == {"trial": True, "lead_id": None}


async def test_a_test_lead_is_marked_everywhere(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), test="true")])
    assert (await workshop.lead()).test
    (row,) = await workshop.fetch(
        "SELECT lead.test AND raw.test AS marked FROM lead JOIN raw USING (lead_id)"
    )
    assert row["marked"]
    headers = (await workshop.fetch("SELECT headers FROM outbox"))[0]["headers"]
    assert '"cloudEvents_test": "true"' in headers


async def test_a_bare_body_is_a_duplicate_within_its_window_only(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), None)])
    workshop.clock.advance(599)
    await workshop.raw.handle([message(payload(), None)])
    workshop.clock.advance(602)
    await workshop.raw.handle([message(payload(), None)])
    assert list((await workshop.leads()).values()) == [1]
    assert len(await workshop.fetch("SELECT 1 FROM raw")) == 1
    assert len(await workshop.published()) == 1


async def test_what_our_own_code_fails_on_is_kept_with_the_class_of_the_error(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.raw.poison(message(payload()), ZeroDivisionError("secret"))
    await workshop.raw.poison(message(payload()), ZeroDivisionError("secret"))
    (entry,) = await workshop.quarantined()
    assert (entry["reason"], entry["detail"], entry["times"]) == (
        "undecodable",
        "failed with ZeroDivisionError",
        1,
    )
    (raw,) = await workshop.fetch("SELECT body FROM raw")
    assert raw["body"] == message(payload()).body


@pytest.mark.parametrize("seed", range(3))
async def test_batches_at_once_neither_deadlock_nor_skip_a_revision(
    workshop: Any, payload: Any, message: Any, seed: Any
) -> None:
    await workshop.map_dealer()
    chosen = random.Random(seed)
    batches = []
    for batch in range(8):
        leads = [f"CAO-{number}" for number in range(12)]
        chosen.shuffle(leads)
        batches.append(
            [
                message(payload(lead_id=lead, comments=f"{batch} {chosen.random()}"), f"raw-{batch}-{lead}")
                for lead in leads
            ]
        )
    await asyncio.gather(*(workshop.raw.handle(batch) for batch in batches))
    numbers: dict[object, list[int]] = {}
    for row in await workshop.revisions():
        numbers.setdefault(row["lead_id"], []).append(row["revision"])
    assert len(numbers) == 12
    assert all(found == list(range(1, 9)) for found in numbers.values())
    assert set((await workshop.leads()).values()) == {8}
    ids = [event.id for event in await workshop.published()]
    assert len(ids) == len(set(ids)) == 96


async def test_a_batch_takes_a_handful_of_statements(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    statements: list[str] = []
    batches = [
        [message(payload(lead_id=f"CAO-{start + n}"), f"raw-{start + n}") for n in range(100)]
        for start in (0, 100)
    ]
    # asyncpg asks for types once per connection, and the pool hands out the one used last.
    await workshop.raw.handle(batches[0])
    async with workshop.database.acquire() as connection:
        connection.add_query_logger(lambda record: statements.append(record.query))
    await workshop.raw.handle(batches[1])
    assert len(await workshop.leads()) == 200
    assert any("INSERT INTO lead_revision" in query for query in statements)
    assert len(statements) <= 12, statements
