"""The disk of Postgres is full to the last byte, while leads flow."""

from __future__ import annotations

import pytest

from tests.guarantees import books
from tests.guarantees.conftest import Options
from tests.guarantees.enduring import endure, others_live
from tests.guarantees.faults import disk_full
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

DISK_MEGABYTES = 220
FULL_SECONDS = 8.0


@pytest.fixture(scope="module")
def options() -> Options:
    return Options(disk_megabytes=DISK_MEGABYTES)


async def test_a_full_disk_refuses_leads_and_loses_none(system: System) -> None:
    assert await _refused(system) == 0

    async def meanwhile(stream: Stream) -> None:
        await others_live(system)

    await endure(
        system, disk_full(), lasting_seconds=FULL_SECONDS, strikes=2, pace_seconds=0.05, meanwhile=meanwhile
    )
    assert await _refused(system) > 0, "ingest said 503"
    log = system.postgres.log.read_text("utf-8", "replace")
    assert "No space left on device" in log, "the fault struck"


async def _refused(system: System) -> float:
    samples = await books.scrape(system.stack.services["ingest"].url)
    return sum(value for (name, _), value in samples.items() if name == "leadbus_raw_unavailable_total")
