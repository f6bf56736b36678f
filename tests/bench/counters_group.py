"""What the normalizer asks of the servers per message under backlog: counted, so alike on any machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench import counted_amqp, counted_postgres
from tests.bench.counted_amqp import AmqpNames
from tests.bench.counted_postgres import PostgresNames
from tests.bench.counting_proxy import CountingProxy
from tests.bench.drain import WARM_UP_MESSAGES
from tests.bench.groups import Group, value_row
from tests.bench.normalizer_drain import check, clean, drain
from tests.bench.rig import NORMALIZER, Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row

MESSAGES = 4000
_NAMES = {
    "commits_per_message": counted_postgres.COMMIT,
    "statements_per_message": counted_postgres.STATEMENT,
    "ack_frames_per_message": counted_amqp.ACK,
}


@dataclass(frozen=True)
class CountersCase:
    """A drain whose service reaches its servers through counting proxies. Its speed says nothing."""

    rig: Rig
    messages: int
    name: str = "counters"

    async def run(self) -> Mapping[str, float]:
        given = self.rig.service(NORMALIZER).process.environment
        amqp = CountingProxy(given["NORMALIZER_AMQP_URL"], AmqpNames)
        postgres = CountingProxy(given["NORMALIZER_DATABASE_URL"], PostgresNames)
        await clean(self.rig)
        async with amqp.running(), postgres.running():
            settings = {"AMQP_URL": amqp.url, "DATABASE_URL": postgres.url}
            process = self.rig.service(NORMALIZER, settings).process
            before: Counter[str] = Counter()
            await drain(
                self.rig, process, self.messages, began=lambda: before.update(amqp.counts + postgres.counts)
            )
            counted = amqp.counts + postgres.counts - before
        await check(self.rig.database_url(), self.messages + WARM_UP_MESSAGES)
        return {name: counted[what] / self.messages for name, what in _NAMES.items()}


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    return [CountersCase(rig, max(1000, round(MESSAGES * scale)))]


def _rows(samples: Samples) -> list[Row]:
    return [value_row(samples, name, "counters", name, "1/message") for name in _NAMES]


COUNTERS = Group("counters", _cases, _rows)
