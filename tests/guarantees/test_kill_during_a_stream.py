"""kill -9 of each process of the system, three times, while 500 leads flow in on both ways."""

from __future__ import annotations

import asyncio

import pytest

from tests.guarantees import accounting
from tests.guarantees.stream import Stream
from tests.guarantees.system import System, eventually

LEADS = 500
KILL_AFTER_ACCEPTED = (100, 220, 340)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", ["ingest", "normalizer", "adf-mailer", "rabbitmq", "postgres"])
async def test_kill_9_loses_no_lead_and_doubles_none_in_silence(system: System, victim: str) -> None:
    # Deliveries under way at the kill: without this the mail server is faster than the stream.
    system.stack.smtp.control(delay_seconds=0.02)
    stream = Stream(system, LEADS)
    async with asyncio.TaskGroup() as both:
        both.create_task(stream.flow())
        both.create_task(_kill(system, stream, victim))

    await eventually(
        "every lead delivered, says the ledger",
        lambda: accounting.everything_delivered(system, LEADS),
        within_seconds=120,
    )
    await eventually("queues empty", lambda: not any(system.queue_depths().values()), within_seconds=30)
    accounting.settle(system, stream.accepted, accounting.take(system))


async def _kill(system: System, stream: Stream, victim: str) -> None:
    for count in KILL_AFTER_ACCEPTED:
        await stream.reached(count)
        await system.kill(victim)
