"""Which due deliveries this process tries next: slots, turns, probes, and the committed intent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import claims, gates, store
from leadbus.delivery.acting import Act
from leadbus.delivery.capacity import Pool
from leadbus.delivery.claims import Candidate, Room
from leadbus.delivery.machine import Phase
from leadbus.delivery.operations import Planning
from leadbus.delivery.recording import Rules
from leadbus.delivery.starting import Starting, wanting
from leadbus.delivery.unsure import UnsureLeases


@dataclass(frozen=True, slots=True)
class Offer:
    """A delivery that this process planned, once that is committed."""

    id: UUID
    destination: str


Begin: TypeAlias = Callable[[Act], None]
_Taken: TypeAlias = Sequence[tuple[Candidate | Offer, Pool]]


class Claiming:
    """``capacity`` tries at once, ``retry_share`` of them kept for retries. Raises ValueError."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        clock: Clock,
        *,
        capacity: int,
        retry_share: float,
        destination_share: float,
        lease_seconds: float,
    ) -> None:
        if capacity < 2 or not 0 < retry_share < 1:
            raise ValueError("first tries and retries need at least one slot each")
        for_retries = min(capacity - 1, max(1, round(capacity * retry_share)))
        self._database = database
        self._clock = clock
        self._pools = {
            Phase.QUEUED: Pool(capacity - for_retries, destination_share=destination_share),
            Phase.WAITING: Pool(for_retries, destination_share=destination_share),
        }
        self._lease_seconds = lease_seconds
        self.unsure = UnsureLeases(database, rules, clock, lease_seconds=lease_seconds)

    async def look(self, begin: Begin) -> bool:
        """Claim what is due as far as there are slots, ``begin`` each try; whether to look again at once.

        The slot of a try that began is given back by whoever records its end. A pool is ``behind`` afterwards
        when something was, or may have been, left out for want of a slot.
        """
        began = time.monotonic()
        rooms = {phase: Room(pool.free, pool.served_last, pool.full()) for phase, pool in self._pools.items()}
        if not any(room.slots for room in rooms.values()):
            for pool in self._pools.values():
                pool.behind = True
            return False
        async with self._database.acquire() as conn:
            found = await claims.candidates(conn, rooms, now=self._clock.now())
            wanted = self._take(found, rooms)
            if not wanted:
                return False
            with self._slots_of(wanted) as acts:
                acts += await self._start(conn, wanted, began)
                for act in acts:
                    begin(act)
        return bool(acts) and any(pool.behind and pool.free for pool in self._pools.values())

    async def start_offered(self, offers: Sequence[Offer], begin: Begin) -> bool:
        """Start what was planned just now; False where something is left that a look might start at once.

        Without a look nobody's turn is known, so there must be none to take: nothing is started while more
        may wait than there is room for, nor when this is more than there is room for.
        """
        began = time.monotonic()
        pool = self._pools[Phase.QUEUED]
        if pool.behind or len(offers) > pool.free:
            pool.behind = True
            return not pool.free
        wanted = [(offer, pool) for offer in pool.take(offers)]
        pool.behind = len(wanted) < len(offers)
        with self._slots_of(wanted) as acts:
            acts += await self._start_offered(wanted, began)
            for act in acts:
                begin(act)
        return len(acts) == len(offers)

    @contextlib.contextmanager
    def planned(self, planning: Planning, begin: Begin) -> Iterator[Starting]:
        """Slots and leases for what the caller plans by one statement that commits itself.

        As with offers: nothing gets one while more may wait than there is room for, nor when this is more
        than there is room for. Each try that was started is begun at the end. After an error nothing was
        started, or nobody knows, and what was is undone.
        """
        began = time.monotonic()
        pool = self._pools[Phase.QUEUED]
        offers = [Offer(*one) for one in wanting(planning)]
        wanted: _Taken = []
        if not pool.behind and len(offers) <= pool.free:
            wanted = [(offer, pool) for offer in pool.take(offers)]
        with self._slots_of(wanted) as acts:
            leases = [(offer.id, uuid4()) for offer, _ in wanted]
            starting = Starting(planning, leases, lease_seconds=self._lease_seconds)
            with self._unless_committed(leases):
                yield starting
            if starting.rows:
                checkpoint.passed("delivery.intent_committed")
            acts += _acts(starting.rows, wanted, began)
            for act in acts:
                begin(act)

    def _take(
        self, found: Mapping[Phase, Sequence[Candidate]], rooms: Mapping[Phase, Room]
    ) -> list[tuple[Candidate, Pool]]:
        wanted: list[tuple[Candidate, Pool]] = []
        for phase, pool in self._pools.items():
            room, due = rooms[phase], found[phase]
            taken = pool.take(due)
            pool.behind = len(due) >= room.slots or len(taken) < len(due) or bool(room.full)
            wanted += [(candidate, pool) for candidate in taken]
        return wanted

    @contextlib.contextmanager
    def _slots_of(self, wanted: _Taken) -> Iterator[list[Act]]:
        """The acts that get the slots taken for ``wanted``; those of the others are given back."""
        acts: list[Act] = []
        try:
            yield acts
        finally:
            started = {act.row.id for act in acts}
            for one, pool in wanted:
                if one.id not in started:
                    pool.give_back(one.destination)

    async def _start(
        self, conn: Connection, wanted: Sequence[tuple[Candidate, Pool]], began: float
    ) -> list[Act]:
        """Commit the intent: after this, whatever happens to this process, the try is known."""
        now = self._clock.now()
        leases: list[store.Lease] = []
        with _one_at_a_time(), self._unless_committed(leases):
            async with conn.transaction():
                allowed, entered = await gates.enter(
                    conn,
                    [candidate for candidate, _ in wanted],
                    now=now,
                    probe_again_at=gates.probe_again_at(now, self._lease_seconds),
                )
                leases += [(candidate.id, uuid4()) for candidate in allowed]
                rows = await claims.start(conn, leases, now=now, lease_seconds=self._lease_seconds)
                await gates.note_paces(conn, entered, rows, now)
                checkpoint.passed("delivery.intent_written")
            checkpoint.passed("delivery.intent_committed")
            return _acts(rows, wanted, began)
        return []

    async def _start_offered(self, wanted: Sequence[tuple[Offer, Pool]], began: float) -> list[Act]:
        """The same by one statement, which looks itself whether they may go and commits itself."""
        leases = [(offer.id, uuid4()) for offer, _ in wanted]
        with _one_at_a_time(), self._unless_committed(leases):
            async with self._database.acquire() as conn:
                rows = await claims.start_offered(
                    conn, leases, now=self._clock.now(), lease_seconds=self._lease_seconds
                )
            checkpoint.passed("delivery.intent_committed")
            return _acts(rows, wanted, began)
        return []

    @contextlib.contextmanager
    def _unless_committed(self, leases: list[store.Lease]) -> Iterator[None]:
        """Remember ``leases`` as unsure when nobody can say whether they were committed."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception) or is_unavailable(error):
                self.unsure.add(leases)
            raise


def _one_at_a_time() -> contextlib.AbstractContextManager[None]:
    """Another replica may have something with the same ordering key in flight: then nothing was started."""
    return contextlib.suppress(asyncpg.UniqueViolationError)


def _acts(rows: Sequence[store.Row], wanted: _Taken, began: float) -> list[Act]:
    """Tries in the order in which they were wanted."""
    by_id = {row.id: row for row in rows}
    return [
        Act(by_id[one.id], pool, began, probing=isinstance(one, Candidate) and one.probing)
        for one, pool in wanted
        if one.id in by_id
    ]
