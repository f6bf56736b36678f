"""Several writes and reads as one statement: one round trip instead of one each.

Postgres runs all parts on one snapshot: none sees what another writes, foreign keys are checked at the end,
and no row may be written by two of them. What a part returns another one may join by its name.
Why: docs/adr/0051-one-statement-for-what-belongs-together.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import asyncpg

from leadbus.db.borrowing import Connection

_PARAMETER = re.compile(r"\$(\d+)")
_STATEMENTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Common table expressions with parameters of their own, counted from ``$1``, and what to tell of them.

    ``tells`` is a list of select expressions, each under a name no other part uses; the parts' expressions
    become the columns of the one row that comes back.
    """

    sql: str
    arguments: tuple[Any, ...]
    tells: str


async def at_once(conn: Connection, *parts: Part) -> asyncpg.Record:
    """Execute all parts as one statement; returns its row."""
    text = _statement(tuple((part.sql, part.tells, len(part.arguments)) for part in parts))
    arguments: Sequence[Any] = [argument for part in parts for argument in part.arguments]
    row = await conn.fetchrow(text, *arguments)
    assert row is not None
    return row


@lru_cache(_STATEMENTS_KEPT)
def _statement(parts: tuple[tuple[str, str, int], ...]) -> str:
    """The same text for the same parts, so that the server plans it once per connection."""
    expressions, told, before = [], [], 0
    for sql, tells, count in parts:
        expressions.append(_from(sql, before))
        told.append(_from(tells, before))
        before += count
    return f"WITH {', '.join(expressions)} SELECT {', '.join(told)}"


def _from(sql: str, before: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + before}", sql)
