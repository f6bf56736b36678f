"""BDK connections: the settings in force, and how each is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from leadbus.db import Connection

from ingest.bdk.outcome import OPENS_AFTER_FAILURES, Pause
from ingest.bdk.setting import KIND, BdkConnection

_IN_FORCE = f"""
SELECT setting.name, spec::text AS spec, coalesce(failures, 0) AS failures, stopped_for, stopped_at,
       not_before
  FROM setting LEFT JOIN bdk_connection USING (name)
 WHERE kind = '{KIND}' AND ($1::text IS NULL OR setting.name = $1) ORDER BY setting.name
"""  # noqa: S608 -- a constant
_ANSWERED = f"""
UPDATE bdk_connection SET failures = 0, stopped_for = NULL, stopped_at = NULL,
       not_before = CASE WHEN stopped_for IS NOT NULL OR failures >= {OPENS_AFTER_FAILURES} THEN NULL
                         ELSE not_before END
 WHERE name = $1 AND (failures > 0 OR stopped_for IS NOT NULL)
RETURNING true
"""  # noqa: S608 -- a constant
_PAUSED = """
INSERT INTO bdk_connection AS known (name, failures, stopped_for, stopped_at, not_before)
VALUES ($1, $2::int, $3, CASE WHEN $3::text IS NOT NULL THEN $4::timestamptz END, $5)
ON CONFLICT (name) DO UPDATE
   SET failures = known.failures + $2::int, stopped_for = coalesce($3, known.stopped_for),
       stopped_at = CASE WHEN $3::text IS NULL THEN known.stopped_at ELSE coalesce(known.stopped_at, $4) END,
       not_before = greatest(known.not_before, $5)
RETURNING stopped_at = $4 AS just_stopped
"""
_RESET = """
INSERT INTO bdk_connection (name, failures) VALUES ($1, 0)
ON CONFLICT (name) DO UPDATE SET failures = 0, stopped_for = NULL, stopped_at = NULL, not_before = NULL
"""
_REMOVE = "DELETE FROM bdk_connection WHERE name = $1"
_SPECS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class InForce:
    """A connection as it is set, and as it is."""

    name: str
    spec: BdkConnection
    failures: int = 0
    stopped_for: str | None = None
    stopped_at: datetime | None = None
    not_before: datetime | None = None

    def may_be_asked(self, now: datetime) -> bool:
        return self.spec.enabled and (self.not_before is None or self.not_before <= now)

    @property
    def ailing(self) -> bool:
        """It is asked for one thing at a time, to see whether it is well again."""
        return self.stopped_for is not None or self.failures >= OPENS_AFTER_FAILURES


async def in_force(conn: Connection) -> list[InForce]:
    """Every connection that is set, by name."""
    return [_row(**row) for row in await conn.fetch(_IN_FORCE, None)]


async def find(conn: Connection, name: str) -> InForce | None:
    row = await conn.fetchrow(_IN_FORCE, name)
    return _row(**row) if row else None


async def answered(conn: Connection, name: str) -> bool:
    """It is well; whether that is news."""
    return bool(await conn.fetchval(_ANSWERED, name))


async def paused(
    conn: Connection, name: str, pause: Pause, *, reason: str, now: datetime, until: datetime | None
) -> bool:
    """Note a trouble of the connection; whether it was stopped by it just now."""
    stopped_for = reason if pause.stopped else None
    return bool(await conn.fetchval(_PAUSED, name, pause.failed, stopped_for, now, until))


async def reset(conn: Connection, name: str) -> None:
    """As if nothing had happened."""
    await conn.execute(_RESET, name)


async def remove(conn: Connection, name: str) -> None:
    await conn.execute(_REMOVE, name)


def _row(
    name: str,
    spec: str,
    failures: int,
    stopped_for: str | None,
    stopped_at: datetime | None,
    not_before: datetime | None,
) -> InForce:
    return InForce(name, _spec(spec), failures, stopped_for, stopped_at, not_before)


@lru_cache(_SPECS_KEPT)
def _spec(written: str) -> BdkConnection:
    """Read once for as long as it stays as written."""
    return BdkConnection.model_validate(json.loads(written))
