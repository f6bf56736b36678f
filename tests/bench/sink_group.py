"""Row (e3): the whole sink, from events in its queue to delivered rows, into a real mail server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from leadbus_devstack import databases
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.resolve import resolve_postfix

from tests.bench.amqp_link import Link
from tests.bench.drain import StalledError, fill, purge
from tests.bench.groups import Group, cpu_rows, ratio_row
from tests.bench.normalizer_drain import QUEUES, RUN, bare, clean
from tests.bench.postfix_group import discarding_postfix, thrown_away
from tests.bench.processes import CpuMeter
from tests.bench.rig import MAILER, Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.bench.same_rows import DifferentRowsError

MESSAGES = {"postfix_sink": 1500, "bare_sink": 2500}
_WARM_UP_MESSAGES = 200
_TABLES = "inbox, lead, mail, delivery, attempt, destination, outbox, poison"
_WATCH_SECONDS = 0.02
_STALLED_SECONDS = 90.0
_DELIVERED = "SELECT count(*) FROM delivery WHERE phase = 'delivered' AND outcome = 'delivered'"
_ROLES = {"service": "process", "broker": "broker", "postgres": "postgres", "postfix": "postfix"}


@dataclass(frozen=True)
class SinkCase:
    """Leads/s from `adf-mailer.leads` to rows that say delivered; Postfix took each and threw it away."""

    name: str
    rig: Rig
    start: Callable[[], GuardedProcess]
    messages: int

    async def run(self) -> Mapping[str, float]:
        total = _WARM_UP_MESSAGES + self.messages
        await self._fill(total)
        with discarding_postfix(self.rig.stack.smtp.port) as postfix:
            process = self.start()
            connection = await asyncpg.connect(self.rig.database_url(MAILER))

            def roles() -> dict[str, list[int]]:
                own = {"service": process.processes(), "postfix": postfix.process.processes()}
                return own | self.rig.server_roles()

            try:
                process.start()
                done = await self._delivered(connection, _WARM_UP_MESSAGES)
                cpu, began = CpuMeter(roles()), time.perf_counter()
                await self._delivered(connection, total)
                seconds = time.perf_counter() - began
                await self._told(total)
                await thrown_away(postfix, total)
                used = cpu.microseconds(roles(), total - done)
            finally:
                await connection.close()
                await asyncio.to_thread(process.stop)
        await purge(self.rig.amqp_url, QUEUES)
        return {"rate": (total - done) / seconds} | {f"cpu_{role}": us for role, us in used.items()}

    async def _fill(self, messages: int) -> None:
        """Events as the normalizer publishes them, in the queue of a sink that does not run."""
        await clean(self.rig)
        databases.execute(self.rig.database_url(MAILER), f"TRUNCATE {_TABLES}")
        if self.name == "bare_sink":
            destination = (
                f"INSERT INTO destination (name, created_at) VALUES ('{self.rig.destination}', now())"
            )
            databases.execute(self.rig.database_url(MAILER), destination)
        normalizer = bare(self.rig, "reference_stage")
        link = await Link.open(self.rig.amqp_url)
        try:
            await link.confirm()
            normalizer.start()
            await fill(link, RUN, messages)
            await self._risen(lambda: _waiting(link, "adf-mailer.leads"), messages)
        finally:
            link.close()
            await asyncio.to_thread(normalizer.stop)

    async def _delivered(self, connection: asyncpg.Connection[asyncpg.Record], wanted: int) -> int:
        async def count() -> int:
            return int(await connection.fetchval(_DELIVERED))

        return await self._risen(count, wanted)

    async def _risen(self, count: Callable[[], Awaitable[int]], wanted: int) -> int:
        """`count()`, once it is `wanted` or more. Raises StalledError when it does not get on."""
        seen, since = -1, time.monotonic()
        while (now := await count()) < wanted:
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > _STALLED_SECONDS:
                raise StalledError(f"{self.name}: {now} of {wanted}")
            await asyncio.sleep(_WATCH_SECONDS)
        return now

    async def _told(self, total: int) -> None:
        """Each delivery is in the ledger's queue, once. Raises StalledError, DifferentRowsError."""
        link = await Link.open(self.rig.amqp_url)
        try:
            told = await self._risen(lambda: _waiting(link, "normalizer.ledger"), total)
        finally:
            link.close()
        if told != total:
            raise DifferentRowsError(f"{self.name} told of {told} deliveries, expected {total}")


async def _waiting(link: Link, queue: str) -> int:
    return (await link.depth(queue))[0]


def product(rig: Rig) -> GuardedProcess:
    """adf-mailer as deployed."""
    return rig.service(MAILER).process


def twin(rig: Rig) -> GuardedProcess:
    """The bare mailer, sending."""
    return rig.program(
        "tests.bench.bare_mailer",
        *(rig.amqp_url, rig.database_url(MAILER), rig.destination),
        *(str(rig.sample_file), str(rig.stack.smtp.port)),
    )


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    counts = {name: max(400, round(number * scale)) for name, number in MESSAGES.items()}
    return [
        SinkCase("postfix_sink", rig, lambda: product(rig), counts["postfix_sink"]),
        SinkCase("bare_sink", rig, lambda: twin(rig), counts["bare_sink"]),
    ]


def _rows(samples: Samples) -> list[Row]:
    return [
        ratio_row(samples, "postfix_sink", "postfix_sink", "bare_sink", unit="leads/s"),
        *(row for name in MESSAGES for row in cpu_rows(samples, name, _ROLES)),
    ]


SINK = Group("postfix_sink", _cases, _rows, resolve_postfix)
