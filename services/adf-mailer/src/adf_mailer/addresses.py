"""Keeps book of addresses that refuse: who may try them, and what a try said of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from leadbus import pulse
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable, on_commit
from leadbus.delivery import Held
from leadbus.log import logger

from adf_mailer.domain.address_standing import BOUNCES_COUNT, AddressRules, Counted, Standing, key, refused
from adf_mailer.metrics import SUSPENDED_ADDRESSES
from adf_mailer.store import addresses

REFRESH_SECONDS = 5.0
"""How old this process's picture may be of what other replicas and operators did."""
_LOOK_FOR_UNNAMED_EVERY = timedelta(minutes=1)
"""Where there are 20,000 routes to look through, it is a third of a second's work for the database."""
_LONGEST_HOLD_SECONDS = 900.0
_SHORTEST_HOLD_SECONDS = 30.0

_log = logger("addresses")


@dataclass(frozen=True, slots=True)
class NotNow:
    """A mail to a suspended address is `held`, or another address of its route may take it."""

    held: Held
    another_may_take: bool


class Addresses:
    """A picture in memory, so that a mail to an address in good standing costs no statement."""

    def __init__(self, database: Database, clock: Clock, rules: AddressRules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._known: dict[str, Standing] = {}
        self._unnamed_at = clock.now()

    async def run(self) -> None:
        """Look what others noted, for ever."""
        while True:
            pulse.beat()
            try:
                await self.refresh()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                _log.warning("addresses.database_away", error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        async with self._database.acquire() as conn:
            await addresses.forget_bounces(conn, before=self._clock.now() - BOUNCES_COUNT)
            if self._unnamed_at <= self._clock.now():
                self._unnamed_at = self._clock.now() + _LOOK_FOR_UNNAMED_EVERY
                await addresses.forget_unnamed(conn)
            self._known = {one.address: one for one in await addresses.all_of(conn)}
        SUSPENDED_ADDRESSES.set(sum(one.suspended for one in self._known.values()))

    async def hold(self, address: str) -> NotNow | None:
        """None where a mail may go there now; of those that wait for a suspended one, one goes, a probe."""
        known = self._known.get(key(address))
        if known is None or not known.suspended:
            return None
        now = self._clock.now()
        again = timedelta(seconds=self._rules.probe_steps_seconds[0])
        async with self._database.acquire() as conn:
            if await addresses.take_probe(conn, known.address, now=now, again_at=now + again):
                return None
            # The picture may be older than the word that the address was mended.
            standing = await addresses.of(conn, known.address)
        if standing is None or not standing.suspended:
            self._known.pop(known.address, None)
            return None
        left_seconds = (standing.probe_at - now).total_seconds() if standing.probe_at else 0.0
        wait_seconds = min(max(left_seconds, _SHORTEST_HOLD_SECONDS), _LONGEST_HOLD_SECONDS)
        return NotNow(Held("address_suspended", wait_seconds), standing.another_may_take)

    async def took(self, address: str) -> None:
        """It took a mail; nothing is written where nothing was held against it."""
        if self._is_cleared_by_a_mail(key(address)):
            async with self._database.acquire() as conn:
                await addresses.forget_taken(conn, key(address))
            self._known.pop(key(address), None)

    def _is_cleared_by_a_mail(self, address: str) -> bool:
        known = self._known.get(address)
        return known is not None and not known.bounced

    async def refused(
        self, conn: Connection, address: str, reason: Counted, *, bounced: bool = False
    ) -> Standing | None:
        """Count a refusal in the caller's transaction; how the address stands where this one suspends it."""
        before = await addresses.held(conn, key(address))
        after = refused(before, self._rules, reason, now=self._clock.now(), bounced=bounced)
        await addresses.write(conn, after)
        on_commit(conn, partial(self._learn, before, after))
        return after if after.suspended and not before.suspended else None

    def _learn(self, before: Standing, after: Standing) -> None:
        self._known[after.address] = after
        if after.suspended and not before.suspended:
            # Never the address itself: the list of them is for operators.
            _log.warning("adf.address_suspended", refusals=after.refusals, reason=after.reason)
