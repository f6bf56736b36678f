"""The lead ledger: the latest of each sink, route and target, however the events arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from leadbus import metrics
from leadbus.contracts.events import EVENTS
from leadbus.envelope import Envelope, encode
from leadbus.messages import IncomingMessage
from normalizer.counting import Counting

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DELIVERY = UUID(int=5)


def event(
    lead_id: object, kind: str, minutes: int, *, route: str = "prairie", attempts: int = 1, **more: object
) -> IncomingMessage:
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
async def lead_id(workshop: Any, payload: Any, message: Any) -> UUID:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload())])
    (lead_id,) = await workshop.leads()
    return UUID(str(lead_id))


async def ledger(workshop: Any) -> list[tuple[object, ...]]:
    rows = await workshop.fetch("SELECT route, state, outcome, attempts FROM ledger ORDER BY route")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("together", [True, False])
async def test_order_and_repetition_do_not_matter(together: Any, workshop: Any, lead_id: Any) -> None:
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


@pytest.mark.parametrize(
    ("earlier", "skip", "stands"),
    [
        pytest.param(
            "succeeded", {"attempts": 0, "outcome": "not_material"}, "delivered", id="update-not-sent"
        ),
        pytest.param("failed", {"attempts": 0, "outcome": "updates_ignored"}, "failed", id="failure-stays"),
        pytest.param("succeeded", {"attempts": 2, "repeat": True}, "delivered", id="repeat-not-allowed"),
        pytest.param("failed", {"attempts": 2, "outcome": "consent"}, "skipped", id="redrive-ended-by-skip"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_skip_that_ended_no_try_unsays_nothing(
    earlier: Any, skip: Any, stands: Any, together: Any, workshop: Any, lead_id: Any
) -> None:
    said = [event(lead_id, earlier, 1), event(lead_id, "skipped", 2, **skip)]
    for arrival in permutations(said):
        await workshop.fetch("DELETE FROM ledger")
        for batch in [arrival] if together else [[each] for each in arrival]:
            await workshop.ledger.handle(batch)
        assert [row[1] for row in await ledger(workshop)] == [stands]


@pytest.mark.parametrize("ended", ["failed", "skipped"])
@pytest.mark.parametrize("together", [True, False])
async def test_what_took_the_place_of_a_delivery_stands_whichever_ended_later(
    ended: Any, together: Any, workshop: Any, lead_id: Any
) -> None:
    """As after a death: the refused mail was in doubt, and refused again when the other one had arrived."""
    said = [
        event(lead_id, ended, 5, attempts=2),
        event(lead_id, "succeeded", 3, delivery_id=UUID(int=6), planned_at=AT + timedelta(minutes=2)),
    ]
    for arrival in permutations(said):
        await workshop.fetch("DELETE FROM ledger")
        for batch in [arrival] if together else [[each] for each in arrival]:
            await workshop.ledger.handle(batch)
        assert await ledger(workshop) == [("prairie", "delivered", "succeeded", 1)]


@pytest.mark.parametrize("together", [True, False])
async def test_what_came_back_after_it_was_taken_has_failed(
    together: Any, workshop: Any, lead_id: Any
) -> None:
    """As adf-mailer tells it: the same try, a microsecond later at least; and again what was then taken."""
    taken = event(lead_id, "succeeded", 1)
    bounced = event(
        lead_id, "failed", 1, outcome="bounced", finished_at=AT + timedelta(minutes=1, microseconds=1)
    )
    again = event(lead_id, "recovered", 20, attempts=2, repeat=True)
    for said, stands in (
        ([taken, bounced], ("prairie", "failed", "bounced", 1)),
        ([taken, bounced, again], ("prairie", "delivered", "recovered", 2)),
    ):
        for arrival in permutations(said):
            await workshop.fetch("DELETE FROM ledger")
            for batch in [arrival] if together else [[each] for each in arrival]:
                await workshop.ledger.handle(batch)
            assert await ledger(workshop) == [stands]


FIRST: dict[str, object] = {}
OTHER: dict[str, object] = {"target": "more_addresses.1", "delivery_id": UUID(int=6)}
COPY: dict[str, object] = {"target": "copies.1", "aside": True, "delivery_id": UUID(int=7)}
NOTICE: dict[str, object] = {"target": "notify.1", "aside": True, "delivery_id": UUID(int=8)}
WARNING: dict[str, object] = {"target": "warning.1", "aside": True, "delivery_id": UUID(int=9)}
ALTERNATE: dict[str, object] = {"delivery_id": UUID(int=10), "planned_at": AT + timedelta(minutes=1)}
BOUNCED: dict[str, object] = {"outcome": "bounced"}


@pytest.mark.parametrize(
    ("said", "state", "entries"),
    [
        pytest.param(
            [("failed", 1, FIRST), ("succeeded", 2, NOTICE)],
            "failed",
            {"": "failed", "notify.1": "delivered"},
            id="refused-notice-later",
        ),
        pytest.param(
            [("failed", 1, FIRST), ("succeeded", 2, COPY)],
            "failed",
            {"": "failed", "copies.1": "delivered"},
            id="refused-copy-later",
        ),
        pytest.param(
            [("succeeded", 1, FIRST), ("failed", 2, COPY)],
            "delivered",
            {"": "delivered", "copies.1": "failed"},
            id="delivered-copy-refused",
        ),
        pytest.param(
            [("failed", 2, FIRST), ("succeeded", 3, ALTERNATE)],
            "delivered",
            {"": "delivered"},
            id="refused-alternate-took-it",
        ),
        pytest.param(
            [("failed", 9, FIRST), ("succeeded", 3, ALTERNATE)],
            "delivered",
            {"": "delivered"},
            id="refused-again-after-alternate-took-it",
        ),
        pytest.param(
            [("failed", 2, FIRST), ("failed", 3, ALTERNATE), ("succeeded", 4, NOTICE)],
            "failed",
            {"": "failed", "notify.1": "delivered"},
            id="alternate-refused-too",
        ),
        pytest.param(
            [("failed", 1, OTHER), ("succeeded", 2, FIRST)],
            "failed",
            {"": "delivered", "more_addresses.1": "failed"},
            id="one-of-two-refused",
        ),
        pytest.param(
            [
                ("failed", 1, OTHER),
                ("succeeded", 2, FIRST),
                ("recovered", 3, {**OTHER, "attempts": 2}),
            ],
            "delivered",
            {"": "delivered", "more_addresses.1": "delivered"},
            id="one-of-two-redriven",
        ),
        pytest.param(
            [("failed", 1, FIRST), ("succeeded", 2, WARNING)],
            "failed",
            {"": "failed", "warning.1": "delivered"},
            id="refused-warning-later",
        ),
        pytest.param(
            [("succeeded", 1, FIRST), ("succeeded", 1, OTHER), ("failed", 5, {**OTHER, **BOUNCED})],
            "failed",
            {"": "delivered", "more_addresses.1": "failed"},
            id="one-of-two-bounced",
        ),
        pytest.param(
            [("succeeded", 1, FIRST), ("succeeded", 1, NOTICE), ("failed", 5, {**NOTICE, **BOUNCED})],
            "delivered",
            {"": "delivered", "notify.1": "failed"},
            id="notice-bounced",
        ),
        pytest.param(
            [("skipped", 1, {"outcome": "sensitive"}), ("succeeded", 2, NOTICE)],
            "unrouted",
            {"": "skipped", "notify.1": "delivered"},
            id="skipped-notice-delivered",
        ),
        pytest.param(
            [("succeeded", 1, NOTICE), ("failed", 2, COPY)],
            "waiting",
            {"copies.1": "failed", "notify.1": "delivered"},
            id="nothing-of-the-lead-itself",
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_lead_stands_by_the_recipients_that_count(
    said: Any, state: Any, entries: Any, together: Any, workshop: Any, lead_id: Any
) -> None:
    events = [event(lead_id, kind, minutes, **more) for kind, minutes, more in said]
    for arrival in permutations(events):
        await workshop.fetch("DELETE FROM ledger")
        await workshop.fetch("UPDATE lead SET state = 'waiting'")
        for batch in [arrival] if together else [[each] for each in arrival]:
            await workshop.ledger.handle(batch)
        rows = await workshop.fetch("SELECT target, state FROM ledger")
        assert {row["target"]: row["state"] for row in rows} == entries
        assert [row["state"] for row in await workshop.fetch("SELECT state FROM lead")] == [state]


async def test_routes_stand_beside_each_other(workshop: Any, lead_id: Any) -> None:
    await workshop.ledger.handle(
        [event(lead_id, "succeeded", 1), event(lead_id, "skipped", 1, route="", outcome="no_route")]
    )
    assert await ledger(workshop) == [
        ("", "skipped", "no_route", 1),
        ("prairie", "delivered", "succeeded", 1),
    ]


async def test_what_is_no_lead_of_ours_passes_by(workshop: Any, lead_id: Any) -> None:
    await workshop.ledger.handle(
        [event(uuid4(), "succeeded", 1), event("SR-1", "succeeded", 1), event(lead_id, "succeeded", 1)]
    )
    assert len(await ledger(workshop)) == 1


async def test_an_event_that_breaks_its_contract_is_parked(workshop: Any, lead_id: Any) -> None:
    broken = replace(event(lead_id, "succeeded", 1), body=b"{}")
    with pytest.raises(ValueError) as caught:
        await workshop.ledger.handle([broken])
    with pytest.raises(ValueError):
        await workshop.ledger.poison(broken, caught.value)


async def test_what_no_sink_took_is_counted(workshop: Any, lead_id: UUID) -> None:
    counting = Counting(workshop.database, workshop.clock)

    async def unrouted() -> float | None:
        await counting.count()
        return metrics.REGISTRY.get_sample_value("leadbus_unrouted_leads")

    assert await unrouted() == 0
    await workshop.ledger.handle([event(lead_id, "skipped", 1, route="one")])
    assert await unrouted() == 1
    await workshop.ledger.handle([event(lead_id, "succeeded", 1, route="two")])
    assert await unrouted() == 0
    await workshop.ledger.handle([event(lead_id, "skipped", 2, route="two", attempts=2)])
    assert await unrouted() == 1
    workshop.clock.advance(25 * 3600)
    assert await unrouted() == 0


async def test_what_lies_in_quarantine_is_counted(workshop: Any, message: Any) -> None:
    await workshop.raw.handle([message(b"junk", "1"), message(b"rubbish", "2")])
    await Counting(workshop.database, workshop.clock).count()
    labels = {"source": "contactatonce", "reason": "undecodable"}
    assert metrics.REGISTRY.get_sample_value("leadbus_quarantine_open_messages", labels) == 2
