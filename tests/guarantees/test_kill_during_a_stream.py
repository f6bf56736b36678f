"""kill -9 of each process of the system while leads flow in on both ways."""

from __future__ import annotations

import pytest

from tests.guarantees.enduring import endure
from tests.guarantees.faults import killed
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    ("victim", "kills"),
    [
        ("ingest", 2),
        ("normalizer", 2),
        ("adf-mailer", 2),
        ("rabbitmq", 1),
        ("postgres", 1),
        pytest.param("rabbitmq", 3, marks=pytest.mark.full),
        pytest.param("postgres", 3, marks=pytest.mark.full),
        pytest.param("adf-mailer", 5, marks=pytest.mark.full),
    ],
)
async def test_kill_9_loses_no_lead_and_doubles_none_in_silence(
    system: System, victim: str, kills: int
) -> None:
    # Deliveries under way at the kill: without this the mail server is faster than the stream.
    await system.smtp(delay_seconds=0.02)
    await endure(system, killed(victim), strikes=kills)
    await system.smtp()
