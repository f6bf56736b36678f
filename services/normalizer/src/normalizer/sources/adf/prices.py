"""`<price>` and `<finance>`: sums, what they are, and how the customer means to pay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from leadbus.contracts.lead import Finance, Price
from leadbus.contracts.vocabulary import FinanceProduct, PriceKind

from normalizer.domain.currencies import read_currency
from normalizer.sources.adf.amounts import AmountReading, read_amount
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.words import squeezed

_KINDS: Mapping[str, PriceKind] = {
    "": "quote",
    "quote": "quote",
    "offer": "offer",
    "msrp": "msrp",
    "invoice": "invoice",
    "call": "call",
    "appraisal": "appraisal",
    "asking": "asking",
}
_METHODS: Mapping[str, FinanceProduct] = {
    "cash": "cash",
    "finance": "financing",
    "lease": "leasing",
    "financing": "financing",
    "loan": "financing",
    "leasing": "leasing",
    "credit": "financing",
}
_AMOUNTS: Mapping[str, str] = {
    "": "total",
    "total": "total",
    "downpayment": "down_payment",
    "down": "down_payment",
    "monthly": "monthly",
    "monthlypayment": "monthly",
}
_CALL = re.compile(r"(?:please )?call\b.*|(?:price )?on request", re.IGNORECASE)


def read_prices(node: Node, path: str, findings: Findings) -> tuple[Price, ...]:
    """Every `<price>` inside; one that tells a difference to another is no price and stays unread."""
    prices = [_price(one, path, findings) for one in node.each("price") if one.text and not _is_delta(one)]
    return tuple(price for price in prices if price is not None)


def read_finance(node: Node | None, findings: Findings) -> Finance | None:
    """How the wanted vehicle shall be paid; the balance of another contract stays unread."""
    if node is None or not node.holds_anything():
        return None
    method = node.first("method")
    product = _METHODS.get(squeezed(method.text)) if method else None
    if method and method.text:
        if squeezed(method.text) in _METHODS:
            method.take()
        else:
            product = "unknown"
            findings.warn("value_unread", "finance.product")
    sums, currency = _sums(node, findings)
    if product is None and not sums:
        return None
    return Finance(
        product=product,
        down_payment=sums.get("down_payment"),
        monthly=sums.get("monthly"),
        total=sums.get("total"),
        currency=currency,
    )


def _sums(node: Node, findings: Findings) -> tuple[dict[str, Decimal], str | None]:
    sums: dict[str, Decimal] = {}
    currency: str | None = None
    for one in node.each("amount"):
        kind = _AMOUNTS.get(squeezed(one.seen("type")))
        reading = read_amount(one.text)
        if not one.text or kind is None or kind in sums or reading.amount is None:
            if one.text and reading.amount is None:
                findings.warn("value_unread", "finance")
            continue
        one.take(), one.attribute("type")
        if squeezed(one.seen("limit")) in ("", "maximum"):
            one.attribute("limit")
        sums[kind] = reading.amount
        currency = currency or _currency(one, reading)
    return sums, currency


def _price(node: Node, path: str, findings: Findings) -> Price | None:
    reading = read_amount(node.text)
    kind = _kind(node, path, findings)
    if reading.amount is None and _CALL.fullmatch(node.text):
        node.take()
        return Price(kind="call")
    written = node.take_value()
    if written is None:
        return None
    if reading.amount is None:
        findings.keep(f"{path}.price", written)
        findings.warn("price_unread", f"{path}.price")
        return None
    return Price(kind=kind, amount=reading.amount, currency=_currency(node, reading))


def _kind(node: Node, path: str, findings: Findings) -> PriceKind:
    kind = _KINDS.get(squeezed(node.seen("type")))
    if kind is None:
        findings.warn("value_unread", f"{path}.prices")
        return "unknown"
    node.attribute("type")
    return kind


def _currency(node: Node, reading: AmountReading) -> str | None:
    written = node.seen("currency") or ""
    if code := read_currency(written):
        # A name or a sign stays beside what was read of it.
        if written.upper() == code:
            node.attribute("currency")
        return code
    return reading.currency


def _is_delta(node: Node) -> bool:
    if squeezed(node.seen("delta")) in ("relative", "percentage"):
        return True
    if squeezed(node.seen("delta")) == "absolute":
        node.attribute("delta")
    return False
