"""A transaction that is done again when another one was in its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from asyncpg import DeadlockDetectedError, DivisionByZeroError, SerializationError, UniqueViolationError
from leadbus.db import Connection, Database

from normalizer.store.leads import LeadAppearedError

T = TypeVar("T")

_TRIES = 5

LOST_RACES = (UniqueViolationError, DivisionByZeroError, DeadlockDetectedError, SerializationError)
"""How a statement fails that writes only what nobody has written, and while what bears on it is unchanged."""


async def in_transaction(database: Database, act: Callable[[Connection], Awaitable[T]]) -> T:
    """`act` in a transaction of its own, from the start again after a lost race with another one."""
    for _ in range(_TRIES - 1):
        try:
            async with database.transaction() as conn:
                return await act(conn)
        except (LeadAppearedError, DeadlockDetectedError, SerializationError):
            continue
    async with database.transaction() as conn:
        return await act(conn)
