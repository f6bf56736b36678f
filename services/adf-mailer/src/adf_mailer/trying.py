"""Trying a route out: what it would send about a lead, and a test lead that goes the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5

from leadbus.contracts import NAMESPACE, Lead
from leadbus.contracts.dealer import Dealer
from leadbus.db import Connection, in_turn

from adf_mailer.domain.document import Status
from adf_mailer.domain.example_lead import ExampleVehicle, Wanted, example_lead, fitting, is_example
from adf_mailer.domain.preview import Preview, preview
from adf_mailer.domain.recipients import recipients
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Deliver, Skip, decide
from adf_mailer.planning import Planner
from adf_mailer.store import leads, mails

_SOURCE_TYPE = "test"


class TestRefused(Exception):  # noqa: N818 -- it names what happened
    """The route sends no such test. `code` is the reason of the skip that it would be."""

    __test__ = False

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NoSuchRecipient(LookupError):  # noqa: N818 -- it names a condition
    """The route writes to no such address."""


class KeyReused(Exception):  # noqa: N818 -- it names what happened
    """The key stands for another test lead of this route."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a test lead is to look; without `source_type` it is that of the dealer's latest lead, without
    `vehicle` it is about one that the route is for."""

    source_type: str | None = None
    vehicle: ExampleVehicle | None = None


@dataclass(frozen=True, slots=True)
class TestLead:
    """A test lead that was planned. Several deliveries where the route has several recipients."""

    __test__ = False

    lead_id: UUID
    delivery_ids: Sequence[UUID]


async def show(
    conn: Connection,
    planner: Planner,
    lead: Lead,
    route: Route,
    status: Status | None,
    to: str | None = None,
) -> Preview:
    """What `route`, stored or not, would send about `lead` now; nothing is stored.

    `to` is one of its addresses, without it the first. Raises NoSuchRecipient.
    """
    recipient = next((one for one in recipients(route.spec) if to in (None, one.address)), None)
    if recipient is None:
        raise NoSuchRecipient
    told = await mails.told(conn, [lead.lead_id])
    return preview(
        lead,
        route,
        recipient,
        told.get(lead.lead_id, set()),
        status=status,
        date=planner.clock.now(),
        letterhead=planner.letterhead,
    )


async def example(
    conn: Connection, planner: Planner, route: Route, options: Options, lead_id: UUID | None = None
) -> Lead:
    """A test lead of the route's dealer, who is known by the latest lead, if there was any."""
    latest = await leads.latest_of_dealer(conn, route.spec.dealer)
    dealer = latest.dealer if latest else Dealer(dealer_id=route.spec.dealer, name=route.spec.dealer)
    source_type = options.source_type or (latest.source_type if latest else _SOURCE_TYPE)
    about, asked = fitting(route.spec.intents, route.spec.vehicle, options.vehicle)
    wanted = Wanted(latest.source if latest else "adf", source_type, about, asked)
    return example_lead(dealer, wanted, lead_id=lead_id or uuid4(), at=planner.clock.now())


async def send_test(
    conn: Connection, planner: Planner, route: Route, options: Options, key: str | None
) -> TestLead:
    """Plan a test lead on this route, in the caller's transaction; `key` again is the same one.

    Raises TestRefused where the route would skip it, and KeyReused where the key stands for another one.
    """
    lead_id = None if key is None else uuid5(NAMESPACE, f"adf-mailer test lead {route.name} {key}")
    if lead_id is not None:
        await in_turn(conn, f"adf test lead {lead_id}")
        if known := await leads.latest(conn, lead_id):
            if not is_example(known, options.source_type, options.vehicle):
                raise KeyReused
            return TestLead(lead_id, await leads.deliveries(conn, lead_id))
    lead = await example(conn, planner, route, options, lead_id)
    decided = decide(lead, None, [route], frozenset())
    if refused := next((one for one in decided if isinstance(one, Skip)), None):
        raise TestRefused(refused.reason)
    now = planner.clock.now()
    await planner.carry_out(
        conn,
        [(lead, one) for one in decided if isinstance(one, Deliver)],
        beside=[leads.adding([lead], now=now)],
    )
    return TestLead(lead.lead_id, await leads.deliveries(conn, lead.lead_id))
