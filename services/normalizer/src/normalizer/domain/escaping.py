"""AMQP tables as JSON that Postgres takes, and back without loss.

jsonb has no NUL, no lone surrogates, no bytes and no times; a sender's headers may have them all.
What JSON cannot say is wrapped as `{"$kind": text}`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

_DEEPEST = 32
_NAMES_KEPT = 1024
_PLAIN_TYPES = frozenset({type(None), bool, int})
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def dump(values: Mapping[str, Any]) -> str:
    """JSON text of an AMQP table. Raises ValueError for one that nests deeper than 32 levels."""
    return to_json(_escaped(values, _DEEPEST)).decode()


def load(text: str) -> Any:
    """What `dump` was given."""
    return _unescaped(json.loads(text))


def _escaped(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("nested too deep")
    if type(value) is str and not _UNSTORABLE.search(value):
        return value
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, Mapping):
        if all(map(_is_plain_name, value)):
            return {key: _escaped(entry, depth - 1) for key, entry in value.items()}
        return {
            "$table": [[_escaped(key, depth - 1), _escaped(entry, depth - 1)] for key, entry in value.items()]
        }
    if isinstance(value, list | tuple):
        return [_escaped(entry, depth - 1) for entry in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value if _storable(value) else {"$text": _base64(value.encode("utf-8", "surrogatepass"))}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, bytes | bytearray):
        return {"$bytes": _base64(bytes(value))}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    return {"$other": type(value).__name__}


def _unescaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unescaped(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in _KINDS:
            return _KINDS[kind](inner)
    return {key: _unescaped(entry) for key, entry in value.items()}


def _table(pairs: list[list[Any]]) -> dict[Any, Any]:
    return {_unescaped(key): _unescaped(entry) for key, entry in pairs}


_KINDS: Mapping[str, Any] = {
    "$table": _table,
    "$text": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
    "$float": float,
    "$bytes": base64.b64decode,
    "$time": datetime.fromisoformat,
    "$decimal": Decimal,
    "$other": lambda name: f"({name})",
}


@lru_cache(_NAMES_KEPT)
def _is_plain_name(key: object) -> bool:
    return isinstance(key, str) and _storable(key) and key[:1] != "$"


def _storable(text: str) -> bool:
    return _UNSTORABLE.search(text) is None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
