"""Is a body JSON (RFC 8259), and where is it not?"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ingest.domain.refusal import Position, Reason, Refusal

MAX_DEPTH = 100
_BOM = b"\xef\xbb\xbf"
_TOO_DEEP = f"Nested deeper than {MAX_DEPTH} levels"
# Possessive and with an optional end: linear on every input, an unterminated string included.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},:]|-?[NI]', re.DOTALL)


class _RepeatedNameError(ValueError):
    pass


class _NotANumberError(ValueError):
    pass


def check(body: bytes) -> None:
    """Raise Refusal unless the body is one JSON value.

    A UTF-8 byte order mark in front is let pass (RFC 8259 section 8.1 leaves it to the reader), as are
    numbers of any length and escapes of half a surrogate pair: the grammar allows them, and a shopper's
    emoji cut in two is no reason to turn a lead away. Not let pass: other encodings, NaN and Infinity,
    names that occur twice in an object (readers differ in which value they take), nesting over MAX_DEPTH.
    """
    text = _decode(body)
    if _depth(body) > MAX_DEPTH:
        raise _refusal(body, text, _first_too_deep(text), _TOO_DEEP, Reason.TOO_DEEP)
    try:
        json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_not_a_number,
            parse_int=_unread,
            parse_float=_unread,
        )
    except json.JSONDecodeError as error:
        what = error.msg.partition(":")[0].removesuffix(" at")
        raise _refusal(body, text, error.pos, what) from None
    except _RepeatedNameError:
        raise _refusal(body, text, _second_name(text), "Name used twice in one object") from None
    except _NotANumberError:
        raise _refusal(body, text, _first_constant(text), "NaN and Infinity are not JSON") from None


def _decode(body: bytes) -> str:
    try:
        return body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        offset = len(body) - len(error.object) + error.start
        before = body[:offset].decode("utf-8")
        raise Refusal(Reason.NOT_JSON, "The bytes are not UTF-8.", _position(before, offset)) from None


def _depth(body: bytes) -> int:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unread(number: str) -> str:
    return number


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RepeatedNameError


def _not_a_number(_constant: str) -> NoReturn:
    raise _NotANumberError


def _second_name(text: str) -> int:
    """Where the first repeated name stands, in text that parses up to there."""
    objects: list[set[str] | None] = []
    name_next = False
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "{[":
            objects.append(set() if first == "{" else None)
        elif first in "}]":
            objects.pop()
        elif first == '"' and name_next and objects and (names := objects[-1]) is not None:
            name = json.loads(token[0])
            if name in names:
                return token.start()
            names.add(name)
        name_next = first in "{,"
    raise AssertionError("json found a repeated name where none is")


def _first_constant(text: str) -> int:
    return next(token.start() for token in _TOKEN.finditer(text) if token[0][-1] in "NI")


def _first_too_deep(text: str) -> int:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > MAX_DEPTH:
            return token.start()
    raise AssertionError("no bracket too deep where one was counted")


def _refusal(body: bytes, text: str, offset: int, what: str, reason: Reason = Reason.NOT_JSON) -> Refusal:
    before = text[:offset]
    mark = len(_BOM) if body.startswith(_BOM) else 0
    return Refusal(reason, f"{what}.", _position(before, mark + len(before.encode("utf-8"))))


def _position(before: str, byte: int) -> Position:
    line_start = before.rfind("\n") + 1
    return Position(before.count("\n") + 1, len(before) - line_start + 1, byte)
