"""`<vehicle>`: what the customer wants, has, or offers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leadbus.contracts.lead import Colour, Odometer, Option, Vehicle
from leadbus.contracts.vocabulary import Interest, VehicleStatus

from normalizer.domain.vin import read_vin
from normalizer.sources.adf.amounts import read_distance, unit_of
from normalizer.sources.adf.comments import page_of, plain_text
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.prices import read_prices
from normalizer.sources.adf.words import squeezed

_INTERESTS: Mapping[str, Interest] = {
    "": "buy",
    "buy": "buy",
    "purchase": "buy",
    "buying": "buy",
    "inquiry": "buy",
    "lease": "lease",
    "leasing": "lease",
    "sell": "sell",
    "selling": "sell",
    **dict.fromkeys(("tradein", "trade", "tradeinvehicle"), "trade_in"),
    **dict.fromkeys(("testdrive", "testdriving"), "test_drive"),
}
_STATUSES: Mapping[str, VehicleStatus] = {
    "new": "new",
    "used": "used",
    "": "unknown",
    "unknown": "unknown",
    **dict.fromkeys(
        ("cpo", "certified", "certifiedpreowned", "certifiedused", "preowned", "usedcpo"), "used"
    ),
}
GIVEN_AWAY: frozenset[Interest] = frozenset({"trade_in", "sell"})
"""What the customer has, not what they want."""

_YEAR_UNTOLD = re.compile(r"0{1,4}")
_MIRRORED = ("year", "make", "model")
_TRADES = ("trade", "tradein", "tradevehicle", "tradeinvehicle")
_OWN = ("odometer", "stock", "colours", "prices", "comments", "trim", "options")


@dataclass(frozen=True, slots=True)
class Vehicles:
    """In document order; `wanted` is the node of the one the lead is about."""

    vehicles: tuple[Vehicle, ...]
    wanted: Node | None


def read_vehicles(nodes: list[Node], findings: Findings) -> Vehicles:
    """Every vehicle that says anything; what the customer gives away and says nothing of is none."""
    told = [node for node in nodes if _interest(node) not in GIVEN_AWAY or node.holds_anything()]
    candidates = [node for node in told if _interest(node) not in GIVEN_AWAY]
    wanted = next((node for node in candidates if node.holds_anything()), next(iter(candidates), None))
    vehicles = tuple(
        _vehicle(node, index, findings, wanted=node is wanted) for index, node in enumerate(told)
    )
    for index, vehicle in enumerate(vehicles):
        if any(_mirrors(vehicle, other) for other in vehicles if other.wanted):
            findings.warn("trade_in_mirrors_wanted", f"vehicles.{index}")
    return Vehicles(vehicles, wanted)


def vehicle_nodes(prospect: Node) -> list[Node]:
    """Every vehicle, in document order: also those that somebody put into `<vehicles>` or `<trade>`."""
    found: list[Node] = []
    for child in prospect.children:
        if child.key == "vehicle":
            found.append(child)
        elif child.key == "vehicles":
            found += child.each("vehicle")
        elif child.key in _TRADES:
            inner = child.each("vehicle") or ([child] if child.each(*_MIRRORED) else [])
            for node in inner:
                node.default("interest", "trade-in")
            found += inner
    return found


def _mirrors(vehicle: Vehicle, wanted: Vehicle) -> bool:
    """Whether a form filled the block of the customer's own car with the car they ask for."""
    if vehicle.interest not in GIVEN_AWAY:
        return False
    if vehicle.vin:
        return vehicle.vin == wanted.vin
    if not vehicle.model or any(getattr(vehicle, name) for name in _OWN):
        return False
    return all(getattr(vehicle, name) in (None, getattr(wanted, name)) for name in _MIRRORED)


def _interest(node: Node) -> Interest:
    return _INTERESTS.get(squeezed(node.seen("interest")), "buy")


def _vehicle(node: Node, index: int, findings: Findings, *, wanted: bool) -> Vehicle:
    path = f"vehicles.{index}"
    interest = _taken_interest(node, path, findings)
    vin, doubt = _vin(node, path, findings)
    image = node.first("imagetag", "image", "imageurl")
    comments = [text for one in node.each("comments", "comment") if (text := plain_text(one.take_all()))]
    return Vehicle(
        interest=interest,
        status=_status(node, interest, path, findings),
        wanted=wanted,
        year=_year(node),
        make=node.value("make"),
        model=node.value("model"),
        trim=node.value("trim"),
        body=node.value("bodystyle", "body", "bodytype"),
        vin=vin,
        vin_warning=doubt,
        stock=node.value("stock", "stocknumber", "stockno", "stockid"),
        odometer=_odometer(node, path, findings),
        colours=_colours(node, path, findings),
        transmission=node.value("transmission"),
        prices=read_prices(node, path, findings),
        options=_options(node, path, findings),
        url=node.value("url", "link", "vdpurl", "vehicleurl", "vehiclelink") or page_of("\n".join(comments)),
        image=image.take_value() if image else None,
        comments="\n".join(comments) or None,
    )


