"""In which circumstances a point is passed.

What is done before the service is told to die, what makes it pass the point, and what once it runs again.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aio_pika
import aiormq
import pamqp.frame
from aiormq.abc import ChannelFrame
from leadbus import topology
from pamqp import commands
from pamqp.body import ContentBody

from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually

Step = Callable[[Scene], Coroutine[Any, Any, None]]

_EVENTS = "leadbus.events"
_LATIN_1_MESSAGE_ID = (1 << 7, bytes([4]) + "Jörg".encode("latin-1"))
_BROKEN_EVENTS = 4


async def _nothing(scene: Scene) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Circumstance:
    """`prepare` before the service is told where to die, `provoke` afterwards, `mend` when it runs again,
    `check` at the very end."""

    name: str
    provoke: Step
    prepare: Step = _nothing
    mend: Step = _nothing
    check: Step = _nothing


async def _some_leads(scene: Scene) -> None:
    await scene.send(by_http=2, by_queue=2)


async def _one_lead(scene: Scene) -> None:
    await scene.send(by_http=1, by_queue=0)


async def _leads_then_sigterm(scene: Scene) -> None:
    await scene.send(by_http=0, by_queue=4)
    scene.stack.mortals["normalizer"].signal(signal.SIGTERM)


# A message whose properties cannot be read.


async def _unreadable_message(scene: Scene) -> None:
    connection = await aiormq.connect(scene.stack.vhost.amqp_url)
    channel: Any = await connection.channel(publisher_confirms=False)
    body, (flags, properties) = scene.run.encode(), _LATIN_1_MESSAGE_ID
    header = struct.pack(">HHQH", 60, 0, len(body), flags) + properties
    publish = commands.Basic.Publish(exchange="leadbus.raw", routing_key="raw.contactatonce")
    frames = [
        pamqp.frame.marshal(publish, channel.number),
        struct.pack(">BHI", 2, channel.number, len(header)) + header + b"\xce",
        pamqp.frame.marshal(ContentBody(body), channel.number),
    ]
    await channel.write_queue.put(ChannelFrame(b"".join(frames), should_close=False))
    # Answered after what was sent before it.
    await channel.basic_qos(prefetch_count=1)
    await connection.close()
    await _some_leads(scene)


async def _is_quarantined_once(scene: Scene) -> None:
    kept = await scene.sql(
        "normalizer",
        "SELECT times FROM quarantine JOIN raw USING (raw_key) WHERE body = $1",
        scene.run.encode(),
    )
    assert [row["times"] for row in kept] == [1]


# Events that break their contract.


async def _broken_delivery_events(scene: Scene) -> None:
    """Broken and good ones by turns, all of them waiting when the service looks."""
    service = scene.stack.services["normalizer"]
    service.process.freeze()
    for number in range(_BROKEN_EVENTS):
        for kind, body in (("delivery.succeeded.v1", _broken(scene, number)), ("delivery.later.v9", b"{}")):
            attributes = {
                "specversion": "1.0",
                "id": f"{scene.run}/{number}",
                "source": "/test",
                "type": kind,
            }
            headers = {f"cloudEvents_{name}": value for name, value in attributes.items()}
            await scene.publish(_EVENTS, kind, body, headers=headers)
    service.process.thaw()
    await _one_lead(scene)


def _broken(scene: Scene, number: int) -> bytes:
    return f"broken {scene.run}/{number}".encode()


async def _each_is_parked_once(scene: Scene) -> None:
    parked = topology.parked("normalizer.ledger")
    await eventually(
        "broken events parked",
        lambda: scene.waiting_in(parked) == _BROKEN_EVENTS or scene.waiting_in(parked),
        within_seconds=PATIENCE_SECONDS,
    )
    bodies = sorted(await scene.drain(parked))
    assert bodies == [_broken(scene, number) for number in range(_BROKEN_EVENTS)]


async def _broken_lead_event(scene: Scene) -> None:
    await scene.publish(_EVENTS, "lead.received.v1", scene.run.encode())
    await _some_leads(scene)


async def _is_set_aside_once(scene: Scene) -> None:
    digest = hashlib.sha256(scene.run.encode()).hexdigest()
    (row,) = await scene.sql("adf-mailer", "SELECT count(*) FROM poison WHERE sha256 = $1", digest)
    assert row["count"] == 1


# A dealer that nobody has mapped.


async def _leads_of_an_unmapped_dealer(scene: Scene) -> None:
    scene.dealer = f"unmapped-{scene.run}"
    await _some_leads(scene)


async def _until_quarantined(scene: Scene) -> None:
    async def entries() -> list[int]:
        rows = await scene.sql(
            "normalizer",
            "SELECT times FROM quarantine JOIN raw USING (raw_key) "
            "WHERE state = 'open' AND reason = 'location_unmapped' AND quarantine.location LIKE '%' || $1",
            scene.run,
        )
        return [row["times"] for row in rows]

    await scene.eventually("every lead quarantined", entries, [1] * len(scene.leads))


async def _map_the_dealer(scene: Scene) -> None:
    location = {"source": "contactatonce", "external_id": scene.dealer, "dealer": "dealer-1001"}
    await scene.put("normalizer", "Location", f"cao-{scene.run}", location)


async def _quarantined_then_mapped(scene: Scene) -> None:
    await _until_quarantined(scene)
    await _map_the_dealer(scene)


async def _leads_in_quarantine(scene: Scene) -> None:
    await _leads_of_an_unmapped_dealer(scene)
    await _until_quarantined(scene)


# A dealer for whom nobody has said where leads go.


async def _dealer_without_a_route(scene: Scene, name: str) -> None:
    """From here on the leads are his."""
    scene.dealer = name
    dealer = {"name": "Unrouted", "country": "US", "time_zone": "America/Chicago", "phone": "+13125550100"}
    await scene.put("normalizer", "Dealer", name, dealer)
    location = {"source": "contactatonce", "external_id": name, "dealer": name}
    await scene.put("normalizer", "Location", f"cao-{scene.run}", location)


async def _leads_that_no_route_took(scene: Scene) -> None:
    await _dealer_without_a_route(scene, f"unrouted-{scene.run}")
    await _some_leads(scene)

    async def skipped() -> int:
        (row,) = await scene.sql(
            "adf-mailer",
            "SELECT count(*) FROM delivery WHERE dealer = $1 AND reason = 'no_route'",
            scene.dealer,
        )
        return int(row["count"])

    await scene.eventually("every lead skipped", skipped, len(scene.leads))
    scene.unrouted = len(scene.leads)
    await scene.eventually("nothing left to publish", scene.unpublished, 0)


async def _a_route_appears(scene: Scene) -> None:
    route = {"dealer": scene.dealer, "address": f"leads@{scene.dealer}.example"}
    await scene.put("adf-mailer", "AdfRoute", scene.dealer, route)


# A mail that is refused, and for which another one goes out.


async def _a_large_mail_is_refused(scene: Scene) -> None:
    """By each of the two processes that try it; the other mail, which waits for its end, is taken."""
    scene.stack.smtp.control(data="552 5.3.4 too large", times=2)
    scene.told = {"comments": "What else I wanted to know. " * 1_000}
    scene.replaced["skipped"] += 1


async def _went_out_shorter(scene: Scene) -> None:
    assert await _ends(scene) == [("skipped", "too_large_shortened"), ("delivered", None)]
    (shorter,) = [mail for mail in scene.stack.smtp.messages() if scene.leads[0].encode() in mail.content]
    assert b"left out" in shorter.content


async def _an_address_refuses(scene: Scene) -> None:
    """Each of the two processes that try it; the alternate address takes the lead."""
    await _dealer_without_a_route(scene, f"refused-{scene.run}")
    address = f"leads@{scene.dealer}.example"
    route = {"dealer": scene.dealer, "address": address, "alternate_address": f"other@{scene.dealer}.example"}
    await scene.put("adf-mailer", "AdfRoute", scene.dealer, route)
    scene.stack.smtp.control(rcpt={address: "550 5.1.1 no such mailbox"}, times=2)
    scene.replaced["failed"] += 1


async def _went_elsewhere(scene: Scene) -> None:
    assert await _ends(scene) == [("failed", "bad_address"), ("delivered", None)]
    to = [mail.rcpt_to for mail in scene.stack.smtp.messages() if scene.leads[0].encode() in mail.content]
    assert to == [[f"other@{scene.dealer}.example"]]


async def _ends(scene: Scene) -> list[tuple[str, str | None]]:
    """Of the deliveries of the lead in question, in the order they were planned."""
    (lead, _), *_ = scene.mails()[scene.leads[0]]
    ended = "SELECT phase, reason FROM delivery WHERE subject_id = $1 ORDER BY planned_at"
    return [(row["phase"], row["reason"]) for row in await scene.sql("adf-mailer", ended, lead)]


# A lead of which more is told.


async def _lead_delivered(scene: Scene) -> None:
    # Another account would make another lead of it.
    await scene.send(by_http=0, by_queue=1)
    await eventually("it delivered", scene.settled, within_seconds=PATIENCE_SECONDS)
    await scene.eventually("nothing left to publish", scene.unpublished, 0)


async def _more_of_it(scene: Scene) -> None:
    await scene.send_again()


async def _is_revised_once(scene: Scene) -> None:
    revised = await scene.sql(
        "normalizer",
        "SELECT revision FROM lead_revision WHERE document ->> 'message' = 'Lead ' || $1 || ', once more'",
        scene.leads[0],
    )
    assert [row["revision"] for row in revised] == [2]


# Others.


async def _kept_connections_gone(scene: Scene) -> None:
    scene.stack.smtp.control(refuse=True)
    scene.stack.smtp.control()


async def _no_queue_for_the_event(scene: Scene) -> None:
    await _bindings(scene, bind=False)


async def _queue_again(scene: Scene) -> None:
    await _bindings(scene, bind=True)


async def _bindings(scene: Scene, *, bind: bool) -> None:
    connection = await aio_pika.connect(scene.stack.vhost.amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("adf-mailer.leads", ensure=False)
        for binding in topology.TOPOLOGY.bindings:
            if binding.queue == queue.name:
                act = queue.bind if bind else queue.unbind
                await act(binding.exchange, binding.routing_key)


async def _mail_host_known(scene: Scene) -> None:
    """In a system that has just begun, no mail has gone to it yet."""

    async def healthy() -> object:
        told = "SELECT health FROM destination WHERE last_success_at IS NOT NULL"
        return [row["health"] for row in await scene.sql("adf-mailer", told)]

    async def under_way() -> object:
        rows = await scene.sql("adf-mailer", "SELECT 1 FROM delivery WHERE finished_at IS NULL")
        return len(rows)

    if not await healthy():
        await _one_lead(scene)
    await scene.eventually("the mail host known", healthy, ["healthy"])
    await scene.eventually("nothing on its way there", under_way, 0)


async def _mail_host_to_be_probed(scene: Scene) -> None:
    await _mail_host_known(scene)
    await scene.sql(
        "adf-mailer",
        "UPDATE destination SET breaker = 'open', consecutive_failures = 5, probes = 0, opened_at = now(), "
        "next_probe_at = now()",
    )


async def _mail_host_to_be_probed_again(scene: Scene) -> None:
    """The next probe, and the delivery whose doubt it ends, are due now and not in half a minute."""

    async def given_up() -> object:
        rows = await scene.sql("adf-mailer", "SELECT 1 FROM delivery WHERE phase = 'sending'")
        return len(rows)

    await scene.eventually("the dead prober's lease ended", given_up, 0)
    await scene.sql("adf-mailer", "UPDATE destination SET next_probe_at = now() WHERE breaker = 'open'")
    await scene.sql("adf-mailer", "UPDATE delivery SET not_before = now() WHERE phase = 'waiting'")


async def _delivery_left_by_the_dead(scene: Scene) -> None:
    await scene.order_death("adf-mailer", "delivery.intent_committed")
    await _one_lead(scene)
    await scene.death("adf-mailer", "delivery.intent_committed")
    await scene.start_again("adf-mailer")


async def _its_lease_ends(scene: Scene) -> None:
    await scene.expire_leases()


# A subscription of VirtualExpo is due.


async def _subscription_due(scene: Scene) -> None:
    sandbox = scene.stack.sandboxes["virtualexpo"]
    spec = {
        "marketplace": "AeroExpo",
        "url": f"{sandbox.url}/leads?stand={scene.run}&key={{key}}",
        "key": f"file:{sandbox.secret_file}",
    }
    await scene.put("ingest", "VirtualExpoSubscription", f"stand-{scene.run}", spec)


def _times_asked(scene: Scene) -> int:
    asked = scene.stack.sandboxes["virtualexpo"].requests()
    return sum(f"stand={scene.run}" in seen.query for seen in asked)


async def _is_asked_once(scene: Scene) -> None:
    await eventually(
        "the vendor asked", lambda: _times_asked(scene) == 1 or "no", within_seconds=PATIENCE_SECONDS
    )


async def _is_not_asked_for_two_hours(scene: Scene) -> None:
    (row,) = await scene.sql(
        "ingest",
        "SELECT due_at - last_attempt_at >= interval '2 hours' AS put_off FROM virtualexpo_subscription"
        " WHERE name = $1",
        f"stand-{scene.run}",
    )
    assert row["put_off"]
    assert _times_asked(scene) == 0


def _message_left_by_the_dead(service: str) -> Step:
    async def step(scene: Scene) -> None:
        await scene.order_death(service, "relay.in_hand")
        async with asyncio.TaskGroup() as both:
            both.create_task(_one_lead(scene))
            await scene.death(service, "relay.in_hand")
            await scene.start_again(service)

    return step


def _its_hold_ends(service: str) -> Step:
    async def step(scene: Scene) -> None:
        await scene.end_holds(service)

    return step


def left_in_the_table(service: str) -> Circumstance:
    """Messages of a service that died with them in hand, when their time has come."""
    return Circumstance(
        "a message left in the table", _its_hold_ends(service), prepare=_message_left_by_the_dead(service)
    )


LEADS_FLOW = Circumstance("leads flow", _some_leads)
ONE_LEAD_FLOWS = Circumstance("one lead flows", _one_lead)
TOLD_TO_STOP = Circumstance("told to stop while leads come", _leads_then_sigterm)
UNREADABLE_MESSAGE = Circumstance(
    "a message that cannot be read", _unreadable_message, check=_is_quarantined_once
)
BROKEN_DELIVERY_EVENTS = Circumstance(
    "events that break their contract", _broken_delivery_events, check=_each_is_parked_once
)
BROKEN_LEAD_EVENT = Circumstance("an event that cannot be read", _broken_lead_event, check=_is_set_aside_once)
LEAD_REVISED = Circumstance(
    "more is told of a lead", _more_of_it, prepare=_lead_delivered, check=_is_revised_once
)
UNMAPPED_DEALER = Circumstance(
    "leads of an unmapped dealer", _leads_of_an_unmapped_dealer, mend=_quarantined_then_mapped
)
DEALER_MAPPED = Circumstance("a dealer becomes mapped", _map_the_dealer, prepare=_leads_in_quarantine)
ROUTE_APPEARS = Circumstance(
    "a route appears for leads that none took", _a_route_appears, prepare=_leads_that_no_route_took
)
MAIL_TOO_LARGE = Circumstance(
    "a mail is refused as too large",
    _one_lead,
    prepare=_a_large_mail_is_refused,
    check=_went_out_shorter,
)
ADDRESS_REFUSES = Circumstance(
    "an address with an alternate refuses", _one_lead, prepare=_an_address_refuses, check=_went_elsewhere
)
NO_QUEUE_FOR_THE_EVENT = Circumstance(
    "no queue for the event", _some_leads, prepare=_no_queue_for_the_event, mend=_queue_again
)
NO_CONNECTION_KEPT = Circumstance("no connection kept", _some_leads, prepare=_kept_connections_gone)
MAIL_HOST_TO_BE_PROBED = Circumstance(
    "the mail host is to be probed", _some_leads, prepare=_mail_host_to_be_probed
)
MAIL_HOST_PROBED = Circumstance(
    "the mail host is probed, and again once its prober is dead",
    _one_lead,
    prepare=_mail_host_to_be_probed,
    mend=_mail_host_to_be_probed_again,
)
HOLDER_DIED = Circumstance(
    "the lease of a dead holder ends", _its_lease_ends, prepare=_delivery_left_by_the_dead
)
SUBSCRIPTION_DUE = Circumstance(
    "a subscription of VirtualExpo is due", _subscription_due, mend=_one_lead, check=_is_asked_once
)
SUBSCRIPTION_TRIED = Circumstance(
    "a subscription of VirtualExpo is tried",
    _subscription_due,
    mend=_one_lead,
    check=_is_not_asked_for_two_hours,
)
