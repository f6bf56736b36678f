"""The lines of a batch: one for each message, written together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

ROWS = "leadbus_rows"
"""Attribute of a record that stands for several lines."""


def each(component: str, event: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """What `logger(component).info(event, **row)` says for each of `rows`, at a fifth of its cost.

    Give ids as UUIDs: they hold nothing that would have to be looked for. Before `configure` nothing is said.
    """
    if rows:
        say(
            logging.getLogger(f"leadbus.{component}"),
            event,
            [{"component": component, **row} for row in rows],
        )


def say(named: logging.Logger, event: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for rows that are complete."""
    if named.isEnabledFor(logging.INFO):
        # As `info` does, without looking for the line of code that called: nobody is told of it.
        record = named.makeRecord(named.name, logging.INFO, "", 0, event, (), None, extra={ROWS: rows})
        named.handle(record)
