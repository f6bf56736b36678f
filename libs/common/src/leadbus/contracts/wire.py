"""The base of everything that crosses a queue: immutable, tolerant of what it does not know."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

# From here on a binary float stands for more than one whole number.
_INEXACT = 2**53


class WireModel(BaseModel):
    """Unknown fields are ignored, so that a producer may add some inside ``vN`` without asking anyone.

    A field that is ``None`` says the same as an absent one; ``wire()`` and ``to_json()`` leave it out.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="strings",
    )

    def wire(self) -> dict[str, Any]:
        """The JSON object as Python values, absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_json(self) -> bytes:
        """The JSON document as UTF-8, absent fields left out."""
        return self.model_dump_json(exclude_none=True).encode()


def _without_nul(value: str) -> str:
    if "\x00" in value:
        # Neither Postgres text nor jsonb can hold it.
        raise ValueError("contains a NUL character")
    return value


def _exact(value: object) -> object:
    if not isinstance(value, float):
        return value
    # Different numbers would be one text: 1e400 is read as infinity, and so is every other as large.
    if not value.is_integer() or abs(value) >= _INEXACT:
        raise ValueError("a number that is not whole, or too large to be exact")
    return int(value)


def _plain_decimal(value: Decimal) -> str:
    return format(value, "f")


Text = Annotated[str, AfterValidator(_without_nul)]
"""Any text that can be stored: every character but NUL."""

Code = Annotated[
    str, Field(coerce_numbers_to_str=True), BeforeValidator(_exact), AfterValidator(_without_nul)
]
"""Text that some senders write as a whole number: ids, years."""

Amount = Annotated[
    Decimal,
    PlainSerializer(_plain_decimal, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["24990.00"]}),
]
"""An exact decimal. On the wire a string without exponent, because JSON numbers become binary floats on most
readers; read from a string or a number."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217 code, upper case."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2 code, upper case."""
