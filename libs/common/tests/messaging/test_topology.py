"""The topology on a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import aiormq.exceptions
import httpx2
import pytest
from leadbus import topology as declared
from leadbus.contracts import EVENTS, SOURCES
from leadbus.topology import DELIVERY_LIMIT, TOPOLOGY, Applied, TopologyError, apply
from leadbus_devstack.vhosts import Vhost

WORK_QUEUES = ("normalizer.raw", "normalizer.ledger", "adf-mailer.leads")


async def api(vhost: Vhost, method: str, path: str, json: Any = None) -> Any:
    async with httpx2.AsyncClient(timeout=30, verify=False) as client:
        address = httpx2.URL(vhost.management_url)
        answer = await client.request(
            method,
            f"http://{address.host}:{address.port}/api/{path}",
            auth=(address.username, address.password),
            json=json,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


async def what_there_is(vhost: Vhost) -> dict[str, set[Any]]:
    """Exchanges, queues, bindings and policies of a virtual host, comparable between two of them."""

    def settings(found: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(found.items()))

    return {
        "exchanges": {
            (found["name"], found["type"], found["durable"], settings(found["arguments"]))
            for found in await api(vhost, "GET", f"exchanges/{vhost.name}")
        },
        "queues": {
            (found["name"], found["durable"], settings(found["arguments"]))
            for found in await api(vhost, "GET", f"queues/{vhost.name}")
        },
        "bindings": {
            (found["source"], found["destination"], found["routing_key"])
            for found in await api(vhost, "GET", f"bindings/{vhost.name}")
        },
        "policies": {
            (found["name"], found["pattern"], found["apply-to"], settings(found["definition"]))
            for found in await api(vhost, "GET", f"policies/{vhost.name}")
        },
    }


async def test_applying_again_changes_nothing(clean_vhost: Vhost) -> None:
    first = await apply(clean_vhost.amqp_url, clean_vhost.management_url)
    before = await what_there_is(clean_vhost)
    second = await apply(clean_vhost.amqp_url, clean_vhost.management_url)
    assert await what_there_is(clean_vhost) == before
    assert first == second == Applied(6, 7, 11, 8)


async def test_queues_have_their_type_as_only_argument(fresh_topology: Vhost) -> None:
    for queue in await api(fresh_topology, "GET", f"queues/{fresh_topology.name}"):
        assert queue["arguments"] == {"x-queue-type": "quorum"}, queue["name"]


async def test_limits_are_in_effect_on_work_queues(topology: Vhost, eventually: Any) -> None:
    effective: dict[str, dict[str, Any]] = {}

    async def all_known() -> bool:
        for found in await api(topology, "GET", f"queues/{topology.name}"):
            if found.get("effective_policy_definition"):
                effective[found["name"]] = found["effective_policy_definition"]
        return len(effective) == len(TOPOLOGY.queues)

    await eventually(all_known)
    for queue in WORK_QUEUES:
        assert effective[queue]["delivery-limit"] == 20
        assert effective[queue]["dead-letter-exchange"] == f"leadbus.dlx.{queue}"
        assert "dead-letter-routing-key" not in effective[queue], "the proven key would be lost"
        assert effective[queue]["dead-letter-strategy"] == "at-least-once"
        assert effective[queue]["overflow"] == "reject-publish"
        assert effective[queue]["max-length"] > 0
        assert effective[queue]["max-length-bytes"] > 0


def test_parked_queues_refuse_when_full_and_dead_letter_nowhere() -> None:
    parked = [policy for policy in TOPOLOGY.policies if policy.target.endswith(".parked")]
    assert len(parked) == 3
    for policy in parked:
        assert policy.definition["overflow"] == "reject-publish"
        assert policy.definition["max-length-bytes"]
        assert not [key for key in policy.definition if key.startswith("dead-letter")]


@pytest.mark.parametrize("queue", ["normalizer.raw.parked", "leadbus.unrouted"])
@pytest.mark.parametrize("way", ["nack", "reject", "channel closed"])
async def test_a_held_message_survives_being_looked_at(wire: Any, queue: str, way: str) -> None:
    """More often than any delivery limit that a broker has by itself."""
    await wire.put(b"held", queue=queue)
    count = -1
    for _ in range(DELIVERY_LIMIT + 10):
        channel = await wire.connection.channel()
        got = await channel.basic_get(queue)
        assert got.body == b"held"
        if way == "nack":
            await channel.basic_nack(got.delivery.delivery_tag, requeue=True)
        elif way == "reject":
            await channel.basic_reject(got.delivery.delivery_tag, requeue=True)
        await channel.close()
        assert (count := got.header.properties.headers["x-delivery-count"]) >= 0
    assert count > DELIVERY_LIMIT, "the looks were not counted: the test proves nothing"


def test_every_lead_source_reaches_the_normalizer_and_the_dms_does_not() -> None:
    keys = {binding.routing_key for binding in TOPOLOGY.bindings if binding.queue == "normalizer.raw"}
    assert keys == {f"raw.{source}" for source in SOURCES if source != "dms"}


async def test_raw_without_a_queue_goes_to_unrouted_and_the_publisher_hears_success(wire: Any) -> None:
    await wire.put(b"rows", exchange="leadbus.raw", queue="raw.dms", mandatory=True)
    await wire.put(b"lead", exchange="leadbus.raw", queue="raw.bdk")
    assert await wire.bodies("leadbus.unrouted") == [b"rows"]
    assert await wire.bodies("normalizer.raw") == [b"lead"]


async def test_event_without_a_queue_is_returned(wire: Any) -> None:
    with pytest.raises(aiormq.exceptions.PublishError, match="NO_ROUTE"):
        await wire.put(b"event", exchange="leadbus.events", queue="vehicle_feed.rows.v1", mandatory=True)


async def test_events_reach_their_queues(wire: Any) -> None:
    leads = [name for name in EVENTS if name.startswith("lead.")]
    deliveries = [name for name in EVENTS if name.startswith("delivery.")]
    for event in EVENTS:
        await wire.put(event.encode(), exchange="leadbus.events", queue=event)
    assert await wire.bodies("adf-mailer.leads") == [name.encode() for name in leads]
    assert await wire.bodies("normalizer.ledger") == [name.encode() for name in deliveries]
    assert len(leads) == 5
    assert len(deliveries) == 4


@pytest.mark.parametrize("queue", WORK_QUEUES)
async def test_rejected_is_parked_under_its_queue(wire: Any, eventually: Any, queue: str) -> None:
    await wire.put(b"broken", queue=queue)
    got = await wire.channel.basic_get(queue)
    await wire.channel.basic_reject(got.delivery.delivery_tag, requeue=False)

    async def parked() -> bool:
        return bool(await wire.ready(f"{queue}.parked") == 1)

    await eventually(parked)
    assert await wire.bodies(f"{queue}.parked") == [b"broken"]


async def test_definitions_give_the_same_topology(fresh_topology: Vhost) -> None:
    applied = await what_there_is(fresh_topology)
    other = Vhost(fresh_topology.amqp_url, fresh_topology.management_url, f"{fresh_topology.name}-imported")
    await asyncio.to_thread(other.create)
    try:
        await api(other, "POST", "definitions", declared.definitions(other.name))
        assert await what_there_is(other) == applied
    finally:
        await asyncio.to_thread(other.delete)


def test_show_names_everything() -> None:
    shown = declared.show()
    for name in [thing.name for thing in TOPOLOGY.exchanges] + [thing.name for thing in TOPOLOGY.queues]:
        assert name in shown
    for binding in TOPOLOGY.bindings:
        assert not binding.routing_key or f"key {binding.routing_key}" in shown


async def test_a_queue_of_another_type_is_refused_with_what_to_do(clean_vhost: Vhost) -> None:
    await api(
        clean_vhost,
        "PUT",
        f"queues/{clean_vhost.name}/normalizer.raw",
        {"durable": True, "arguments": {"x-queue-type": "classic"}},
    )
    with pytest.raises(TopologyError, match=r"queue normalizer\.raw exists with type classic.*delete_queue"):
        await apply(clean_vhost.amqp_url, clean_vhost.management_url)


async def test_an_exchange_of_another_type_is_refused(clean_vhost: Vhost) -> None:
    await api(clean_vhost, "PUT", f"exchanges/{clean_vhost.name}/leadbus.events", {"type": "fanout"})
    with pytest.raises(TopologyError, match=r"exchange leadbus\.events exists with type fanout"):
        await apply(clean_vhost.amqp_url, clean_vhost.management_url)


async def test_a_stronger_policy_is_drift(fresh_topology: Vhost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadbus.topology.applying.PROPAGATION_SECONDS", 1.0)
    await api(
        fresh_topology,
        "PUT",
        f"policies/{fresh_topology.name}/mine",
        {"pattern": r"^normalizer\.", "apply-to": "queues", "definition": {"max-length": 5}, "priority": 9},
    )
    with pytest.raises(TopologyError, match=r"policy 'mine' is in effect on normalizer\.raw "):
        await apply(fresh_topology.amqp_url, fresh_topology.management_url)


async def test_an_operator_policy_that_lowers_a_limit_is_drift(
    fresh_topology: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadbus.topology.applying.PROPAGATION_SECONDS", 1.0)
    await api(
        fresh_topology,
        "PUT",
        f"operator-policies/{fresh_topology.name}/caps",
        {
            "pattern": r"^normalizer\.raw$",
            "apply-to": "queues",
            "definition": {"max-length": 5},
            "priority": 9,
        },
    )
    with pytest.raises(TopologyError, match=r"normalizer\.raw"):
        await apply(fresh_topology.amqp_url, fresh_topology.management_url)


async def test_a_binding_nobody_declared_is_named(fresh_topology: Vhost) -> None:
    await api(
        fresh_topology,
        "POST",
        f"bindings/{fresh_topology.name}/e/leadbus.events/q/adf-mailer.leads",
        {"routing_key": "old.key"},
    )
    applied = await apply(fresh_topology.amqp_url, fresh_topology.management_url)
    assert applied.surplus == ("leadbus.events -> adf-mailer.leads key 'old.key'",)


async def test_a_management_api_that_refuses_is_said(clean_vhost: Vhost) -> None:
    wrong = clean_vhost.management_url.replace("guest:guest", "guest:wrong")
    with pytest.raises(TopologyError, match="401"):
        await apply(clean_vhost.amqp_url, wrong)


async def _not_the_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<html/>")
    await writer.drain()
    writer.close()


async def test_something_else_in_place_of_the_management_api_is_said() -> None:
    async with await asyncio.start_server(_not_the_api, "127.0.0.1", 0) as elsewhere:
        port = elsewhere.sockets[0].getsockname()[1]
        with pytest.raises(TopologyError, match="not JSON"):
            await apply("amqp://127.0.0.1:1", f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("amqp_url", "management_url"),
    [("amqp://h:port", "http://h"), ("amqp://h", "http://[::1")],
    ids=["amqp", "management"],
)
async def test_an_address_that_is_none_is_said(amqp_url: str, management_url: str) -> None:
    with pytest.raises(TopologyError, match="cannot be read"):
        await apply(amqp_url, management_url)
