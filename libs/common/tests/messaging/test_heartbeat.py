"""How soon a silent broker is noticed: ten seconds' heartbeat, or what the URL says."""

from __future__ import annotations

import pytest
from leadbus.consumer import make_broker
from leadbus.consumer.broker import live_connection
from leadbus.publisher.link import Link
from pydantic import SecretStr
from yarl import URL


@pytest.mark.parametrize(("query", "seconds"), [("", 10), ("?heartbeat=3", 3)])
async def test_both_connections_agree_with_the_broker_on_the_heartbeat(
    amqp_url: str, query: str, seconds: int
) -> None:
    link = await Link.open(URL(amqp_url + query), "tester")
    broker = make_broker(SecretStr(amqp_url + query), "tester")
    await broker.start()
    try:
        assert link._connection.connection_tune.heartbeat == seconds
        consuming = live_connection(broker)
        assert consuming is not None
        assert getattr(consuming, "connection_tune").heartbeat == seconds  # noqa: B009 -- not in its interface
    finally:
        await broker.stop()
        await link.close()
