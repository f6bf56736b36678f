"""How a job goes through a holding queue: every message has one turn, whatever happens in between.

What a job has done is acknowledged and gone; what failed is held until the walk ends, so that it does not
come round again, and remembered by name, so that neither the next walk nor the next runner tries it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from leadbus.jobs import Item, JobBroken, Work
from leadbus.parked.held import Held, shown
from leadbus.parked.reader import HoldingReader, NoQueue, Walk
from leadbus.web.audit import record_all

WALK_SECONDS = 600.0
"""A walk ends, and the next begins, well before RabbitMQ takes held messages away (30 minutes)."""
PAUSE_SECONDS = 2.0
"""Between walks: somebody who only looks may have had messages in hand."""
_BARREN_WALKS = 2
_SCAN = 100

Settle = Callable[["Turn"], Awaitable[None]]


@dataclass
class Turn:
    """Messages whose turn it is. ``settle`` says of each, once, what became of it."""

    queue: str
    action: str
    work: Work
    walk: Walk
    walk_id: UUID
    held: Sequence[Held]
    known: Mapping[str, Item]
    """Of earlier walks, done but not gone: their acknowledgement got lost. They are not counted twice."""
    tried: int = field(default=0, init=False)

    async def done(self, these: Sequence[Held]) -> None:
        """They are dealt with: put on record, then taken out of the queue. Raises LeaseLost."""
        fresh = [held for held in these if held.id not in self.known]
        await self._record(fresh, these)
        for held in these:
            await self.walk.ack(held)
        self.tried += len(fresh)

    async def failed(self, held: Held, code: str) -> None:
        """It stays where it lies. Raises LeaseLost."""
        item = Item(held.id, "failed", self.walk_id, code)
        was_done = held.id in self.known
        async with self.work.database.transaction() as conn:
            await self.work.remember(conn, [item])
            await self.work.note(conn, failed=1, done=-1 if was_done else 0, last_error=code)
        self.tried += not was_done

    async def _record(self, fresh: Sequence[Held], these: Sequence[Held]) -> None:
        items = [Item(held.id, "done", self.walk_id) for held in these]
        acts = {f"parked/{self.queue}/{held.id}": self._told(held) for held in fresh}
        async with self.work.database.transaction() as conn:
            await self.work.remember(conn, items)
            await record_all(conn, self.work.actor, self.action, acts)
            await self.work.note(conn, done=len(fresh))

    def _told(self, held: Held) -> dict[str, Any]:
        told: dict[str, Any] = {
            "job_id": str(self.work.job_id),
            "message_id": shown(held.message.properties.message_id),
            "routing_key": shown(held.message.routing_key),
            "digest": held.digest,
            "size_bytes": held.size_bytes,
        }
        return told | ({"reason": self.work.reason} if self.work.reason else {})


class Walking:
    """The way of one job through ``queue``.

    ``wanted`` names the messages, None: all; at most ``planned`` of them, copies counted. With
    ``may_come_back`` a message that was dealt with may turn up again at the end of the queue, which shows
    that it failed.
    """

    def __init__(
        self,
        reader: HoldingReader,
        queue: str,
        work: Work,
        action: str,
        settle: Settle,
        *,
        wanted: frozenset[str] | None,
        planned: int,
        may_come_back: bool = False,
        walk_seconds: float = WALK_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._reader = reader
        self._queue = queue
        self._work = work
        self._action = action
        self._settle = settle
        self._wanted = wanted
        self._may_come_back = may_come_back
        self._walk_seconds = walk_seconds
        self._pause_seconds = pause_seconds
        self._left = planned - work.counted.tried
        # A runner before us may have died between putting a message on record and taking it out.
        self._to_sweep = work.counted.done > 0

    async def run(self) -> AsyncGenerator[int, None]:
        """Walk until everything planned had its turn, or nothing new is met; yields after each batch."""
        barren = 0
        while self._to_sweep or (self._left > 0 and barren < _BARREN_WALKS):
            tried = 0
            try:
                async with (
                    self._reader.walk(self._queue) as walk,
                    contextlib.aclosing(self._once(walk)) as batches,
                ):
                    async for number in batches:
                        tried += number
                        yield number
            except NoQueue as missing:
                raise JobBroken(missing.code) from None
            barren = 0 if tried else barren + 1
            if self._left > 0:
                await asyncio.sleep(self._pause_seconds)
                yield 0

    async def _once(self, walk: Walk) -> AsyncGenerator[int, None]:
        walk_id, until = uuid4(), time.monotonic() + self._walk_seconds
        at_start, met = None, 0
        while time.monotonic() < until and (self._left > 0 or self._to_sweep or self._may_come_back):
            taken = await walk.take(self._work.batch_size if self._left > 0 else _SCAN)
            if not taken:
                self._to_sweep = False
                return
            met += len(taken)
            if at_start is None:
                at_start = met + await walk.depth()
            # What was not there when the walk began may be what this walk itself sent on.
            added = min(len(taken), max(0, met - at_start))
            turn = await self._turn(walk, walk_id, taken, added)
            if turn.held:
                await self._settle(turn)
                self._left -= turn.tried
            yield turn.tried

    async def _turn(self, walk: Walk, walk_id: UUID, taken: Sequence[Held], added: int) -> Turn:
        wanted = [held for held in taken if self._wanted is None or held.id in self._wanted]
        known = await self._known(wanted)
        turn = Turn(self._queue, self._action, self._work, walk, walk_id, (), known)
        back = self._come_back(turn, taken[len(taken) - added :]) if self._may_come_back else []
        for held in back:
            await turn.failed(held, "unroutable")
        gone = {held.message.delivery_tag for held in back}
        turn.held = self._with_a_turn(
            [held for held in wanted if held.message.delivery_tag not in gone], known, walk_id
        )
        turn.known = {
            name: item for name, item in known.items() if item.outcome == "done" and item.walk != walk_id
        }
        return turn

    async def _known(self, held: Sequence[Held]) -> dict[str, Item]:
        if not held:
            return {}
        async with self._work.database.acquire() as conn:
            return await self._work.items(conn, [one.id for one in held])

    def _come_back(self, turn: Turn, added: Sequence[Held]) -> list[Held]:
        return [
            held
            for held in added
            if (item := turn.known.get(held.id)) and item.outcome == "done" and item.walk == turn.walk_id
        ]

    def _with_a_turn(self, wanted: Sequence[Held], known: Mapping[str, Item], walk_id: UUID) -> list[Held]:
        """Not what failed in an earlier walk, and no more than were planned.

        Another copy of what this walk met is a message of its own.
        """
        left, held = self._left, []
        for one in wanted:
            item = known.get(one.id)
            if item is not None and item.walk != walk_id:
                if item.outcome == "done":
                    held.append(one)
            elif left > 0:
                left -= 1
                held.append(one)
        return held
