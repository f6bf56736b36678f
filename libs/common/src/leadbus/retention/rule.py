"""One rule: what leaves, and when; and how fast."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from leadbus.db import Connection

Removed: TypeAlias = Mapping[str, int]
"""Rows that left, by table."""
KEPT_FOR_EVER = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast rules are applied: at most `batch_size` things in a transaction, a pause after each."""

    interval_seconds: float = 300
    pause_seconds: float = 0.1
    batch_size: int = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` says what it is about, as in the setting `…_RETENTION_<NAME>_DAYS`.

    `remove(conn, before, limit)` lets at most `limit` things go which are older than `before` and finished,
    in the caller's transaction, and returns what left, nothing when nothing is left to go. It skips what
    somebody else holds, so that two replicas do no harm, and locks what it decides on.
    `oldest(conn)` is when the oldest thing the rule is about came, finished or not; None without any.
    """

    name: str
    days: float
    remove: Callable[[Connection, datetime, int], Awaitable[Removed]]
    oldest: Callable[[Connection], Awaitable[datetime | None]]

    @property
    def applies(self) -> bool:
        return self.days > KEPT_FOR_EVER
