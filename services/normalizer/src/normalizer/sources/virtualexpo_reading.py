"""The elements of a VirtualExpo lead as its contract: what does not fit is told beside it, and costs nothing
else."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadbus.contracts.virtualexpo import (
    VirtualExpoAddress,
    VirtualExpoBuyer,
    VirtualExpoCompany,
    VirtualExpoConsent,
    VirtualExpoLead,
    VirtualExpoProduct,
    VirtualExpoStand,
)
from pydantic import BaseModel

from normalizer.sources.document import Value

_WITHIN: Mapping[str, type[BaseModel]] = {
    "stand": VirtualExpoStand,
    "buyer": VirtualExpoBuyer,
    "company": VirtualExpoCompany,
    "address": VirtualExpoAddress,
    "consent": VirtualExpoConsent,
}
_LISTED = "product"
_ESSENTIAL = "@category"
# More of them would make a small message a large lead.
_MOST_PRODUCTS = 100


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that has no place in the contract: its path, why, and what it was (JSON where it was no text).

    `code`: `value_unread` (another kind of value is wanted there), `value_repeated` (the first one counts),
    `too_many` (more than can be worked with).
    """

    path: str
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The payload, without the values of `unread`."""

    payload: VirtualExpoLead
    unread: tuple[Unread, ...] = ()


def read_elements(told: Mapping[str, Value]) -> Reading:
    """Read what stands in `<lead>`, by name; attributes with `@` before theirs.

    Raises pydantic's ValidationError for a category that is missing or none, and for an exhibitor id that no
    setting could name; for nothing else.
    """
    sorter = _Sorter()
    fields: dict[str, Any] = {}
    for name, value in told.items():
        if name == _LISTED:
            fields[name] = sorter.products(value)
        elif name in _WITHIN:
            fields[name] = sorter.within(_WITHIN[name], value, name)
        elif name in _leaves(VirtualExpoLead) and name != _ESSENTIAL:
            fields[name] = sorter.text(value, name)
        else:
            fields[name] = value
    kept = {name: value for name, value in fields.items() if value is not None}
    return Reading(VirtualExpoLead.model_validate(kept), tuple(sorter.unread))


class _Sorter:
    def __init__(self) -> None:
        self.unread: list[Unread] = []

    def products(self, value: Value) -> list[dict[str, Any]]:
        told = [one for one in (value if isinstance(value, list) else [value]) if one is not None]
        if len(told) > _MOST_PRODUCTS:
            self._leave("products", "too_many", told[_MOST_PRODUCTS:])
            told = told[:_MOST_PRODUCTS]
        read = [self._fields(VirtualExpoProduct, one, f"products.{place}") for place, one in enumerate(told)]
        return [one for one in read if one]

    def within(self, model: type[BaseModel], value: Value, path: str) -> dict[str, Any] | None:
        return self._fields(model, self._first(value, path), path)

    def text(self, value: Value, path: str) -> str | None:
        first = self._first(value, path)
        if first is None or isinstance(first, str):
            return first
        self._leave(path, "value_unread", first)
        return None

    def _fields(self, model: type[BaseModel], value: Value, path: str) -> dict[str, Any] | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self._leave(path, "value_unread", value)
            return None
        leaves = _leaves(model)
        told = {
            name: self.text(inner, f"{path}.{name}") if name in leaves else inner
            for name, inner in value.items()
        }
        return {name: inner for name, inner in told.items() if inner is not None}

    def _first(self, value: Value, path: str) -> Value:
        if not isinstance(value, list):
            return value
        told = [one for one in value if one is not None]
        if len(told) > 1:
            self._leave(path, "value_repeated", told[1:])
        return told[0] if told else None

    def _leave(self, path: str, code: str, value: object) -> None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self.unread.append(Unread(path, code, text))


@functools.cache
def _leaves(model: type[BaseModel]) -> frozenset[str]:
    """Names, as they stand in the document, of the fields that hold text."""
    names = (field.alias or name for name, field in model.model_fields.items())
    return frozenset(name for name in names if name not in _WITHIN and name != _LISTED)
