"""What of a payload could not be read, kept word for word; for every reader of payloads alike."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

UnreadCode = Literal["value_unread", "link_unusable"]
Location: TypeAlias = tuple[str | int, ...]
"""Names and numbers that lead to a value."""

UNREAD_PER_FIELD = 50
"""Beyond it a hostile payload would become a large lead: such a field is kept whole."""
FAULTS_ONE_BY_ONE = 1_000
"""Beyond it, or take seconds."""

_ESCAPED_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that could not be read: where it stood, why, and what it was (JSON where it was no text)."""

    location: Location
    code: UnreadCode
    value: str

    @property
    def path(self) -> str:
        """Dotted, as the payload names it."""
        return ".".join(map(str, self.location))


def verbatim(value: object) -> str:
    """``value`` as it was told, but for NUL, which no text may hold."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    return _ESCAPED_NUL.sub(r"\1", json.dumps(value, ensure_ascii=False, separators=(",", ":")))
