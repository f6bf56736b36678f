"""RabbitMQ runs out of memory and of disk: it blocks publishers, and ingest goes on accepting."""

from __future__ import annotations

import pytest
from leadbus_devstack.rabbitmq import Resource

from tests.guarantees import books, timeouts
from tests.guarantees.enduring import endure, others_live
from tests.guarantees.faults import alarmed
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

ALARM_SECONDS = 7.0
_ACCEPTED_MEANWHILE = 20


@pytest.mark.parametrize("resource", ["memory", pytest.param("disk", marks=pytest.mark.full)])
async def test_an_alarm_loses_no_lead_and_ingest_goes_on(system: System, resource: Resource) -> None:
    assert timeouts.publishing()["confirm"] < ALARM_SECONDS

    async def meanwhile(stream: Stream) -> None:
        await stream.more(_ACCEPTED_MEANWHILE)
        waiting = await books.count_rows(system, {("ingest", "SELECT count(*) FROM outbox")})
        assert sum(waiting.values()) >= _ACCEPTED_MEANWHILE, "accepted, and kept for when the alarm is over"
        await others_live(system)

    await endure(system, alarmed(resource), lasting_seconds=ALARM_SECONDS, meanwhile=meanwhile)
