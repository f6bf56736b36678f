"""A failed validation told without any of the values that failed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

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
# Messages that say what is wanted and nothing of what came; of other errors only the code is told.
_SAYS_WHAT_IS_WANTED = frozenset(
    {
        *("missing", "literal_error", "value_error", "timezone_aware"),
        *("string_pattern_mismatch", "string_too_short", "string_too_long", "greater_than_equal"),
        *("string_type", "int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"),
        *("decimal_type", "decimal_parsing", "bool_type", "bool_parsing", "datetime_type"),
        *("model_type", "model_attributes_type", "dict_type", "list_type", "tuple_type"),
    }
)


def rejection_of(error: ValidationError, contract: type[BaseModel]) -> Rejection:
    """The first thing that is wrong, as a Rejection. Messages of our own validators never quote values."""
    first = error.errors(include_url=False)[0]
    if first["type"] == _UNREADABLE:
        return Rejection("undecodable", "not well-formed JSON in UTF-8")
    kind = "missing" if first["type"] == "missing" else _KINDS.get(type(first["input"]), "other")
    return Rejection("payload_invalid", _detail(first), field=_path(first["loc"], contract), kind=kind)


def _detail(error: ErrorDetails) -> str:
    told = error["msg"] if error["type"] in _SAYS_WHAT_IS_WANTED else error["type"]
    return told.removeprefix("Value error, ")


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
