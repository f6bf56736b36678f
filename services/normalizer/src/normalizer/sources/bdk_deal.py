"""What a BDK lead is about: vehicle, means of paying, contract."""

from __future__ import annotations

from leadbus.contracts.bdk import BdkContract, BdkFinance, BdkVehicle
from leadbus.contracts.lead import Contract, Distance, Finance, Odometer, Price, Vehicle
from leadbus.contracts.vocabulary import Interest, VehicleStatus
from leadbus.contracts.web_link import is_web_link

from normalizer.domain.text import told_line
from normalizer.domain.vin import read_vin
from normalizer.sources import bdk_words
from normalizer.sources.bdk_findings import Findings
from normalizer.sources.bdk_moments import read_day
from normalizer.sources.bdk_types import LeadType

_EURO = "EUR"


def vehicles_of(told: BdkVehicle | None, kind: LeadType, findings: Findings) -> tuple[Vehicle, ...]:
    """The one vehicle; of an expiring contract it is the one that the customer has, and nobody wants it."""
    if told is None or not told.model_dump(include=set(BdkVehicle.model_fields), exclude_none=True):
        return ()
    vin, doubt = _vin(told, findings)
    if told.price is None:
        findings.keep("vehicle.currency", told.currency)
    prices = (Price(kind="asking", amount=told.price, currency=told.currency or _EURO),)
    return (
        Vehicle(
            interest=_interest(kind),
            status=_status(told, kind),
            wanted=not kind.contract_expiry,
            year=told_line(told.model_year),
            make=told_line(told.make),
            model=told_line(told.model),
            trim=told_line(told.variant),
            vin=vin,
            vin_warning=doubt,
            stock=told_line(told.stock_number),
            odometer=None if told.mileage is None else Odometer(value=told.mileage, units="km"),
            prices=() if told.price is None else prices,
            url=_link("vehicle.listingUrl", told.listing_url, findings),
            image=_link("vehicle.imageUrl", told.image_url, findings),
        ),
    )


def _interest(kind: LeadType) -> Interest:
    if kind.contract_expiry:
        return "trade_in"
    return "lease" if kind.product == "leasing" else "buy"


def _status(told: BdkVehicle, kind: LeadType) -> VehicleStatus:
    if told.is_new is None:
        return "new" if kind.new_car else "unknown"
    return "new" if told.is_new else "used"


def _vin(told: BdkVehicle, findings: Findings) -> tuple[str | None, str | None]:
    if told_line(told.vin) is None:
        return None, None
    reading = read_vin(told.vin or "")
    findings.warn(reading.warning, "vehicles.0.vin")
    if reading.vin is None:
        findings.keep("vehicle.vin", reading.raw)
        return None, None
    return reading.vin, reading.warning and reading.warning.removeprefix("vin_")


def _link(path: str, told: str | None, findings: Findings) -> str | None:
    address = told_line(told)
    if address is None or is_web_link(address):
        return address
    findings.doubt(path, told, "link_unusable")
    return None


def with_told_product(kind: LeadType, told: BdkFinance | None, findings: Findings) -> LeadType:
    """`kind` with what the lead itself says of paying where its type says nothing.

    The type is the provider's own enumeration: where both speak and differ it counts, with the warning
    `finance_conflict`. An approval is never read: a check beforehand is none.
    """
    if told is None:
        return kind
    product = findings.word("finance.product", told.product, bdk_words.PRODUCTS)
    precheck = findings.word("finance.precheck", told.precheck, bdk_words.PRECHECKS)
    if product and kind.product not in (None, product):
        findings.warn("finance_conflict", "finance.product")
    if precheck and kind.precheck not in ("not_stated", precheck):
        findings.warn("finance_conflict", "finance.precheck")
    return kind.model_copy(
        update={
            "product": kind.product or product,
            "precheck": (precheck or "not_stated") if kind.precheck == "not_stated" else kind.precheck,
        }
    )


def finance_of(told: BdkFinance | None, kind: LeadType) -> Finance | None:
    """How the person means to pay, by type and lead together; None where neither says anything."""
    said = told or BdkFinance()
    sums = (said.down_payment, said.monthly_rate, said.total)
    has_sums = any(value is not None for value in sums)
    finance = Finance(
        product=kind.product,
        precheck=kind.precheck,
        down_payment=said.down_payment,
        monthly=said.monthly_rate,
        total=said.total,
        currency=said.currency or (_EURO if has_sums else None),
        term_months=said.term_months,
        distance_per_year=(
            None if said.mileage_per_year is None else Distance(value=said.mileage_per_year, units="km")
        ),
    )
    return None if finance == Finance() else finance


def contract_of(told: BdkContract | None, kind: LeadType, findings: Findings) -> Contract | None:
    """The contract that ends; its kind at least where the type says that one does."""
    said = told or BdkContract()
    written = told_line(said.ends_on)
    ends_on = read_day(written) if written else None
    if written and ends_on is None:
        findings.doubt("contract.endsOn", written, "value_unread")
    elif written and ends_on != written:
        findings.keep("contract.endsOn", written)
    product = kind.product if kind.contract_expiry else None
    contract = Contract(number=told_line(said.number), kind=told_line(said.kind) or product, ends_on=ends_on)
    return None if contract == Contract() else contract
