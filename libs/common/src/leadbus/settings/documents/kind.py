"""A kind of document: its model, what it refers to, and what happens when one changes."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leadbus.db import Connection
from leadbus.web.failures import field_errors
from leadbus.web.problems import INVALID, FieldError, Problem

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$"
_NAME = re.compile(NAME_PATTERN)


class Spec(BaseModel):
    """Base of every spec: unknown fields are errors (a misspelt one would be lost), values are not echoed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class InvalidSpec(Exception):  # noqa: N818 - a statement about the spec, not our error
    """Raised by a kind's `check`: which field (JSON pointer into the spec) is wrong how, without values."""

    def __init__(self, pointer: str, detail: str, code: str = "invalid") -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail
        self.code = code


class Notice(BaseModel):
    """What a person may want to look at. The spec is right, and in force all the same."""

    pointer: str = Field(description="JSON pointer into the spec.")
    code: str
    detail: str = Field(description="For people.")


CheckSpec = Callable[[Connection, str, Any], Awaitable[None]]
OnChange = Callable[[Connection, str, Any | None, Any | None], Awaitable[None]]
DealerOf = Callable[[str, Any], str | None]
NoticesOf = Callable[[Mapping[str, Any], Any], Sequence[Notice]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`references` maps a field (dots go into objects, lists are walked) to the kind it names.

    `check(connection, name, spec)` may refuse with InvalidSpec. `on_change(connection, name, old, new)` runs
    in the transaction of the change (old None: created, new None: deleted). `dealer_of(name, spec)` says
    whose the document is, for tokens limited to dealers; without it such tokens do not see the kind.
    `notices_of(written, spec)` says what is odd about a spec that is taken, `written` being what was sent.
    """

    name: str
    model: type[BaseModel]
    references: Mapping[str, str] = field(default_factory=dict)
    check: CheckSpec | None = None
    on_change: OnChange | None = None
    dealer_of: DealerOf | None = None
    notices_of: NoticesOf | None = None
    title: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if self.model.model_config.get("extra") != "forbid":
            raise TypeError(
                f"{self.model.__name__} extends leadbus.settings.documents.Spec, or forbids extras"
            )

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the spec; `x-order` on each property is its place in a form, `x-reference`
        the kind it names."""
        schema = self.model.model_json_schema()
        for place, (name, described) in enumerate(schema.get("properties", {}).items()):
            described["x-order"] = place
            if name in self.references:
                described["x-reference"] = self.references[name]
        return schema

    def read(self, spec: object) -> Any:
        """The spec as the model. Raises Problem invalid with a pointer below `/spec` for each wrong field."""
        try:
            read = self.model.model_validate(spec)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise Problem(INVALID, errors=field_errors(found, under="/spec")) from None
        unstorable = [
            FieldError("text or number that cannot be stored", "unstorable", pointer="/spec" + pointer)
            for pointer, value in leaves(self.write(read))
            if not _storable(value)
        ]
        if unstorable:
            raise Problem(INVALID, errors=unstorable)
        return read

    def notices(self, written: object, spec: BaseModel) -> list[Notice]:
        """What is odd about a spec that was read from `written`."""
        if self.notices_of is None or not isinstance(written, Mapping):
            return []
        return list(self.notices_of(written, spec))

    def write(self, spec: BaseModel) -> dict[str, Any]:
        """The spec as stored: every field, defaults included, so that a release never changes a setting."""
        return spec.model_dump(mode="json", by_alias=True)

    def referred(self, spec: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """(JSON pointer, kind, name) for every reference in a written spec."""
        for path, kind in self.references.items():
            for pointer, value in _walk(spec, path.split("."), ""):
                if isinstance(value, str):
                    yield pointer, kind, value


def check_name(name: str) -> str:
    """Raises Problem invalid for a name that cannot stand in a path or a file."""
    if not _NAME.match(name):
        raise Problem(
            INVALID, errors=[FieldError(f"must match {NAME_PATTERN}", "invalid_name", parameter="name")]
        )
    return name


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """(JSON pointer, value) of everything in a JSON value that holds nothing else; keys count as values."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if not _storable(key):
                yield pointer, key
            else:
                yield from leaves(inner, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{pointer}/{place}")
    else:
        yield pointer, value


def escaped(key: object) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _storable(value: object) -> bool:
    # Postgres: no NUL and no lone surrogate in text, no NaN in JSON.
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return not isinstance(value, float) or math.isfinite(value)


def _walk(value: Any, path: list[str], pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _walk(inner, path, f"{pointer}/{place}")
    elif not path:
        yield pointer, value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:], f"{pointer}/{escaped(path[0])}")
