"""One wide line for one unit of work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

_log = structlog.stdlib.get_logger("leadbus.wide")


class Wide(dict[str, Any]):
    """The fields of the line being gathered; `outcome` is a word of the caller's closed vocabulary."""

    @property
    def outcome(self) -> str | None:
        value = self.get("outcome")
        return None if value is None else str(value)

    @outcome.setter
    def outcome(self, value: str) -> None:
        self["outcome"] = value


@contextmanager
def wide(event: str, **fields: Any) -> Iterator[Wide]:
    """Gather fields while a unit of work runs and emit them as one line when it ends.

    The line always carries `duration_ms` and `outcome`: what the caller set, else `ok`, `cancelled` or
    `error`. An exception is described (its kind and where, see `tracebacks`) and goes on its way.
    """
    line = Wide(fields)
    started = time.perf_counter()
    try:
        yield line
    except asyncio.CancelledError:
        line.setdefault("outcome", "cancelled")
        raise
    except BaseException as error:
        line.setdefault("outcome", "error")
        line["exc_info"] = error
        raise
    else:
        line.setdefault("outcome", "ok")
    finally:
        line["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        (_log.error if "exc_info" in line else _log.info)(event, **line)
