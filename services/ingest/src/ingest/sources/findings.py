"""What is to be said about a payload before it is brought."""

from __future__ import annotations

from dataclasses import dataclass, field

from leadbus.web import FieldError


@dataclass(frozen=True, slots=True)
class Findings:
    """`faults` keep it from becoming a lead; `warnings` are values that will not reach their field."""

    faults: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)
