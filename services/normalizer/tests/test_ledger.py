"""The lead ledger: the latest of each sink and route, however the events arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest
from leadbus.contracts.events import EVENTS
from leadbus.envelope import Envelope, encode
from leadbus.messages import IncomingMessage

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DELIVERY = UUID(int=5)


def event(
    lead_id: object, kind: str, minutes: int, *, route: str = "prairie", attempts: int = 1, **more: object
):
    contract = EVENTS[f"delivery.{kind}.v1"]
    data = contract.model.model_validate(
        {
            "delivery_id": DELIVERY,
            "sink": "adf-mailer",
            "subject_id": str(lead_id),
            "route": route,
            "outcome": kind,
            "attempts": attempts,
            "planned_at": AT,
            "finished_at": AT + timedelta(minutes=minutes),
            **more,
        }
    ).to_json()
    envelope = Envelope(
        str(uuid4()), "adf-mailer", contract.type, datacontenttype="application/json", data=data
    )
    headers, properties = encode(envelope)
    return IncomingMessage(
        body=data,
        exchange="leadbus.events",
        routing_key=contract.type,
        headers=headers,
        properties=properties,
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


@pytest.fixture
async def lead_id(workshop, payload, message) -> UUID:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload())])
    (lead_id,) = await workshop.leads()
    return lead_id


async def ledger(workshop) -> list[tuple[object, ...]]:
    rows = await workshop.fetch("SELECT route, state, outcome, attempts FROM ledger ORDER BY route")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("together", [True, False])
async def test_order_and_repetition_do_not_matter(together, workshop, lead_id) -> None:
    events = [
        event(lead_id, "failed", 1, attempts=9),
        event(lead_id, "recovered", 2, attempts=10),
        event(lead_id, "skipped", 0, attempts=0),
    ]
    for arrival in permutations(events):
        await workshop.fetch("DELETE FROM ledger")
        repeated = [*arrival, *arrival]
        batches = [repeated] if together else [[each] for each in repeated]
        for batch in batches:
            await workshop.ledger.handle(batch)
        assert await ledger(workshop) == [("prairie", "delivered", "recovered", 10)]


async def test_routes_stand_beside_each_other(workshop, lead_id) -> None:
    await workshop.ledger.handle(
        [event(lead_id, "succeeded", 1), event(lead_id, "skipped", 1, route="", outcome="no_route")]
    )
    assert await ledger(workshop) == [
        ("", "skipped", "no_route", 1),
        ("prairie", "delivered", "succeeded", 1),
    ]


async def test_what_is_no_lead_of_ours_passes_by(workshop, lead_id) -> None:
    await workshop.ledger.handle(
        [event(uuid4(), "succeeded", 1), event("SR-1", "succeeded", 1), event(lead_id, "succeeded", 1)]
    )
    assert len(await ledger(workshop)) == 1


async def test_an_event_that_breaks_its_contract_is_parked(workshop, lead_id) -> None:
    from dataclasses import replace

    broken = replace(event(lead_id, "succeeded", 1), body=b"{}")
    with pytest.raises(ValueError) as caught:
        await workshop.ledger.handle([broken])
    with pytest.raises(ValueError):
        await workshop.ledger.poison(broken, caught.value)
