"""SIGSTOP of each process for longer than anything waits for it, while leads flow."""

from __future__ import annotations

import pytest

from tests.guarantees import timeouts
from tests.guarantees.conftest import SETTINGS, Options
from tests.guarantees.enduring import endure, others_live
from tests.guarantees.faults import frozen
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

FREEZE_SECONDS = 20.0
# Three seconds, so that a heartbeat is missed within the freeze; five times is as in production.
HEARTBEAT = "heartbeat=3"


@pytest.fixture(scope="module")
def options() -> Options:
    # The proxies only pass: so this is the system of the network's tests too.
    return Options(links=True, amqp_query=HEARTBEAT)


def test_the_freeze_outlasts_every_timeout() -> None:
    waits = (
        timeouts.publishing() | timeouts.heartbeat(HEARTBEAT) | timeouts.database() | timeouts.act(SETTINGS)
    )
    assert {name: seconds for name, seconds in waits.items() if seconds >= FREEZE_SECONDS} == {}


@pytest.mark.parametrize(
    "victim",
    [
        "adf-mailer",
        "postgres",
        pytest.param("rabbitmq", marks=pytest.mark.full),
        pytest.param("normalizer", marks=pytest.mark.full),
        pytest.param("ingest", marks=pytest.mark.full),
        pytest.param("smtp", marks=pytest.mark.full),
    ],
)
async def test_a_frozen_process_loses_no_lead(system: System, victim: str) -> None:
    async def meanwhile(stream: Stream) -> None:
        await others_live(system, but=victim)

    await endure(
        system, frozen(victim), lasting_seconds=FREEZE_SECONDS, pace_seconds=0.2, meanwhile=meanwhile
    )
