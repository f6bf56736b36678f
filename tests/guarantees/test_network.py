"""The network to RabbitMQ, Postgres and the mail server is cut, reset and blackholed while leads flow."""

from __future__ import annotations

import pytest
from leadbus_devstack.fault_proxy import Mode
from leadbus_devstack.links import Server

from tests.guarantees import timeouts
from tests.guarantees.conftest import SETTINGS, Options
from tests.guarantees.enduring import endure, others_live
from tests.guarantees.faults import network
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

HEARTBEAT = "heartbeat=3"
ENDED_SECONDS = 2.0
"""For modes that end connections: new ones are tried, and ended too."""
SILENT_SECONDS = {Server.RABBITMQ: 14.0, Server.POSTGRES: 12.0, Server.SMTP: 18.0}
"""For modes that keep connections and let nothing through."""


@pytest.fixture(scope="module")
def options() -> Options:
    return Options(links=True, amqp_query=HEARTBEAT)


def test_silence_outlasts_what_waits_for_the_server() -> None:
    confirm = timeouts.publishing()["confirm"]
    assert SILENT_SECONDS[Server.RABBITMQ] > max(confirm, *timeouts.heartbeat(HEARTBEAT).values())
    assert SILENT_SECONDS[Server.POSTGRES] > max(timeouts.database().values())
    assert SILENT_SECONDS[Server.SMTP] > max(timeouts.act(SETTINGS).values())


@pytest.mark.parametrize(
    ("mode", "server"),
    [
        (Mode.CUT, Server.POSTGRES),
        (Mode.CUT, Server.SMTP),
        (Mode.RESET, Server.RABBITMQ),
        pytest.param(Mode.CUT, Server.RABBITMQ, marks=pytest.mark.full),
        pytest.param(Mode.RESET, Server.POSTGRES, marks=pytest.mark.full),
        pytest.param(Mode.RESET, Server.SMTP, marks=pytest.mark.full),
    ],
)
async def test_connections_that_end_lose_no_lead(system: System, server: Server, mode: Mode) -> None:
    await endure(system, network(mode, server), lasting_seconds=ENDED_SECONDS, strikes=2)


@pytest.mark.parametrize(
    ("mode", "server"),
    [
        (Mode.BLACKHOLE, Server.RABBITMQ),
        (Mode.BLACKHOLE, Server.POSTGRES),
        pytest.param(Mode.DROP_DOWN, Server.RABBITMQ, marks=pytest.mark.full),
        pytest.param(Mode.DROP_DOWN, Server.SMTP, marks=pytest.mark.full),
        pytest.param(Mode.BLACKHOLE, Server.SMTP, marks=pytest.mark.full),
        pytest.param(Mode.DROP_UP, Server.RABBITMQ, marks=pytest.mark.full),
        pytest.param(Mode.DROP_UP, Server.POSTGRES, marks=pytest.mark.full),
        pytest.param(Mode.DROP_UP, Server.SMTP, marks=pytest.mark.full),
        pytest.param(Mode.DROP_DOWN, Server.POSTGRES, marks=pytest.mark.full),
    ],
)
async def test_connections_that_fall_silent_lose_no_lead(system: System, mode: Mode, server: Server) -> None:
    async def meanwhile(stream: Stream) -> None:
        await others_live(system)

    await endure(
        system,
        network(mode, server),
        lasting_seconds=SILENT_SECONDS[server],
        pace_seconds=0.2,
        meanwhile=meanwhile,
    )


@pytest.mark.full
@pytest.mark.parametrize("server", list(Server))
async def test_a_slow_network_loses_no_lead(system: System, server: Server) -> None:
    await endure(system, network(Mode.DELAY, server, delay_seconds=0.3), lasting_seconds=15, pace_seconds=0.2)
