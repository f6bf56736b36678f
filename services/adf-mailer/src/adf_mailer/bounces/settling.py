"""A bounce meets its delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from leadbus import pulse
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import Became, Bounced, bounce
from leadbus.log import logger

from adf_mailer.domain.address_standing import BAD_ADDRESS, counts
from adf_mailer.domain.bounces.judging import Verdict
from adf_mailer.domain.bounces.status import UNDELIVERABLE
from adf_mailer.planning import SINK
from adf_mailer.refusals import Refusals
from adf_mailer.store import bounces

NOTED = "noted"
UNMATCHED = "unmatched"
_FAILS = (Verdict.PERMANENT, Verdict.TRANSIENT)
_LOOK_EVERY_SECONDS = 1.0
_AT_ONCE = 50
_log = logger("bounces")


@dataclass(frozen=True, slots=True)
class Reopening:
    """What of bounces is tried again: nothing, or what passes, at most `times` a delivery."""

    policy: Literal["none", "transient"] = "transient"
    times: int = 2
    after_seconds: float = 900.0


class Settling:
    """`wake` the engine and the relay: a delivery failed, perhaps to be tried again."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        reopening: Reopening,
        wake: Callable[[], None],
        *,
        refusals: Refusals,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reopening = reopening
        self._wake = wake
        self._refusals = refusals

    async def apply(
        self, conn: Connection, delivery_id: UUID, repeat_number: int, verdict: Verdict, reason: str | None
    ) -> str:
        """What became of it, in the caller's transaction. Afterwards tell `settled`."""
        if verdict not in _FAILS:
            return NOTED
        event = Bounced(
            reason or UNDELIVERABLE,
            permanent=verdict is Verdict.PERMANENT,
            after_seconds=await self._after_seconds(conn, delivery_id, verdict),
        )
        became = await bounce(
            conn, delivery_id, event, repeat_number=repeat_number, sink=SINK, now=self._clock.now()
        )
        # A policy that may pass (4.7.x) says nothing of the address.
        heard = event.permanent or event.reason == BAD_ADDRESS
        if became is Became.FAILED and heard and counts(event.reason):
            # As if it had been refused in the conversation: only that it took a relay to find out.
            await self._refusals.note(conn, delivery_id, repeat_number, event.reason, bounced=True)
        return became.value

    def settled(self, became: str) -> None:
        """After the commit."""
        if became in (Became.FAILED, Became.REPEATED):
            self._wake()

    async def run(self) -> None:
        """A supervised task: bounces that were faster than the record that their mail was taken."""
        while True:
            pulse.beat()
            try:
                while await self.settle_waiting():
                    pass
            except Exception as error:
                if not is_unavailable(error):
                    raise
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def settle_waiting(self) -> bool:
        """Settle some of those; whether there may be more."""
        async with self._database.transaction() as conn:
            found = await bounces.lock_waiting(conn, limit=_AT_ONCE)
            became = []
            for one in found:
                became.append(
                    await self.apply(
                        conn, one.delivery_id, one.repeat_number, Verdict(one.verdict), one.reason
                    )
                )
                await bounces.settle(conn, one.id, became[-1])
        for one, made in zip(found, became, strict=True):
            _log.info("bounce.settled", delivery_id=str(one.delivery_id), bounce_id=one.id, outcome=made)
            self.settled(made)
        return len(found) == _AT_ONCE

    async def _after_seconds(self, conn: Connection, delivery_id: UUID, verdict: Verdict) -> float | None:
        if verdict is not Verdict.TRANSIENT or self._reopening.policy == "none":
            return None
        times = await bounces.times_repeated(conn, delivery_id)
        return self._reopening.after_seconds if times < self._reopening.times else None
