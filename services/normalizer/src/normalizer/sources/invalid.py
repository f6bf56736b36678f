"""A failed validation told without any of the values that failed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel, ValidationError

from normalizer.domain.rejection import Rejection

_KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
    dict: "object",
    type(None): "null",
}
_UNREADABLE = "json_invalid"


def rejection_of(error: ValidationError, contract: type[BaseModel]) -> Rejection:
    """The first thing that is wrong, as a Rejection.

    pydantic's own message is not used: some of them quote the input.
    """
    first = error.errors(include_url=False)[0]
    if first["type"] == _UNREADABLE:
        return Rejection("undecodable", "not well-formed JSON in UTF-8")
    kind = "missing" if first["type"] == "missing" else _KINDS.get(type(first["input"]), "other")
    return Rejection("payload_invalid", first["type"], field=_path(first["loc"], contract), kind=kind)


def _path(location: tuple[int | str, ...], contract: type[BaseModel]) -> str | None:
    """Dotted path; a name that the contract does not know was chosen by the sender and is left out."""
    known = _names(contract)
    steps = (str(step) if isinstance(step, int) or step in known else "*" for step in location)
    return ".".join(steps) or None


@cache
def _names(contract: type[BaseModel]) -> frozenset[str]:
    return frozenset(_names_within(contract.model_json_schema()))


def _names_within(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _names_within(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _names_within(part)
