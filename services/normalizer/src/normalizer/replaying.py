"""`quarantine.replay`: many quarantined messages processed again as one job."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Connection, Database, is_out_of_reach
from leadbus.jobs import SAMPLE_SIZE, Item, LeaseLost, Plan, Work
from leadbus.web import Actor, Role
from leadbus.web.lists import Word
from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from normalizer.quarantining import ClosedEntryError, Quarantining, Replayed, UnknownRawError
from normalizer.store import replays
from normalizer.store.replays import Place, Which


class QuarantineFilter(BaseModel):
    """Which open entries; `all` when nothing else narrows it."""

    model_config = ConfigDict(extra="forbid")

    reason: QuarantineReason | None = None
    source: Word | None = None
    account: Word | None = None
    location: Word | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    all: bool = False

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.all and not self.model_dump(exclude={"all"}, exclude_none=True):
            raise ValueError("say which, or all: true")
        return self

    @property
    def which(self) -> Which:
        return Which(**self.model_dump(exclude={"all"}))


class QuarantineReplay:
    """A kind of job. Each message and the progress it makes are one transaction.

    What still cannot be read or placed counts as failed, with today's reason, and stays in quarantine.
    """

    name = "quarantine.replay"
    filter: type[BaseModel] = QuarantineFilter
    needs_reason = False
    per_dealer = False

    def __init__(self, database: Database, quarantining: Quarantining) -> None:
        self._database = database
        self._quarantining = quarantining

    async def plan(self, filter_: Any, dealers: frozenset[str] | None) -> Plan:
        which: Which = filter_.which
        async with self._database.acquire() as conn:
            total, up_to = await replays.count(conn, which)
            sample = await replays.some(conn, which, SAMPLE_SIZE)
        return Plan(total, sample, bound={"up_to": up_to.isoformat() if up_to else None})

    async def run(self, work: Work) -> AsyncGenerator[int, None]:
        which = QuarantineFilter.model_validate_json(json.dumps(work.filter)).which
        up_to = work.bound["up_to"]
        place = _place(work.reached)
        while up_to is not None:
            async with self._database.acquire() as conn:
                found = await replays.following(
                    conn, which, place, datetime.fromisoformat(up_to), work.batch_size
                )
            if not found:
                return
            for place in found:
                await self._replay(work, place)
            yield len(found)

    async def _replay(self, work: Work, place: Place) -> None:
        reached = {"quarantined_at": place.quarantined_at.isoformat(), "raw_key": str(place.raw_key)}

        async def note(conn: Connection, replayed: Replayed) -> None:
            if replayed.verdict is None:
                await work.note(conn, done=1, reached=reached)
            else:
                await _failed(conn, work, place, replayed.verdict.reason, reached)

        try:
            actor = Actor(work.actor, Role.OPERATOR)
            await self._quarantining.replay(place.raw_key, actor, beside=note)
        except (UnknownRawError, ClosedEntryError):
            async with self._database.transaction() as conn:
                await work.note(conn, left_out=1, reached=reached)
        except LeaseLost:
            raise
        except Exception as error:
            if is_out_of_reach(error):
                raise
            async with self._database.transaction() as conn:
                await _failed(conn, work, place, type(error).__name__, reached)


async def _failed(conn: Connection, work: Work, place: Place, code: str, reached: dict[str, str]) -> None:
    await work.remember(conn, [Item(str(place.raw_key), "failed", work.lease_token, code)])
    await work.note(conn, failed=1, last_error=code, reached=reached)


def _place(reached: Any) -> Place | None:
    if reached is None:
        return None
    return Place(datetime.fromisoformat(reached["quarantined_at"]), UUID(reached["raw_key"]))
