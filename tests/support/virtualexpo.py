"""Leads as VirtualExpo's documents hold them, built field by field."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr


def element(name: str, told: Any) -> str:
    """An element of text, of others by name, or one for each entry of a list."""
    if isinstance(told, list):
        return "".join(element(name, one) for one in told)
    if isinstance(told, dict):
        return f"<{name}>{''.join(element(inner, value) for inner, value in told.items())}</{name}>"
    return f"<{name}>{escape(told)}</{name}>"


def document(
    category: str | None = "request", marketplace: str | None = "DirectIndustry", **told: Any
) -> bytes:
    """A lead with the elements in `told`; an attribute has `at_` before its name, None leaves one out."""
    fields: dict[str, Any] = {"createdAt": "2026-04-14T10:22:31Z", "stand": {"exhibitorId": "18822"}, **told}
    attributes = {"at_id": "VX-1", "at_category": category, "at_marketplace": marketplace}
    attributes |= {name: fields.pop(name) for name in list(fields) if name.startswith("at_")}
    written = [f"{name[3:]}={quoteattr(text)}" for name, text in attributes.items() if text is not None]
    inner = "".join(element(name, value) for name, value in fields.items() if value is not None)
    return f'<lead xmlns="urn:leadbus:virtualexpo:1" {" ".join(written)}>{inner}</lead>'.encode()
