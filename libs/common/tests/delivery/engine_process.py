"""An engine in a process of its own, to be killed: says on stdout that it acts, and never comes back from it.

Argument: database URL.
"""

from __future__ import annotations

import asyncio
import sys

from leadbus.db import Database
from leadbus.delivery import DeliveryEngine, Job, Outcome


class Stuck:
    name = "test-sink"

    async def deliver(self, job: Job) -> Outcome:
        print(job.key, flush=True)
        await asyncio.Event().wait()
        raise AssertionError

    async def lookup(self, job: Job) -> Outcome | None:
        return None


async def main(database_url: str) -> None:
    database = Database(database_url, max_size=2)
    await database.open()
    await DeliveryEngine(
        database, Stuck(), act_timeout_seconds=0.4, lease_seconds=0.5, poll_seconds=0.02
    ).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
