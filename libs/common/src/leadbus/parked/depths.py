"""How much lies in the holding queues, for alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from leadbus import metrics
from leadbus.log import logger
from leadbus.parked.reader import BrokerAway, HoldingReader, NoQueue

EVERY_SECONDS = 15.0

HELD = metrics.gauge(
    "leadbus_held_messages",
    "Messages in a parked queue or in `leadbus.unrouted`, as last seen; each waits for a person.",
    labels={"queue": metrics.configured("holding queues of this service")},
)

_log = logger("parked")


class Depths:
    """A supervised task: asks each queue how much lies in it, which touches nothing."""

    def __init__(
        self, reader: HoldingReader, queues: Sequence[str], every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._reader = reader
        self._queues = queues
        self._every_seconds = every_seconds
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled; a broker that is away leaves the last figures as they were."""
        while True:
            await self.measure()
            await asyncio.sleep(self._every_seconds)

    async def measure(self) -> None:
        """Once; a queue that cannot be read does not keep the others from it."""
        troubles: dict[str, str] = {}
        for queue in self._queues:
            try:
                HELD.labels(queue=queue).set(await self._reader.depth(queue))
            except NoQueue as missing:
                troubles[queue] = missing.code
            except BrokerAway as away:
                troubles[queue] = str(away)
                break
        for queue, reason in troubles.items():
            if self._said.get(queue) != reason:
                _log.warning("parked.not_measured", queue=queue, reason=reason)
        self._said = troubles
