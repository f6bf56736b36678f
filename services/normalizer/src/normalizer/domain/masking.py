"""A lead's document without what tells who the customer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_HIDDEN = "•••"

Mask = Callable[[Any], Any]


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` (a lead as JSON values) with personal data shortened beyond use.

    Kept: identity, times, dealer, vehicles, codes. What a field of ours might not hold, a free text
    may: texts and extras are hidden whole. Of the customer and of the visit (`attribution`) only what is
    named here is kept, so that a field which is added later is hidden until somebody decides about it.
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


def _kept(value: Any) -> Any:
    return value


def _each(mask: Mask) -> Mask:
    return lambda values: [mask(value) for value in values]


def _fields(*, _: Mask = _kept, **masks: Mask) -> Mask:
    """Masks the named fields of an object; `_` masks every other one that it has."""
    return lambda value: {name: masks.get(name, _)(held) for name, held in value.items()}


def _only(*kept: str, **masks: Mask) -> Mask:
    """Masks the named fields of an object and leaves those in `kept`; every other one is hidden."""
    return _fields(_=_hidden, **dict.fromkeys(kept, _kept), **masks)


_MASKS: Mapping[str, Mask] = {
    "customer": _only(
        "type",
        "language",
        name=_fields(_=_initial),
        company=_only(name=_initial),
        emails=_each(_only("primary", address=_address)),
        phones=_each(_only("type", "best_time", "primary", e164=_number)),
        addresses=_each(_only("city", "region", "country", "type")),
    ),
    "vehicles": _each(_fields(comments=_text)),
    "finance": _hidden,
    "contract": _fields(number=_hidden),
    "subject": _text,
    "message": _text,
    "transcript": _each(_fields(name=_initial, text=_text)),
    "call": _fields(recording_url=_hidden),
    "attribution": _only(
        "known_at",
        "sent_at",
        "source",
        "traffic_type",
        "campaign",
        "ad_content",
        "keyword",
        "social_network",
        "city",
        "country",
        "browser",
        "device_category",
    ),
    "warnings": _each(_fields(detail=_text)),
    "consent": _fields(text=_text),
    "extras": _fields(_=_text),
}
