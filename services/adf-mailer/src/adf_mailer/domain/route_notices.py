"""What is odd about a route's address, for whoever sets it: never a reason to refuse it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adf_mailer.domain import crm_vendors
from adf_mailer.domain.route import AdfRoute

Code = Literal["address_repaired", "crm_unknown", "address_unlike_vendor"]


@dataclass(frozen=True, slots=True)
class RouteNotice:
    """`field` is that of the route."""

    field: str
    code: Code
    detail: str


def notices(written_address: object, route: AdfRoute) -> Iterator[RouteNotice]:
    """`written_address` is the address as it was sent to us."""
    if isinstance(written_address, str) and written_address != route.address:
        yield RouteNotice(
            "address",
            "address_repaired",
            f"read as {route.address}: blanks and the domain's case are repaired",
        )
    vendor = crm_vendors.find(route.crm) if route.crm else crm_vendors.of_address(route.address)
    if vendor is None:
        if route.crm:
            yield RouteNotice(
                "crm", "crm_unknown", "no vendor whose addresses are known; `leadbus adf vendors` lists them"
            )
        return
    if patterns := crm_vendors.unlike(route.address, vendor):
        yield RouteNotice(
            "address",
            "address_unlike_vendor",
            f"{vendor.name} is known to give {' or '.join(patterns)}: ask the vendor, and send a test lead",
        )
