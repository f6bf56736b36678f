"""Exceptions in logs: kind and place always, words only from kinds that do not quote what they were given."""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

from pydantic import ValidationError

_MAX_FRAMES = 30
_MAX_CAUSES = 5
# Built-in kinds whose words are errno texts and identifiers. ValueError, KeyError, UnicodeError and the
# like quote the value they choked on.
_SPEAKING_BUILTINS = (OSError, TimeoutError, AttributeError, NameError, ImportError, NotImplementedError)
_SPEAKING_MODULES = ("leadbus", "aiormq", "aio_pika", "pamqp", "ssl")
# SQLSTATE classes 22 (data) and 23 (integrity) quote values in the message itself.
_QUOTING_SQLSTATES = ("22", "23")


def describe(error: BaseException) -> dict[str, Any]:
    """`error` and its causes as kind, words where they are safe, and frames without locals."""
    described: dict[str, Any] = {"kind": _kind(error), "frames": _frames(error.__traceback__)}
    if said := words(error):
        described["detail"] = said
    if isinstance(error, ValidationError):
        described["invalid"] = [
            {"type": item["type"], "field": ".".join(str(part) for part in item["loc"])}
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:10]
        ]
    if causes := [_summary(cause) for cause in _causes(error)]:
        described["causes"] = causes
    if isinstance(error, BaseExceptionGroup):
        described["group"] = [_summary(inner) for inner in error.exceptions[:_MAX_CAUSES]]
    return described


def words(error: BaseException) -> str | None:
    """What the exception says, when its kind is known not to quote data."""
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        quoting = sqlstate.startswith(_QUOTING_SQLSTATES)
        return sqlstate if quoting else f"{sqlstate} {getattr(error, 'message', None) or ''}".strip()
    module = type(error).__module__.partition(".")[0]
    if isinstance(error, _SPEAKING_BUILTINS) or module in _SPEAKING_MODULES:
        return str(error) or None
    return None


def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: replace `exc_info` by `exception` as `describe` says."""
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = _error_of(exc_info)
    if error is not None:
        event["exception"] = describe(error)
    return event


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _summary(error: BaseException) -> dict[str, Any]:
    summary: dict[str, Any] = {"kind": _kind(error), "frames": _frames(error.__traceback__)[-3:]}
    if said := words(error):
        summary["detail"] = said
    return summary


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    current = error
    while len(causes) < _MAX_CAUSES:
        following = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if following is None or following in causes:
            break
        causes.append(following)
        current = following
    return causes


def _kind(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames][-_MAX_FRAMES:]


def _short(filename: str) -> str:
    _, separator, inside = filename.rpartition("/site-packages/")
    if separator:
        return inside
    _, separator, inside = filename.rpartition("/src/")
    return inside if separator else filename
