"""One try: what the sink does with it, and what that means."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from leadbus import checkpoint
from leadbus.cancellation import really_cancelled
from leadbus.db import Database, is_unavailable
from leadbus.delivery import claims, store
from leadbus.delivery.capacity import Pool
from leadbus.delivery.job import Job, LeaseLost, Sink
from leadbus.delivery.outcomes import Ambiguous, Outcome, Transient, code_of, reason_of
from leadbus.log import wide


@dataclass(slots=True)
class Act:
    """One try in the hands of this process, from the claim until its end is recorded.

    ``began`` is the monotonic clock's time before the claim. ``probing``: it is to find out about its
    destination.
    """

    row: store.Row
    pool: Pool
    began: float
    probing: bool = False
    outcome: Outcome | None = None
    duration_ms: int | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def token(self) -> UUID:
        assert self.row.lease_token is not None
        return self.row.lease_token

    @property
    def lease(self) -> store.Lease:
        return (self.row.id, self.token)

    @property
    def attempt(self) -> int:
        return self.row.state.attempts


class Acting:
    """Hands tries to the sink, each for as long as its lease is certain to last."""

    def __init__(
        self, database: Database, sink: Sink, *, act_timeout_seconds: float, lease_seconds: float
    ) -> None:
        self._database = database
        self._sink = sink
        self._act_timeout_seconds = act_timeout_seconds
        self._lease_seconds = lease_seconds

    async def act(self, act: Act) -> None:
        """Leaves ``outcome`` and ``duration_ms`` in ``act``, also when cancelled."""
        row = act.row
        began = time.monotonic()
        with wide(
            "delivery.attempt",
            sink=self._sink.name,
            delivery_id=str(row.id),
            subject_id=row.subject_id,
            route=row.route,
            attempt=act.attempt,
            repeat=row.state.repeat_number,
            in_doubt=row.state.doubts > 0,
            test=row.test,
        ) as line:
            checkpoint.passed("delivery.begun")
            outcome, error = await self._ask(act)
            checkpoint.passed("delivery.answered")
            line["outcome"], line["reason"] = code_of(outcome), reason_of(outcome)
            if error is not None:
                line["exc_info"] = error
        act.duration_ms = round((time.monotonic() - began) * 1000)
        act.outcome = outcome

    async def _ask(self, act: Act) -> tuple[Outcome, BaseException | None]:
        """The sink's outcome; whatever else happens becomes the outcome it means."""
        job = self._job(act)
        # Counted from before the claim: the lease cannot run out while the sink acts, even if no
        # renewal reaches the database.
        left_seconds = act.began + self._act_timeout_seconds - time.monotonic()
        if left_seconds <= 0:
            return Transient("claimed_too_slowly", destination_heard=False), None
        cut_off = asyncio.timeout(left_seconds)
        try:
            async with cut_off:
                if job.in_doubt:
                    found = await self._sink.lookup(job)
                    if found is not None:
                        return found, None
                return await self._sink.deliver(job), None
        except LeaseLost:
            return Transient("lease_lost", destination_heard=False), None
        except asyncio.CancelledError as error:
            if really_cancelled():
                return Ambiguous("drained"), None
            return Ambiguous("sink_cancelled"), error
        except Exception as error:  # noqa: BLE001 -- the one place where a sink's failure meets its fate
            if cut_off.expired():
                return Ambiguous("act_timeout", destination_down=True), None
            return Ambiguous("sink_error"), error

    def _job(self, act: Act) -> Job:
        row = act.row
        return Job(
            delivery_id=row.id,
            key=row.key,
            subject_id=row.subject_id,
            destination=row.destination,
            route=row.route,
            attempt=act.attempt,
            planned_at=row.planned_at,
            repeat_number=row.state.repeat_number,
            in_doubt=row.state.doubts > 0,
            ordering_key=row.ordering_key,
            deadline=row.deadline,
            test=row.test,
            renew=partial(self._renew, act),
        )

    async def _renew(self, act: Act) -> None:
        # By the clock, so that a process that was stopped sees after it how much of its lease is gone; and
        # by one that ran while it was. Where there is nothing to write, the database need not be asked.
        if time.monotonic() - act.began >= self._lease_seconds * claims.RENEWED_AFTER_PART:
            await self._renew_old(act)
        checkpoint.passed("delivery.lease_renewed")

    async def _renew_old(self, act: Act) -> None:
        try:
            async with self._database.acquire() as conn:
                ours = await claims.renew(conn, [act.lease], lease_seconds=self._lease_seconds)
        except Exception as error:
            if not is_unavailable(error):
                raise
            # The lease as claimed outlasts the act timeout, so it is ours until then.
            return
        if not ours:
            raise LeaseLost
