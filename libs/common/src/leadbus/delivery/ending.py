"""How tries and deliveries end: by their answer, by silence, or by being too late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import Enum
from typing import TypeAlias
from uuid import UUID

from leadbus import checkpoint, outbox
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import machine, measures, store
from leadbus.delivery.acting import Act
from leadbus.delivery.machine import Phase
from leadbus.delivery.outcomes import (
    ANSWER_LIMIT,
    Ambiguous,
    Delivered,
    Held,
    Outcome,
    answer_of,
    code_of,
    reason_of,
)
from leadbus.delivery.recording import (
    ByDestination,
    Happening,
    Recorded,
    Rules,
    hear,
    record,
    record_leased,
)
from leadbus.log import logger

SWEEP_LIMIT = 100

Forget: TypeAlias = Callable[[Act], None]

_log = logger("delivery")


class Followers(Enum):
    """Whether deliveries waited for the end of another one."""

    NONE = "none"
    PERHAPS = "perhaps"
    SOME = "some"


class Ending:
    """Records ends; what they tell goes to ``outgoing``."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        clock: Clock,
        *,
        luck: Callable[[], float],
        outgoing: outbox.Outgoing,
    ) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock
        self._luck = luck
        self._outgoing = outgoing

    async def record(self, ended: Sequence[Act], forget: Forget) -> Followers:
        """Record tries that have an outcome, all at once; ``forget`` each that is done with.

        Returns whether other deliveries waited for their end.
        """
        ordinary = [act for act in ended if _is_ordinary(act)]
        rest = [act for act in ended if not _is_ordinary(act)]
        followers = await self._record_leased(ordinary, forget) if ordinary else Followers.NONE
        if followers is None:
            rest = list(ended)
        if rest:
            await self._record_all(rest, forget)
            return Followers.SOME if followers is Followers.SOME else Followers.PERHAPS
        return followers or Followers.NONE

    async def sweep(self, ours: Collection[UUID]) -> None:
        """What nobody else ends: leases whose holder died, and deliveries past their deadline.

        ``ours`` are the tokens of leases whose holder is this process.
        """
        async with self._database.acquire() as conn:
            overdue = await store.overdue(conn, ours=list(ours), now=self._clock.now())
            if overdue.expired:
                await self._sweep_expired(conn, ours)
            if overdue.too_late:
                await self._sweep_too_late(conn)

    async def _sweep_expired(self, conn: Connection, ours: Collection[UUID]) -> None:
        async with conn.transaction():
            rows = await store.lock_expired(conn, ours=list(ours), limit=SWEEP_LIMIT)
            happenings = [self._expired(row) for row in rows]
            recorded = await record(conn, self._rules, happenings, now=self._clock.now())
            if rows:  # another replica may have been faster
                checkpoint.passed("delivery.expiry_written")
        if rows:
            checkpoint.passed("delivery.expiry_recorded")
        self._tell(recorded)
        for row in rows:
            _log.warning("delivery.lease_expired", sink=self._rules.sink, delivery_id=str(row.id))
            self._count(row, Ambiguous("lease_expired"), None)

    async def _sweep_too_late(self, conn: Connection) -> None:
        now = self._clock.now()
        async with conn.transaction():
            rows = await store.lock_too_late(conn, now=now, limit=SWEEP_LIMIT)
            late = [Happening(row, machine.DeadlinePassed()) for row in rows]
            recorded = await record(conn, self._rules, late, now=now)
        self._tell(recorded)

    def _expired(self, row: store.Row) -> Happening:
        now = self._clock.now()
        end = store.AttemptEnd(row.id, row.state.attempts, now, None, "ambiguous", "lease_expired", "", True)
        return Happening(row, machine.LeaseExpired(self._luck()), end)

    async def _record_leased(self, ended: Sequence[Act], forget: Forget) -> Followers | None:
        """Those that were taken, as nearly all are; None when that has to be done with the rows locked."""
        now = self._clock.now()
        happenings = [
            Happening(act.row, machine.Answered(_outcome(act), self._luck()), self._end(act)) for act in ended
        ]
        async with self._database.acquire() as conn:
            try:
                recorded = await record_leased(conn, self._rules, happenings, self._outgoing, now=now)
            except Exception as error:
                if is_unavailable(error):
                    raise
                if not isinstance(error, store.NotOurs):
                    _log.error("delivery.not_recorded_at_once", sink=self._rules.sink, exc_info=error)
                return None
            checkpoint.passed("delivery.recorded")
            for act in ended:
                self._count(act.row, _outcome(act), act.duration_ms)
                forget(act)
            if recorded.heard:
                await self._hear(conn, recorded.heard, now)
        return Followers.SOME if recorded.makes_room else Followers.NONE

    async def _hear(self, conn: Connection, heard: ByDestination, now: datetime) -> None:
        """Whoever dies before this takes only good news along, which the next delivery brings again."""
        async with conn.transaction():
            turns = await hear(conn, self._rules, heard, now=now)
        self._tell(Recorded(turns=turns))

    async def _record_all(self, ended: Sequence[Act], forget: Forget) -> None:
        try:
            await self._record(ended, forget)
        except Exception as error:
            if is_unavailable(error):
                raise
            await self._record_apart(ended, forget)

    async def _record_apart(self, ended: Sequence[Act], forget: Forget) -> None:
        """One of them cannot be recorded: let it not keep the others from it, nor the loop from going on."""
        for act in ended:
            try:
                await self._record([act], forget)
            except Exception as error:
                if is_unavailable(error):
                    raise
                _log.error("delivery.unrecordable", delivery_id=str(act.row.id), exc_info=error)
                forget(act)

    async def _record(self, ended: Sequence[Act], forget: Forget) -> None:
        now = self._clock.now()
        async with self._database.transaction() as conn:
            rows = {row.id: row for row in await store.lock(conn, [act.row.id for act in ended])}
            happenings: list[Happening] = []
            strays: list[store.AttemptEnd] = []
            for act in ended:
                happening = self._happening(act, rows.get(act.row.id))
                if happening is not None:
                    happenings.append(happening)
                elif not isinstance(act.outcome, Held):
                    strays.append(self._end(act))
            recorded = await record(conn, self._rules, happenings, now=now)
            await store.end_attempts(conn, strays)
        checkpoint.passed("delivery.recorded")
        for act in ended:
            row = rows.get(act.row.id)
            late = row is None or row.lease_token != act.token
            self._count(act.row, _outcome(act), act.duration_ms, again=late)
            forget(act)
        self._tell(recorded)

    def _happening(self, act: Act, row: store.Row | None) -> Happening | None:
        """None when the delivery went on without us; then only the try itself is told."""
        if row is not None and row.lease_token == act.token:
            return Happening(row, machine.Answered(_outcome(act), self._luck()), self._end(act))
        _log.error("delivery.answered_late", sink=self._rules.sink, delivery_id=str(act.row.id))
        if row is None or isinstance(act.outcome, Held):
            return None
        # A repeat that was ordered meanwhile is another sending, and knows nothing of this one's answer.
        last = _sending(row.state) == _sending(act.row.state)
        if last and row.state.phase in (Phase.WAITING, Phase.FAILED):
            return Happening(row, machine.AnsweredLate(_outcome(act)), self._end(act))
        return None

    def _end(self, act: Act) -> store.AttemptEnd:
        outcome = _outcome(act)
        return store.AttemptEnd(
            delivery_id=act.row.id,
            n=act.attempt,
            finished_at=self._clock.now(),
            duration_ms=act.duration_ms,
            outcome=code_of(outcome),
            reason=reason_of(outcome),
            answer=_storable(answer_of(outcome)),
            ambiguous=isinstance(outcome, Ambiguous),
        )

    def _tell(self, recorded: Recorded) -> None:
        """To be called after the commit: whoever publishes would not see the events before."""
        for turn in recorded.turns:
            measures.count_turn(self._rules.sink, turn)
        if recorded.told:
            self._outgoing.wake()

    def _count(
        self, row: store.Row, outcome: Outcome, duration_ms: int | None, *, again: bool = False
    ) -> None:
        """``again``: a doubt was counted already, when its lease ended; still not to know is no news."""
        if row.test or (again and isinstance(outcome, Ambiguous)):
            return
        sink = self._rules.sink
        reason = reason_of(outcome) or "none"
        measures.ATTEMPTS.labels(sink=sink, outcome=code_of(outcome), reason=reason).inc()
        if isinstance(outcome, Ambiguous):
            measures.AMBIGUOUS.labels(sink=sink).inc()
        if duration_ms is not None and not isinstance(outcome, Held):
            measures.DURATION.labels(sink=sink).observe(duration_ms / 1000)


def _is_ordinary(act: Act) -> bool:
    """Taken, and no more to it: no probe, whose destination has to hear of it, and no doubt that ends."""
    return isinstance(act.outcome, Delivered) and not act.probing and not act.row.state.doubts


def _sending(state: machine.State) -> tuple[int, int]:
    return state.attempts, state.repeat_number


def _outcome(act: Act) -> Outcome:
    assert act.outcome is not None
    return act.outcome


def _storable(answer: str) -> str:
    """The other side's words, cut; Postgres text takes neither NUL nor lone surrogates."""
    return answer[:ANSWER_LIMIT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
