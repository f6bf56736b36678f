"""Reads the members of one JSON object and keeps the text of each: an enveloped body stays its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Never

_BLANK: Final = re.compile(r"[ \t\n\r]*")


class NotAnObjectError(ValueError):
    """The document is not one JSON object; the message says why without quoting it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member's value, and the text that stood for it."""

    value: Any
    text: str


def members(document: bytes) -> dict[str, Member]:
    """The members of a JSON object in UTF-8. Raises NotAnObjectError; a name given twice is one too."""
    try:
        return _members(document.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotAnObjectError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotAnObjectError(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise NotAnObjectError("nested too deeply") from None


def _members(text: str) -> dict[str, Member]:
    found: dict[str, Member] = {}
    position = _past(text, _blank(text, 0), "{")
    if text[position : position + 1] == "}":
        position += 1
    else:
        while True:
            name, position = _value(text, position)
            if not isinstance(name, str):
                raise NotAnObjectError("a member's name is not a string")
            if name in found:
                raise NotAnObjectError("a name is given twice")
            start = _past(text, _blank(text, position), ":")
            value, end = _value(text, start)
            found[name] = Member(value, text[start:end])
            position = _blank(text, end)
            if text[position : position + 1] == "}":
                position += 1
                break
            position = _past(text, position, ",")
    if _blank(text, position) != len(text):
        raise json.JSONDecodeError("more than one value", "", position)
    return found


def _value(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # NaN, Infinity, or an integer of more digits than Python converts.
        raise NotAnObjectError("a number that JSON does not have or nobody can hold") from None


def _blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _past(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise json.JSONDecodeError(f"expected {character}", "", position)
    return _blank(text, position + 1)


def _refuse(_: str) -> Never:
    raise ValueError("no JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
