"""Proof that what is compared does the same: the rows that two stages wrote of the same leads are equal."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

WROTE_BY_NORMALIZER = """
WITH mine AS (SELECT raw_key, wire_id, lead_id FROM raw WHERE wire_id = ANY($1::text[]))
SELECT 'inbox', to_jsonb(t) - 'seen_at' FROM inbox AS t JOIN mine ON mine.wire_id = t.id
UNION ALL SELECT 'raw', to_jsonb(t) - 'stored_at' FROM raw AS t JOIN mine USING (raw_key)
UNION ALL SELECT 'lead', to_jsonb(t) - 'updated_at' FROM lead AS t JOIN mine USING (lead_id)
UNION ALL SELECT 'lead_term', to_jsonb(t) FROM lead_term AS t JOIN mine USING (lead_id)
UNION ALL SELECT 'lead_revision', to_jsonb(t) - 'at' FROM lead_revision AS t JOIN mine USING (lead_id)
"""
"""Of the messages with these ids; without the moments that its own clock told."""

WROTE_BY_MAILER = """
WITH mine AS (SELECT lead_id, id FROM lead JOIN delivery ON subject_id = lead_id::text
               WHERE data -> 'ids' -> 0 ->> 'value' = ANY($1::text[]))
SELECT 'lead', to_jsonb(t) - 'updated_at' FROM lead AS t JOIN mine USING (lead_id)
UNION ALL SELECT 'delivery', to_jsonb(t) - '{id, seq, planned_at, not_before}'::text[]
            FROM delivery AS t JOIN mine USING (id)
UNION ALL SELECT 'mail', to_jsonb(t) - '{delivery_id, raw, sha256, written_at}'::text[]
            FROM mail AS t JOIN mine ON mine.id = t.delivery_id
"""
"""Of the leads that their source calls so. Ids are random, and the mail holds its date."""


class DifferentRowsError(Exception):
    """A stage was fast because it did something else."""


class Written:
    """Remembers what the first stage wrote, by statement; every other one must have written the same."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, list[str]]] = {}

    async def check(self, stage: str, url: str, statement: str, ids: Sequence[str], rows: int) -> None:
        """Raises DifferentRowsError when there are not `rows` rows, or not the same."""
        lines = await _lines(url, statement, ids)
        if len(lines) != rows:
            raise DifferentRowsError(f"{stage} wrote {len(lines)} rows, expected {rows}")
        first, expected = self._first.setdefault(statement, (stage, lines))
        for ours, theirs in zip(lines, expected, strict=True):
            if ours != theirs:
                raise DifferentRowsError(f"{stage} wrote {ours}\n{first} wrote {theirs}")


async def _lines(url: str, statement: str, ids: Sequence[str]) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(f"SELECT w::text AS line FROM ({statement}) AS w", list(ids))
    finally:
        await connection.close()
    return sorted(row["line"] for row in rows)
