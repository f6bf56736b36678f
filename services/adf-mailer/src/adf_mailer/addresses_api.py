"""`/v1/addresses`: those that refused mails, and the word that one was mended."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, audit, problem_responses, require
from leadbus.web.problems import NOT_FOUND
from pydantic import BaseModel, ConfigDict
from sqlmodel import select

from adf_mailer.domain.address_standing import key
from adf_mailer.store import addresses
from adf_mailer.store.tables import AddressStandingRow

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]
Address = Annotated[str, Path(max_length=320, pattern=r"^[^\x00]+$")]
# An address may stand in routes of several dealers.
_UNSEEN = "sees no addresses"

ADDRESSES = Listing(
    key=AddressStandingRow.address,
    sorts={"address": AddressStandingRow.address},
    default_sort="address",
    filters={
        "suspended": Filter(bool, AddressStandingRow.suspended),
        "reason": Filter(str, AddressStandingRow.reason),
    },
)


class ResumedView(BaseModel):
    """An address that is written to again."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    address: str
    due: int
    """Deliveries that waited for it, tried now."""


class AddressView(BaseModel):
    """An address that refused, as no such mailbox or for who we are, since it last took a mail."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    address: str
    refusals: int
    """In a row."""
    reason: str
    """Of the last one: `bad_address`, no such mailbox; `policy`, it takes no mails from us."""
    refusing_since: datetime | None
    """The first of them, where it was noted."""
    refused_at: datetime | None
    """The last of them."""
    suspended: bool
    """What is for it waits, or takes the route's alternate address where the reason is `bad_address`."""
    suspended_at: datetime | None
    probe_at: datetime | None
    """When one mail may try whether it is well again."""
    bounced: bool
    """Mails to it were taken and came back; held against it for a day after the last one."""


def router(database: Database, clock: Clock, wake: Callable[[], None]) -> APIRouter:
    """`wake` is the delivery engine's."""
    api = APIRouter()

    @api.get("/v1/addresses", tags=["addresses"])
    async def list_addresses(
        query: Annotated[ListQuery, Depends(ADDRESSES)], actor: Viewer
    ) -> Page[AddressView]:
        """Addresses that refuse mails. One that takes a mail, and gives none back, leaves the list."""
        actor.must_be_unlimited(_UNSEEN)
        async with database.session() as session:
            return await query.page(session, select(AddressStandingRow), AddressView.model_validate)

    @api.post("/v1/addresses/{address}/resume", tags=["addresses"], responses=problem_responses(404))
    async def resume_address(address: Address, actor: Operator) -> ResumedView:
        """It was mended: what waits for it is sent now."""
        actor.must_be_unlimited(_UNSEEN)
        async with database.transaction() as conn:
            if not await addresses.forget(conn, key(address)):
                raise Problem(NOT_FOUND, "nothing is held against this address")
            due = await addresses.make_due(conn, key(address), now=clock.now())
            await audit(conn, actor, "address.resumed", f"address/{key(address)}")
        wake()
        return ResumedView(address=key(address), due=due)

    return api
