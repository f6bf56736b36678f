"""kill -9 of each process of the system, twice, while leads flow in on both ways."""

from __future__ import annotations

import pytest

from tests.guarantees.enduring import endure
from tests.guarantees.faults import killed
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("victim", ["ingest", "normalizer", "adf-mailer", "rabbitmq", "postgres"])
async def test_kill_9_loses_no_lead_and_doubles_none_in_silence(system: System, victim: str) -> None:
    # Deliveries under way at the kill: without this the mail server is faster than the stream.
    await system.smtp(delay_seconds=0.02)
    await endure(system, killed(victim), strikes=2)
    await system.smtp()
