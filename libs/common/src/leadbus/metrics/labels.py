"""What a label may say: a closed vocabulary, or names from settings up to a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Configured:
    """Values an operator configured (queues, routes of the API, destinations): at most `at_most` of them."""

    description: str
    at_most: int


def configured(description: str, at_most: int = 200) -> Configured:
    """Declare a label whose values come from settings or wiring; beyond `at_most` they become `other`."""
    return Configured(description, at_most)


class Values:
    """The values one label of one metric may take."""

    def __init__(self, allowed: Iterable[str] | type[Enum] | Configured) -> None:
        self.configured = allowed if isinstance(allowed, Configured) else None
        self._known = set() if isinstance(allowed, Configured) else {_text(value) for value in allowed}

    def bound(self, value: object) -> str:
        """`value` as label text, `other` when it is not one of the allowed."""
        text = _text(value)
        if text in self._known:
            return text
        if self.configured and len(self._known) < self.configured.at_most:
            self._known.add(text)
            return text
        return OTHER

    def describe(self) -> str:
        if self.configured:
            return f"{self.configured.description} (at most {self.configured.at_most})"
        return ", ".join(f"`{value}`" for value in sorted(self._known))


def _text(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)
