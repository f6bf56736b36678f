"""One wide line for one unit of work."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import structlog

from leadbus.log.each import say

_log = structlog.stdlib.get_logger("leadbus.wide")
_named = logging.getLogger("leadbus.wide")


class Wide(dict[str, Any]):
    """The fields of the line being gathered; `outcome` is a word of the caller's closed vocabulary."""

    @property
    def outcome(self) -> str | None:
        value = self.get("outcome")
        return None if value is None else str(value)

    @outcome.setter
    def outcome(self, value: str) -> None:
        self["outcome"] = value


def wide(event: str, **fields: Any) -> AbstractContextManager[Wide, None]:
    """Gather fields while a unit of work runs and emit them as one line when it ends.

    The line always carries `duration_ms` and `outcome`: what the caller set, else `ok`, `cancelled` or
    `error`. An exception is described (its kind and where, see `tracebacks`) and goes on its way.
    """
    return _Unit(event, fields)


class _Unit(AbstractContextManager[Wide, None]):
    """A class, because there is one for each request: a generator costs twice as much."""

    __slots__ = ("_event", "_line", "_started")

    def __init__(self, event: str, fields: dict[str, Any]) -> None:
        self._event = event
        self._line = Wide(fields)
        self._started = 0.0

    def __enter__(self) -> Wide:
        self._started = time.perf_counter()
        return self._line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        line = self._line
        if error is None:
            line.setdefault("outcome", "ok")
        elif isinstance(error, asyncio.CancelledError):
            line.setdefault("outcome", "cancelled")
        else:
            line.setdefault("outcome", "error")
            line["exc_info"] = error
        line["duration_ms"] = round((time.perf_counter() - self._started) * 1000, 3)
        if "exc_info" in line:
            _log.error(self._event, **line)
        else:
            say(_named, self._event, [line])
