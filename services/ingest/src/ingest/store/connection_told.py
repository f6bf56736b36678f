"""What events said of connections that need a person: a row for each that does, as far as it was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leadbus.db import Connection, in_turn

_TOLD = "SELECT name, reasons, since FROM connection_told WHERE kind = $1"
_ONE = f"{_TOLD} AND name = $2"
_NOTE = """
INSERT INTO connection_told (kind, name, reasons, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, name) DO UPDATE SET reasons = excluded.reasons
"""
_FORGET = "DELETE FROM connection_told WHERE kind = $1 AND name = $2"


@dataclass(frozen=True, slots=True)
class Told:
    """Why a person is needed, and since when that is known."""

    reasons: Sequence[str]
    since: datetime


async def told(conn: Connection, kind: str) -> dict[str, Told]:
    """By name; also of settings that are gone by now."""
    return {row["name"]: Told(row["reasons"], row["since"]) for row in await conn.fetch(_TOLD, kind)}


async def hold(conn: Connection, kind: str, name: str) -> Told | None:
    """What was told of one; nobody else tells anything of it until the transaction ends."""
    await in_turn(conn, f"connection told {kind} {name}")
    row = await conn.fetchrow(_ONE, kind, name)
    return Told(row["reasons"], row["since"]) if row else None


async def note(conn: Connection, kind: str, name: str, now_told: Told | None) -> None:
    """None: nobody is needed."""
    if now_told is None:
        await conn.execute(_FORGET, kind, name)
    else:
        await conn.execute(_NOTE, kind, name, list(now_told.reasons), now_told.since)
