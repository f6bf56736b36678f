"""What is odd about a route's addresses or form, for whoever sets it: never a reason to refuse it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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

_LISTS = ("more_addresses", "copies", "notify")


@dataclass(frozen=True, slots=True)
class RouteNotice:
    """`field` is that of the route; after a `/` comes a field within it, or a place in a list."""

    field: str
    code: Code
    detail: str


def notices(written: Mapping[str, Any], route: AdfRoute) -> Iterator[RouteNotice]:
    """`written` is the route as it was sent to us."""
    yield from _repaired("address", written.get("address"), route.address)
    if route.alternate_address:
        given = written.get("alternate_address")
        yield from _repaired("alternate_address", given, route.alternate_address)
    for name in _LISTS:
        sent = written.get(name)
        for place, address in enumerate(getattr(route, name)):
            if isinstance(sent, list | tuple) and place < len(sent):
                yield from _repaired(f"{name}/{place}", sent[place], address)
    yield from _of_addresses(route)
    yield from _of_form(route)


def _of_addresses(route: AdfRoute) -> Iterator[RouteNotice]:
    vendor = crm_vendors.find(route.crm) if route.crm else crm_vendors.of_address(route.address)
    if vendor is None and route.crm:
        yield RouteNotice(
            "crm", "crm_unknown", "no vendor whose addresses are known; `leadbus adf vendors` lists them"
        )
    yield from _unlike("address", route.address, vendor)
    for place, address in enumerate(route.more_addresses):
        # A dealer with two CRMs: each address is compared with the forms of its own vendor.
        yield from _unlike(f"more_addresses/{place}", address, crm_vendors.of_address(address) or vendor)


def _repaired(field: str, written: object, address: str) -> Iterator[RouteNotice]:
    if isinstance(written, str) and written != address:
        yield RouteNotice(
            field, "address_repaired", f"read as {address}: blanks and the domain's case are repaired"
        )


def _unlike(field: str, address: str, vendor: crm_vendors.Vendor | None) -> Iterator[RouteNotice]:
    if vendor is not None and (patterns := crm_vendors.unlike(address, vendor)):
        yield RouteNotice(
            field,
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
