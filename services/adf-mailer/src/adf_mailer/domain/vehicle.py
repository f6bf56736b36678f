"""`<vehicle>`: what the lead is about."""

from __future__ import annotations

from leadbus.contracts.lead import Finance, Odometer, Option, Vehicle
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import text
from adf_mailer.domain.carried import NONE, Carried
from adf_mailer.domain.element import VALUE_BYTES, Draft, Node
from adf_mailer.domain.ids import add_carried_ids
from adf_mailer.domain.money import (
    add_carried_finance,
    add_finance,
    add_option_price,
    add_prices,
    note_finance,
)
from adf_mailer.domain.shape import UnknownStatus

_INTEREST = {"trade_in": "trade-in", "test_drive": "test-drive"}
_GIVEN_AWAY = ("trade_in", "sell")
CONDITIONS = frozenset({"excellent", "good", "fair", "poor", "unknown"})
_SIZE_BYTES = 20
_ODOMETER_STATUSES = frozenset({"unknown", "rolledover", "replaced", "original"})


def add_vehicles(
    document: Draft,
    parent: Node,
    vehicles: tuple[Vehicle, ...],
    finance: Finance | None,
    told: tuple[Carried, ...] = (),
) -> None:
    """At least one `<vehicle>`; the wanted one first, because some receivers read no further.

    `finance` is told of the first, unless that is one which the customer gives away.
    """
    known = zip(vehicles, told or (NONE,) * len(vehicles), strict=True)
    ordered = sorted(known, key=lambda one: not one[0].wanted) or [(Vehicle(), NONE)]
    if finance and ordered[0][0].interest in _GIVEN_AWAY:
        note_finance(document, finance)
        finance = None
    for index, (vehicle, values) in enumerate(ordered):
        _add_vehicle(document, parent, vehicle, finance if index == 0 else None, values)


def status_of(vehicle: Vehicle, unknown: UnknownStatus) -> str | None:
    """`new` or `used`; None: to be left out."""
    if vehicle.status != "unknown":
        return vehicle.status
    if unknown == "left_out":
        return None
    # ADF's own default, so that it says no more than silence would; nobody gives a new one away.
    return "used" if vehicle.interest in _GIVEN_AWAY else "new"


def _add_vehicle(
    document: Draft, parent: Node, vehicle: Vehicle, finance: Finance | None, told: Carried
) -> None:
    element = document.branch(
        parent,
        "vehicle",
        {
            "interest": _INTEREST.get(vehicle.interest, vehicle.interest),
            "status": status_of(vehicle, document.unknown_status),
        },
    )
    lines: list[str] = []
    add_carried_ids(document, element, told)
    for tag, value in (("year", vehicle.year), ("make", vehicle.make), ("model", vehicle.model)):
        document.leaf(element, tag, value)
    document.optional(element, "vin", vehicle.vin)
    document.optional(element, "stock", vehicle.stock)
    document.optional(element, "trim", vehicle.trim)
    document.optional(element, "doors", told.get("doors"))
    document.optional(element, "bodystyle", vehicle.body)
    document.optional(element, "transmission", vehicle.transmission)
    _add_odometer(document, element, vehicle.odometer, lines, told)
    _add_condition(document, element, lines, told)
    _add_colours(document, element, vehicle)
    image = _add_image(document, element, vehicle, told)
    add_prices(document, element, vehicle.prices, vehicle.options, told)
    for place, option in enumerate(vehicle.options):
        _add_option(document, element, option, told.of_field(f"options.{place}.stock"))
    if finance:
        add_finance(document, element, finance, told)
    else:
        add_carried_finance(document, element, lines, told.below("finance"))
    document.free_text(element, "comments", "\n".join([*_comments(document, vehicle, image), *lines]))


def _add_odometer(
    document: Draft, parent: Node, odometer: Odometer | None, lines: list[str], told: Carried
) -> None:
    status = told.word("odometer@status", _ODOMETER_STATUSES)
    if odometer:
        units = None if odometer.units == "unknown" else odometer.units
        document.optional(parent, "odometer", str(odometer.value), {"status": status, "units": units})
    if told.extras and not (odometer and status):
        document.add_line(lines, document.say("odometer_status"), told.get("odometer@status"))


def _add_condition(document: Draft, parent: Node, lines: list[str], told: Carried) -> None:
    if not told.extras:
        return
    condition = told.word("condition", CONDITIONS)
    document.optional(parent, "condition", condition)
    if condition is None:
        document.add_line(lines, document.say("condition"), told.get("condition"))


def _add_colours(document: Draft, parent: Node, vehicle: Vehicle) -> None:
    told = ((text.line(one.interior or ""), text.line(one.exterior or ""), one) for one in vehicle.colours)
    said = (colour for colour in told if colour[0] or colour[1])
    for place, (interior, exterior, colour) in enumerate(said, start=1):
        combination = document.branch(parent, "colorcombination")
        document.optional(combination, "interiorcolor", interior)
        document.optional(combination, "exteriorcolor", exterior)
        document.leaf(combination, "preference", str(colour.preference or place))


def _add_image(document: Draft, parent: Node, vehicle: Vehicle, told: Carried) -> str:
    """Returns the picture's address where it had no place in an element."""
    image = text.line(vehicle.image or "")
    if not (is_web_link(vehicle.image or "") and text.fits(image, VALUE_BYTES)):
        return image
    attributes = {
        "width": text.shorten(text.line(told.get("imagetag@width") or ""), _SIZE_BYTES),
        "height": text.shorten(text.line(told.get("imagetag@height") or ""), _SIZE_BYTES),
        "alttext": told.get("imagetag@alttext"),
    }
    document.optional(parent, "imagetag", image, attributes)
    return ""


def _add_option(document: Draft, parent: Node, option: Option, stock: str | None) -> None:
    element = document.branch(parent, "option")
    document.leaf(element, "optionname", option.name)
    document.optional(element, "manufacturercode", option.code)
    document.optional(element, "stock", stock)
    if option.weighting is not None:
        document.leaf(element, "weighting", str(option.weighting))
    add_option_price(document, element, option.price)


def _comments(document: Draft, vehicle: Vehicle, image: str) -> list[str]:
    lines = [words] if (words := text.block(vehicle.comments or "")) else []
    if vehicle.url:
        document.add_line(lines, _link_label(document, "vehicle_page", vehicle.url), vehicle.url)
    if image:
        document.add_line(lines, _link_label(document, "picture", vehicle.image), image)
    if vehicle.vin_warning:
        document.add_line(lines, document.say("vin_doubtful"), vehicle.vin_warning)
    return lines


def _link_label(document: Draft, key: str, link: str | None) -> str:
    """Said of what must not be taken for a link."""
    words = document.say(key)
    return words if is_web_link(link or "") else document.say("link_as_given", what=words)
