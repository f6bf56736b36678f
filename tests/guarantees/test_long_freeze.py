"""SIGSTOP of each process for a minute: longer than every timeout as it is in production."""

from __future__ import annotations

import pytest

from tests.guarantees import timeouts
from tests.guarantees.conftest import Options, retrying
from tests.guarantees.enduring import endure, others_live
from tests.guarantees.faults import frozen
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

FREEZE_SECONDS = 60.0
# Only what is tried again afterwards: every timeout is the default.
SETTINGS = {
    "adf-mailer": {
        **retrying("[1, 2, 5, 10]"),
        "PROBE_STEPS_SECONDS": "[1, 5, 10]",
        "ADDRESS_SUSPENDED_AFTER": "10000",
    }
}


@pytest.fixture(scope="module")
def options() -> Options:
    return Options(settings=SETTINGS)


def test_the_freeze_outlasts_every_timeout() -> None:
    waits = timeouts.publishing() | timeouts.heartbeat("") | timeouts.database() | timeouts.act(SETTINGS)
    assert {name: seconds for name, seconds in waits.items() if seconds >= FREEZE_SECONDS} == {}


@pytest.mark.parametrize("victim", ["ingest", "normalizer", "adf-mailer", "rabbitmq", "postgres", "smtp"])
async def test_a_process_frozen_for_a_minute_loses_no_lead(system: System, victim: str) -> None:
    async def meanwhile(stream: Stream) -> None:
        await others_live(system, but=victim)

    await endure(
        system,
        frozen(victim),
        lasting_seconds=FREEZE_SECONDS,
        pace_seconds=0.4,
        within_seconds=300,
        meanwhile=meanwhile,
    )
