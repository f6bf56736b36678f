"""A lead's document without what tells who the customer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_HIDDEN = "•••"

Mask = Callable[[Any], Any]


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` (a lead as JSON values) with personal data shortened beyond use.

    Kept: identity, times, dealer, vehicles, codes. What a field of ours might not hold, a free text
    may: texts and extras are hidden whole.
    """
    return {name: _MASKS[name](value) if name in _MASKS else value for name, value in document.items()}


def _initial(value: str) -> str:
    return f"{value[:1]}{_HIDDEN}" if value else value


def _address(value: str) -> str:
    local, at, domain = value.rpartition("@")
    return f"{_initial(local)}@{domain}" if at else _HIDDEN


def _number(value: str) -> str:
    return f"{_HIDDEN}{value[-2:]}"


def _text(value: Any) -> str:
    return f"[{len(str(value))} characters]"


def _hidden(_: Any) -> str:
    return _HIDDEN


def _each(mask: Mask) -> Mask:
    return lambda values: [mask(value) for value in values]


def _fields(**masks: Mask) -> Mask:
    """Masks the named fields of an object; `_` masks every other one that it has."""
    other = masks.pop("_", None)

    def mask(value: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {name: masks.get(name, other) for name in value}
        return {name: chosen[name](held) if chosen[name] else held for name, held in value.items()}  # type: ignore[misc]

    return mask


_MASKS: Mapping[str, Mask] = {
    "customer": _fields(
        name=_fields(_=_initial),
        company=_fields(name=_initial, website=_hidden),
        emails=_each(_fields(address=_address, raw=_hidden)),
        phones=_each(_fields(e164=_number, raw=_hidden, extension=_hidden)),
        addresses=_each(_fields(street=_hidden, apartment=_hidden, postal_code=_hidden)),
    ),
    "vehicles": _each(_fields(comments=_text)),
    "finance": _hidden,
    "contract": _fields(number=_hidden),
    "subject": _text,
    "message": _text,
    "transcript": _each(_fields(name=_initial, text=_text)),
    "call": _fields(recording_url=_hidden),
    "attribution": _fields(
        ip=_hidden, full_referral_path=_hidden, page_path=_hidden, mailbox_address=_hidden
    ),
    "consent": _fields(text=_text),
    "extras": _fields(_=_text),
}
