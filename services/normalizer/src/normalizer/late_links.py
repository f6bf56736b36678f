"""The second look for leads of the same persons, after the commit and for many leads at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain

from leadbus import pulse
from leadbus.clock import Clock
from leadbus.db import Database, is_out_of_reach
from leadbus.log import logger

from normalizer import reporting
from normalizer.deciding import Decision
from normalizer.normalizing import Normalizing
from normalizer.transactions import in_transaction

GATHER_SECONDS = 0.25
"""What other replicas commit at the same moment is there by then, and one look serves all of it."""
_AWAY_SECONDS = 1.0
_log = logger("linking")


class LateLinks:
    """Links leads with those that another replica made at the same moment.

    Neither replica sees the other's lead before both are committed; whoever looks after that sees it. Why not
    before the acknowledgement: docs/adr/0129-linked-leads-name-each-other.md.
    """

    def __init__(
        self,
        database: Database,
        normalizing: Normalizing,
        clock: Clock,
        *,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._database = database
        self._normalizing = normalizing
        self._clock = clock
        self._gather_seconds = gather_seconds
        self._noted: list[Decision] = []
        self._rung = asyncio.Event()

    def note(self, decision: Decision) -> None:
        """The leads of `decision` are committed, and looked at soon."""
        if self._normalizing.links and decision.leads:
            self._noted.append(decision)
            self._rung.set()

    async def run(self) -> None:
        """Look for ever, once for all that is noted within a quarter of a second."""
        while True:
            pulse.rest()
            await self._rung.wait()
            pulse.beat()
            await asyncio.sleep(self._gather_seconds)
            self._rung.clear()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 -- a defect costs these links, and no lead
                if is_out_of_reach(error):
                    _log.warning("linking.database_away", reason=type(error).__name__)
                    await asyncio.sleep(_AWAY_SECONDS)
                    self._rung.set()
                else:
                    _log.error("linking.failed", exc_info=error)

    async def drain(self, timeout_seconds: float) -> None:
        """Look at what is noted by now, as far as there is time."""
        async with asyncio.timeout(timeout_seconds):
            await self.look()

    async def look(self) -> None:
        """Look at all that is noted; it stays noted where the database is away."""
        noted, self._noted = self._noted, []
        try:
            await self._link(_together(noted))
        except Exception as error:
            if is_out_of_reach(error):
                self._noted = [*noted, *self._noted]
            raise

    async def _link(self, decision: Decision) -> None:
        if not decision.leads:
            return
        async with self._database.acquire() as conn:
            if not await self._normalizing.left_unlinked(conn, decision):
                return
        now = self._clock.now()
        linked = await in_transaction(
            self._database, lambda conn: self._normalizing.link(conn, decision, now)
        )
        reporting.report_linked(linked.linked)


def _together(decisions: Sequence[Decision]) -> Decision:
    """What was told in all of them, and the leads as they are after the last."""
    return Decision(
        told=tuple(chain.from_iterable(one.told for one in decisions)),
        revisions=tuple(chain.from_iterable(one.revisions for one in decisions)),
        known={key: known for one in decisions for key, known in one.known.items()},
    )
