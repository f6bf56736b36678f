"""Postgres for every service: one asyncpg pool, one word for "away", one way to migrate.

Rules that hold for whoever borrows a connection:

* Settings are changed with ``SET LOCAL`` and advisory locks taken with ``in_turn`` only:
  connections go back to the pool without a reset query, which would cost a round trip per use. Locks known
  when a transaction begins cost none either (``Database.transaction(locks=...)``).
* Isolation is READ COMMITTED; the set-based statements of inbox and outbox rely on it.
* Statements are planned once per connection, by index (`leadbus.db.planning`).
* No outside I/O inside a transaction (the outbox relay alone may): the server ends a transaction that
  idles longer than ``IDLE_IN_TRANSACTION_SECONDS``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leadbus.db.after_commit import on_commit
from leadbus.db.availability import DatabaseUnavailable, is_out_of_reach, is_unavailable
from leadbus.db.borrowing import Connection
from leadbus.db.parts import Part, at_once
from leadbus.db.planning import plan_for_arguments
from leadbus.db.pool import IDLE_IN_TRANSACTION_SECONDS, Database
from leadbus.db.schema import Schema, schema_state
from leadbus.db.transactions import in_turn

if TYPE_CHECKING:
    from leadbus.db.migrations import build_indexes, migrate, run_env

__all__ = [
    "IDLE_IN_TRANSACTION_SECONDS",
    "Connection",
    "Database",
    "DatabaseUnavailable",
    "Part",
    "Schema",
    "at_once",
    "build_indexes",
    "in_turn",
    "is_out_of_reach",
    "is_unavailable",
    "migrate",
    "on_commit",
    "plan_for_arguments",
    "run_env",
    "schema_state",
]

_MIGRATIONS = frozenset({"build_indexes", "migrate", "run_env"})


def __getattr__(name: str) -> Any:
    # With alembic come 10 MiB and half a second; a service that runs needs neither.
    if name in _MIGRATIONS:
        return getattr(import_module("leadbus.db.migrations"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
