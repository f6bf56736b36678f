"""A relay in a process of its own, to be killed. Arguments: database URL, AMQP URL."""

from __future__ import annotations

import asyncio
import sys

from leadbus.db import Database
from leadbus.outbox import OutboxRelay
from leadbus.publisher import Publisher
from pydantic import SecretStr


async def main(database_url: str, amqp_url: str) -> None:
    database = Database(database_url, max_size=2)
    await database.open()
    publisher = Publisher(SecretStr(amqp_url), app_id="test")
    await publisher.start()
    await OutboxRelay(database, publisher).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
