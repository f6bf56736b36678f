"""Two processes of every service: one of them dies or stands still, the other goes on."""

from __future__ import annotations

import pytest

from tests.guarantees import timeouts
from tests.guarantees.conftest import SETTINGS, Options
from tests.guarantees.enduring import endure
from tests.guarantees.faults import frozen, killed
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

FREEZE_SECONDS = 26.0


@pytest.fixture(scope="module")
def options() -> Options:
    # The proxies only pass: so this is the system of the random faults too.
    return Options(replicas=2, links=True, amqp_query="heartbeat=3")


@pytest.mark.parametrize("victim", ["ingest-2", "normalizer-2", "adf-mailer-2"])
async def test_one_of_two_is_killed(system: System, victim: str) -> None:
    await system.smtp(delay_seconds=0.02)
    await endure(system, killed(victim))
    await system.smtp()


async def test_one_of_two_wakes_up_after_the_other_took_its_work(system: System) -> None:
    assert max(timeouts.lease(SETTINGS).values()) < FREEZE_SECONDS
    await system.smtp(delay_seconds=0.02)
    await endure(system, frozen("adf-mailer-2"), lasting_seconds=FREEZE_SECONDS, pace_seconds=0.2)
    await system.smtp()


@pytest.mark.full
@pytest.mark.parametrize("victim", ["rabbitmq", "postgres"])
async def test_both_come_back_after_a_server_was_killed(system: System, victim: str) -> None:
    await endure(system, killed(victim), strikes=2)
