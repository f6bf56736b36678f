"""`<vehicle>`: what the lead is about."""

from __future__ import annotations

import re
from decimal import Decimal

from leadbus.contracts.lead import Finance, Option, Price, Vehicle
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import text
from adf_mailer.domain.element import VALUE_BYTES, Draft, Node

_INTEREST = {"trade_in": "trade-in", "test_drive": "test-drive"}
_METHOD = {"cash": "cash", "financing": "finance", "leasing": "lease"}
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")


def add_vehicles(
    document: Draft, parent: Node, vehicles: tuple[Vehicle, ...], finance: Finance | None
) -> None:
    """At least one `<vehicle>`; the wanted one first, because some receivers read no further."""
    ordered = sorted(vehicles, key=lambda vehicle: not vehicle.wanted) or [Vehicle()]
    for index, vehicle in enumerate(ordered):
        _add_vehicle(document, parent, vehicle, finance if index == 0 else None)


def amount_text(amount: Decimal | None) -> str | None:
    """The plain decimal, or None where there is none or it is no sum of money."""
    if amount is None or amount.adjusted() > 20:
        return None
    plain = format(amount, "f")
    return plain if _AMOUNT.fullmatch(plain) else None


def _add_vehicle(document: Draft, parent: Node, vehicle: Vehicle, finance: Finance | None) -> None:
    element = document.branch(
        parent,
        "vehicle",
        {
            "interest": _INTEREST.get(vehicle.interest, vehicle.interest),
            # An unknown status is not written: the receiver's default `new` would be our claim.
            "status": None if vehicle.status == "unknown" else vehicle.status,
        },
    )
    for tag, value in (("year", vehicle.year), ("make", vehicle.make), ("model", vehicle.model)):
        document.leaf(element, tag, value)
    document.optional(element, "vin", vehicle.vin)
    document.optional(element, "stock", vehicle.stock)
    document.optional(element, "trim", vehicle.trim)
    document.optional(element, "bodystyle", vehicle.body)
    document.optional(element, "transmission", vehicle.transmission)
    if vehicle.odometer:
        units = None if vehicle.odometer.units == "unknown" else vehicle.odometer.units
        document.optional(element, "odometer", str(vehicle.odometer.value), {"units": units})
    _add_colours(document, element, vehicle)
    image = text.line(vehicle.image or "")
    image_shown = is_web_link(vehicle.image or "") and text.fits(image, VALUE_BYTES)
    if image_shown:
        document.optional(element, "imagetag", image)
    _add_prices(document, element, vehicle.prices)
    for option in vehicle.options:
        _add_option(document, element, option)
    if finance:
        _add_finance(document, element, finance)
    document.free_text(element, "comments", _comments(vehicle, "" if image_shown else image))


def _add_colours(document: Draft, parent: Node, vehicle: Vehicle) -> None:
    for place, colour in enumerate(vehicle.colours, start=1):
        interior, exterior = text.line(colour.interior or ""), text.line(colour.exterior or "")
        if not (interior or exterior):
            continue
        combination = document.branch(parent, "colorcombination")
        document.optional(combination, "interiorcolor", interior)
        document.optional(combination, "exteriorcolor", exterior)
        document.leaf(combination, "preference", str(colour.preference or place))


def _add_prices(document: Draft, parent: Node, prices: tuple[Price, ...]) -> None:
    """The first price ADF has a name for becomes `<price>`, the others go to `<pricecomments>`."""
    told = next((price for price in prices if _has_place(price)), None)
    if told:
        _add_price(document, parent, told)
    others = [_price_line(price) for price in prices if price is not told]
    document.free_text(parent, "pricecomments", "\n".join(filter(None, others)))


def _has_place(price: Price) -> bool:
    return price.kind != "unknown" and amount_text(price.amount) is not None


def _add_price(document: Draft, parent: Node, price: Price) -> None:
    document.leaf(
        parent, "price", amount_text(price.amount), {"type": price.kind, "currency": price.currency}
    )


def _price_line(price: Price) -> str:
    if price.amount is None:
        return "Price on request" if price.kind == "call" else ""
    kind = "" if price.kind == "unknown" else f" ({price.kind})"
    return f"Price{kind}: {price.amount} {price.currency or ''}".strip()


def _add_option(document: Draft, parent: Node, option: Option) -> None:
    element = document.branch(parent, "option")
    document.leaf(element, "optionname", option.name)
    document.optional(element, "manufacturercode", option.code)
    if option.weighting is not None:
        document.leaf(element, "weighting", str(option.weighting))
    if option.price and _has_place(option.price):
        _add_price(document, element, option.price)


def _add_finance(document: Draft, parent: Node, finance: Finance) -> None:
    """ADF wants a method and a sum; what has not both is noted. A credit check is never passed on."""
    method = _METHOD.get(finance.product or "")
    sums = {
        kind: plain
        for kind, amount in (
            ("downpayment", finance.down_payment),
            ("monthly", finance.monthly),
            ("total", finance.total),
        )
        if (plain := amount_text(amount)) is not None
    }
    if method and sums:
        element = document.branch(parent, "finance")
        document.leaf(element, "method", method)
        for kind, plain in sums.items():
            document.leaf(element, "amount", plain, {"type": kind, "currency": finance.currency})
    else:
        document.note("Payment", method)
        for kind, plain in sums.items():
            document.note(f"Payment {kind}", f"{plain} {finance.currency or ''}")
    if finance.term_months is not None:
        document.note("Payment term", f"{finance.term_months} months")
    if distance := finance.distance_per_year:
        units = "" if distance.units == "unknown" else f" {distance.units}"
        document.note("Distance per year", f"{distance.value}{units}")


def _as_given(link: str | None) -> str:
    """Said of what must not be taken for a link."""
    return "" if is_web_link(link or "") else " (as given)"


def _comments(vehicle: Vehicle, image: str) -> str:
    lines = [text.block(vehicle.comments or "")]
    if page := text.line(vehicle.url or ""):
        lines.append(f"Vehicle page{_as_given(vehicle.url)}: {page}")
    if image:
        lines.append(f"Picture{_as_given(vehicle.image)}: {image}")
    if doubt := text.line(vehicle.vin_warning or ""):
        lines.append(f"VIN doubtful: {doubt}")
    return "\n".join(filter(None, lines))
