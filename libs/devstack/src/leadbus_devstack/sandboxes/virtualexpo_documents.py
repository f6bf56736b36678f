"""Documents as VirtualExpo's server hands them out, for the sandbox, the demo and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

_OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<leads xmlns="urn:leadbus:virtualexpo:1"'
_BUYER: Mapping[str, str] = {"firstName": "Claire", "lastName": "Le Goff", "email": "claire@legoff.example"}


def document(leads: Sequence[str]) -> str:
    """A document with these leads."""
    return f'{_OPENING} count="{len(leads)}">\n' + "".join(leads) + "</leads>\n"


def lead(
    id_: str,
    *,
    category: str = "request",
    marketplace: str = "DirectIndustry",
    type_: str | None = "Quote",
    exhibitor: str = "18822",
    created_at: str = "2026-04-14T10:22:31+02:00",
    buyer: Mapping[str, str] = _BUYER,
    company: Mapping[str, str] | None = None,
    address: Mapping[str, str] | None = None,
    product: Mapping[str, str] | None = None,
    message: str = "",
) -> str:
    """One lead; `buyer`, `company`, `address` and `product` by the names of their elements."""
    inner = [
        _element("type", type_) if type_ is not None else "",
        _element("createdAt", created_at),
        f"<stand>{_element('exhibitorId', exhibitor)}</stand>",
        _group("product", product or {"productId": "P-20931", "productName": "Refrigerated body KB 7"}),
        _group("buyer", buyer),
        _group("company", company) if company else "",
        _group("address", address) if address else "",
        _element("message", message) if message else "",
    ]
    told = f"id={quoteattr(id_)} category={quoteattr(category)} marketplace={quoteattr(marketplace)}"
    return f"<lead {told}>{''.join(inner)}</lead>\n"


def _group(name: str, values: Mapping[str, str]) -> str:
    return f"<{name}>{''.join(_element(inner, value) for inner, value in values.items())}</{name}>"


def _element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>"
