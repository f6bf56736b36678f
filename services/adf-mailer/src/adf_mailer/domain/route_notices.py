"""What is odd about a route's address or form, for whoever sets it: never a reason to refuse it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adf_mailer.domain import crm_vendors
from adf_mailer.domain.form import profile_of
from adf_mailer.domain.route import AdfRoute
from adf_mailer.domain.shape import FormFields
from adf_mailer.domain.subject import names

Code = Literal[
    "address_repaired",
    "crm_unknown",
    "address_unlike_vendor",
    "form_unlike_profile",
    "subject_unlike_profile",
]


@dataclass(frozen=True, slots=True)
class RouteNotice:
    """`field` is that of the route, `form/layout` one within it."""

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
    yield from _of_address(route)
    yield from _of_form(route)


def _of_address(route: AdfRoute) -> Iterator[RouteNotice]:
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


def _of_form(route: AdfRoute) -> Iterator[RouteNotice]:
    """Where the route has another form than its profile knows the receiver to take."""
    profile = profile_of(route.form, route.crm)
    for name in FormFields.model_fields:
        known, own = getattr(profile.form, name), getattr(route.form, name, None)
        if known is not None and own is not None and own != known:
            yield RouteNotice(
                f"form/{name}",
                "form_unlike_profile",
                f"the profile {profile.name} has {_told(known)}: send a test lead",
            )
    if lacking := [name for name in profile.subject if name not in names(route.subject)]:
        yield RouteNotice(
            "subject",
            "subject_unlike_profile",
            f"the profile {profile.name} wants {' and '.join(f'{{{name}}}' for name in lacking)} in it, "
            "unless the words say so already",
        )


def _told(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
