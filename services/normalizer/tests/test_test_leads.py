"""Leads of tests flow like others, are marked, are nobody else's, and count in no figure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from leadbus import metrics
from leadbus.contracts.events import EVENTS
from leadbus.envelope import Envelope, encode
from leadbus.messages import IncomingMessage
from normalizer.counting import Counting

FIGURES = (
    "leadbus_raw_normalized_total",
    "leadbus_raw_repeats_total",
    "leadbus_raw_quarantined_total",
    "leadbus_raw_released_total",
    "leadbus_normalize_age_seconds_count",
    "leadbus_ledger_events_total",
    "leadbus_quarantine_open_messages",
    "leadbus_unrouted_leads",
)


def figures() -> dict[str, float]:
    samples = [each for metric in metrics.REGISTRY.collect() for each in metric.samples]
    return {name: sum(each.value for each in samples if each.name == name) for name in FIGURES}


def counted_tests(outcome: str) -> float:
    labels = {"source": "contactatonce", "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("leadbus_raw_test_messages_total", labels) or 0


def bare(message: Any, body: Any, **headers: Any) -> Any:
    plain = message(body, None)
    return replace(plain, headers={**plain.headers, **headers})


@pytest.mark.parametrize("way", ["attribute", "payload", "header of a bare body"])
async def test_a_test_flows_whole_and_is_marked(way: Any, workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    messages = {
        "attribute": lambda: message(payload(), test="true"),
        "payload": lambda: message(payload(test=True)),
        "header of a bare body": lambda: bare(message, payload(), test="true"),
    }
    before, counted = figures(), counted_tests("received")
    await workshop.raw.handle([messages[way]()])
    lead = await workshop.lead()
    assert lead.test
    assert [row["test"] for row in await workshop.fetch("SELECT test FROM lead")] == [True]
    (event,) = await workshop.fetch("SELECT headers, body FROM outbox")
    assert json.loads(event["headers"])["cloudEvents_test"] == "true"
    assert json.loads(event["body"])["lead"]["test"] is True
    assert counted_tests("received") == counted + 1
    assert figures() == before


async def test_the_lead_after_its_test_is_received(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "try", test="true"), message(payload(), "real")])
    leads = await workshop.fetch("SELECT test, revision FROM lead ORDER BY test")
    assert leads == [{"test": False, "revision": 1}, {"test": True, "revision": 1}]
    assert [event.type for event in await workshop.published()] == ["lead.received.v1"] * 2


async def test_the_same_bare_body_is_two_messages(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([bare(message, payload(), test="true")])
    await workshop.raw.handle([bare(message, payload())])
    assert len(await workshop.leads()) == 2


async def test_what_sinks_say_of_a_test_counts_nowhere(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), test="true")])
    (lead_id,) = await workshop.leads()
    await Counting(workshop.database, workshop.clock).count()
    before = figures()
    await workshop.ledger.handle([skipped(lead_id)])
    await Counting(workshop.database, workshop.clock).count()
    assert [row["state"] for row in await workshop.fetch("SELECT state FROM lead")] == ["unrouted"]
    assert figures() == before


async def test_what_a_sink_tells_of_a_test_of_its_own_passes_by(workshop: Any) -> None:
    """A test lead of a route never came by the normalizer: nothing is kept of it, and nothing goes wrong."""
    await Counting(workshop.database, workshop.clock).count()
    before = figures()
    await workshop.ledger.handle([skipped(UUID(int=7)), skipped(UUID(int=7))])
    await Counting(workshop.database, workshop.clock).count()
    assert await workshop.fetch("SELECT FROM ledger UNION ALL SELECT FROM lead") == []
    assert figures() == before


async def test_what_goes_wrong_with_a_test_counts_nowhere(
    workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    await Counting(workshop.database, workshop.clock).count()
    before = figures()
    for number, body in enumerate((b"junk", payload(dealer={"id": "nowhere"}))):
        await workshop.raw.handle([message(body, f"raw-{number}", test="true")])
        await workshop.raw.handle([message(body, f"raw-{number}", test="true")])
    await workshop.map_dealer(external_id="nowhere")
    assert await workshop.quarantining.release_mapped() == 1
    await Counting(workshop.database, workshop.clock).count()
    assert figures() == before
    assert await workshop.reasons() == ["undecodable"]


def skipped(lead_id: UUID) -> Any:
    contract = EVENTS["delivery.skipped.v1"]
    data = contract.model.model_validate(
        {
            "delivery_id": UUID(int=5),
            "sink": "adf-mailer",
            "subject_id": str(lead_id),
            "route": "prairie",
            "outcome": "test_lead",
            "attempts": 0,
            "planned_at": "2026-03-02T09:00:00Z",
            "finished_at": "2026-03-02T09:00:00Z",
        }
    ).to_json()
    envelope = Envelope(
        "e-1",
        "adf-mailer",
        contract.type,
        datacontenttype="application/json",
        extensions={"test": "true"},
        data=data,
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