def _taken_interest(node: Node, path: str, findings: Findings) -> Interest:
    interest = _interest(node)
    if squeezed(node.seen("interest")) in _INTERESTS:
        node.attribute("interest")
    else:
        findings.warn("value_unread", f"{path}.interest")
    return interest


def _status(node: Node, interest: Interest, path: str, findings: Findings) -> VehicleStatus:
    """As told; ADF's default `new` for a wanted vehicle without the attribute alone."""
    written = node.seen("status")
    if written is None:
        return "unknown" if interest in GIVEN_AWAY else "new"
    status = _STATUSES.get(squeezed(written))
    if squeezed(written) in ("new", "used", ""):
        node.attribute("status")
    if status is None:
        findings.warn("value_unread", f"{path}.status")
    return status or "unknown"


def _year(node: Node) -> str | None:
    told = next((one for one in node.each("year") if one.text and not _YEAR_UNTOLD.fullmatch(one.text)), None)
    return told.take_value() if told else None


def _vin(node: Node, path: str, findings: Findings) -> tuple[str | None, str | None]:
    written = node.value("vin")
    if written is None:
        return None, None
    reading = read_vin(written)
    findings.warn(reading.warning, f"{path}.vin")
    if reading.vin is None:
        findings.keep(f"{path}.vin", reading.raw)
        return None, None
    return reading.vin, reading.warning and reading.warning.removeprefix("vin_")


def _odometer(node: Node, path: str, findings: Findings) -> Odometer | None:
    told = node.first("odometer", "mileage", "kilometers")
    written = told.take_value() if told else None
    if told is None or written is None:
        return None
    value, unit = read_distance(written)
    if value is None:
        findings.keep(f"{path}.mileage", written)
        findings.warn("value_unread", f"{path}.odometer")
        return None
    for name in ("units", "unit"):
        labelled = unit_of(told.seen(name))
        if labelled:
            told.attribute(name)
            unit = labelled
    return Odometer.model_validate({"value": value, "units": unit or "unknown"})


def _colours(node: Node, path: str, findings: Findings) -> tuple[Colour, ...]:
    colours = [_colour(one, path, findings) for one in node.each("colorcombination", "colourcombination")]
    exterior = node.value("exteriorcolor", "color", "colour", "exteriorcolour")
    interior = node.value("interiorcolor", "interiorcolour")
    for nested in node.each("color", "colour", "colors"):
        exterior = exterior or nested.value("exterior", "exteriorcolor")
        interior = interior or nested.value("interior", "interiorcolor")
    if exterior or interior:
        colours.append(Colour(exterior=exterior, interior=interior))
    return tuple(one for one in colours if one.exterior or one.interior)


def _colour(node: Node, path: str, findings: Findings) -> Colour:
    preference = node.first("preference")
    written = preference.take() if preference else ""
    if written and not re.fullmatch("[1-9][0-9]{0,3}", written):
        findings.keep(f"{path}.colours.preference", written)
        written = ""
    return Colour(
        exterior=node.value("exteriorcolor", "exteriorcolour"),
        interior=node.value("interiorcolor", "interiorcolour"),
        preference=int(written) if written else None,
    )


def _options(node: Node, path: str, findings: Findings) -> tuple[Option, ...]:
    options: list[Option] = []
    for one in node.each("option"):
        if (option := _option(one, path, findings)) is not None:
            findings.keep(f"{path}.options.{len(options)}.stock", one.value("stock"))
            options.append(option)
    return tuple(options)


def _option(node: Node, path: str, findings: Findings) -> Option | None:
    name = node.value("optionname", "name") or node.take_value()
    if name is None:
        return None
    weighting = node.first("weighting")
    weight = weighting.text if weighting else ""
    fits = re.fullmatch(r"[+-]?\d{1,3}", weight) is not None and abs(int(weight)) <= 100
    if weighting and fits:
        weighting.take()
    prices = read_prices(node, f"{path}.options", findings)
    for price in prices[1:]:
        findings.keep(f"{path}.options.price", str(price.amount or price.kind))
    return Option(
        name=name,
        code=node.value("manufacturercode"),
        weighting=int(weight) if fits else None,
        price=prices[0] if prices else None,
    )
