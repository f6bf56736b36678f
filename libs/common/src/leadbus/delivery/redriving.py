"""``deliveries.redrive``: many deliveries redriven as one job, by what they have in common."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database, plan_for_arguments
from leadbus.delivery import operations, store
from leadbus.delivery.machine import Phase
from leadbus.delivery.router import IN_FLIGHT
from leadbus.jobs import SAMPLE_SIZE, Plan, Work
from leadbus.web.lists import Word
from leadbus.web.problems import Problem

_UNLESS_ASKED = (Phase.FAILED, Phase.WAITING)
"""Cancelled and skipped ones were decided about, delivered ones would be repeats: those are named or left."""
_MATCH = """
    phase = ANY($1::text[])
    AND ($2::text IS NULL OR outcome = $2) AND ($3::text IS NULL OR reason = $3)
    AND ($4::text IS NULL OR destination = $4) AND ($5::text IS NULL OR route = $5)
    AND ($6::text[] IS NULL OR dealer = ANY($6))
    AND ($7::timestamptz IS NULL OR planned_at >= $7) AND ($8::timestamptz IS NULL OR planned_at < $8)
"""
_COUNT = f"""
SELECT count(*) AS total, coalesce(max(seq), 0) AS up_to,
       count(*) FILTER (WHERE phase = 'sending' OR destination = '') AS left_out
  FROM delivery WHERE {_MATCH}
"""  # noqa: S608 -- a constant
_SOME = f"""
SELECT id, subject_id, route, phase, outcome, reason FROM delivery
 WHERE {_MATCH} AND phase <> 'sending' AND destination <> '' ORDER BY seq LIMIT {SAMPLE_SIZE}
"""  # noqa: S608
_NEXT = f"""
SELECT id, seq FROM delivery WHERE {_MATCH} AND seq > $9 AND seq <= $10 ORDER BY seq LIMIT $11
"""  # noqa: S608


class DeliveriesFilter(BaseModel):
    """Which deliveries. Without `phase`: failed and waiting ones; those being sent are left out, counted."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    phase: Phase | None = None
    outcome: Word | None = None
    reason: Word | None = None
    destination: Word | None = None
    route: Word | None = None
    dealer: Word | None = None
    planned_after: AwareDatetime | None = None
    planned_before: AwareDatetime | None = None
    repeat: bool = Field(False, description="Needed for delivered ones: they go out again and say so.")
    all: bool = Field(False, description="Needed when nothing else narrows it.")

    @model_validator(mode="after")
    def _says_what_it_means(self) -> Self:
        narrowed = self.model_dump(exclude={"repeat", "all"}, exclude_none=True)
        if not narrowed and not self.all:
            raise ValueError("say which, or all: true")
        if (self.phase is Phase.DELIVERED) != self.repeat:
            raise ValueError("phase delivered and repeat: true go together")
        return self


class DeliveriesRedrive:
    """A kind of job. Each batch, its audit rows and the job's progress are one transaction."""

    name = "deliveries.redrive"
    filter: type[BaseModel] = DeliveriesFilter
    needs_reason = False
    per_dealer = True

    def __init__(
        self,
        database: Database,
        *,
        sink: str,
        wake: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._sink = sink
        self._wake = wake
        self._clock = clock or SystemClock()

    async def plan(self, filter_: Any, dealers: frozenset[str] | None) -> Plan:
        """Raises Problem delivery-in-flight for asking for those that are being sent."""
        asked: DeliveriesFilter = filter_
        if asked.phase is Phase.SENDING:
            raise Problem(IN_FLIGHT)
        among = [Phase.SENDING] if asked.phase is None else []
        arguments = _arguments(asked, dealers, among)
        async with self._database.transaction() as conn:
            await plan_for_arguments(conn)
            counted = await conn.fetchrow(_COUNT, *arguments)
            some = await conn.fetch(_SOME, *arguments)
        assert counted is not None
        return Plan(
            total=counted["total"],
            left_out=counted["left_out"],
            sample=[{**dict(row), "id": str(row["id"])} for row in some],
            bound={"seq": counted["up_to"]},
        )

    async def run(self, work: Work) -> AsyncGenerator[int, None]:
        asked = DeliveriesFilter.model_validate_json(json.dumps(work.filter))
        arguments = _arguments(asked, work.dealers, [Phase.SENDING] if asked.phase is None else [])
        reached: int = (work.reached or {"seq": 0})["seq"]
        while True:
            async with self._database.transaction() as conn:
                await plan_for_arguments(conn)
                found = await conn.fetch(_NEXT, *arguments, reached, work.bound["seq"], work.batch_size)
                if not found:
                    return
                reached = found[-1]["seq"]
                await self._redrive(conn, work, [row["id"] for row in found], _phases(asked, []), reached)
            self._wake()
            yield len(found)

    async def _redrive(
        self, conn: Connection, work: Work, ids: Sequence[UUID], phases: Sequence[str], reached: int
    ) -> None:
        rows = [
            row
            for row in await store.lock(conn, ids)
            if row.state.phase.value in phases and row.destination  # as it is now that we hold it
        ]
        await operations.redrive_all(
            conn,
            rows,
            actor=work.actor,
            sink=self._sink,
            now=self._clock.now(),
            detail={"job_id": str(work.job_id)},
        )
        await work.note(conn, done=len(rows), left_out=len(ids) - len(rows), reached={"seq": reached})


def _phases(asked: DeliveriesFilter, among: Sequence[Phase]) -> list[str]:
    wanted = _UNLESS_ASKED if asked.phase is None else (asked.phase,)
    return [phase.value for phase in (*wanted, *among)]


def _arguments(
    asked: DeliveriesFilter, dealers: frozenset[str] | None, among: Sequence[Phase]
) -> tuple[list[str] | str | datetime | None, ...]:
    only = [asked.dealer] if asked.dealer is not None else sorted(dealers) if dealers is not None else None
    if asked.dealer is not None and dealers is not None and asked.dealer not in dealers:
        only = []
    return (
        _phases(asked, among),
        asked.outcome,
        asked.reason,
        asked.destination,
        asked.route,
        only,
        asked.planned_after,
        asked.planned_before,
    )
