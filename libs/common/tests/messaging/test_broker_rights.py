"""What each user may do on a real broker, and that everything else is refused."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiormq
import pytest
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed
from leadbus.contracts import EVENTS, SOURCES
from leadbus.topology import TOPOLOGY
from leadbus_devstack.broker_users import BrokerUsers
from leadbus_devstack.servers import Servers
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, new_vhost
from pamqp import commands

SOURCE = "contactatonce"
PUBLISHER = SOURCE
EVERYBODY = (PUBLISHER, "ingest", "normalizer", "adf-mailer")
QUEUES = tuple(queue.name for queue in TOPOLOGY.queues)
READS = {
    PUBLISHER: (),
    "ingest": ("leadbus.unrouted",),
    "normalizer": tuple(name for name in QUEUES if name.startswith("normalizer.")),
    "adf-mailer": tuple(name for name in QUEUES if name.startswith("adf-mailer.")),
}
WRITES: dict[str, tuple[tuple[str, str], ...]] = {
    PUBLISHER: (("leadbus.raw", f"raw.{SOURCE}"),),
    "ingest": (
        *(("leadbus.raw", f"raw.{source}") for source in SOURCES),
        *(("leadbus.events", name) for name in EVENTS if name.startswith(("raw.", "connection."))),
    ),
    "normalizer": tuple(
        ("leadbus.events", name) for name in EVENTS if name.startswith(("lead.", "raw.", "vehicle_feed."))
    ),
    "adf-mailer": tuple(
        ("leadbus.events", name) for name in EVENTS if name.startswith(("delivery.", "destination."))
    ),
}
EVERY_WRITE = (
    *(("leadbus.raw", f"raw.{source}") for source in (*SOURCES, "unknown")),
    ("leadbus.raw", ""),
    ("leadbus.raw", "#"),
    ("leadbus.raw", f"raw.{SOURCE}\n"),
    ("leadbus.raw", f"raw.{SOURCE}.more"),
    *(("leadbus.events", name) for name in EVENTS),
    ("leadbus.events", "lead.received.v1\n"),
    *(
        (exchange.name, "")
        for exchange in TOPOLOGY.exchanges
        if exchange.name not in ("leadbus.raw", "leadbus.events")
    ),
    *(("", queue) for queue in QUEUES),
    ("amq.topic", "lead.received.v1"),
    ("amq.fanout", ""),
)

Act = Callable[[AbstractChannel], Awaitable[Any]]


class People:
    """The users of one virtual host, with a connection for each."""

    def __init__(self, users: BrokerUsers, vhost: Vhost) -> None:
        self._users = users
        self._vhost = vhost
        self._connections: dict[str, Any] = {}

    async def channel(self, name: str) -> AbstractChannel:
        if name not in self._connections:
            self._connections[name] = await aiormq.connect(
                self._vhost.amqp_url if name == "admin" else self._users.url(name)
            )
        channel: AbstractChannel = await self._connections[name].channel()
        return channel

    async def state(self) -> dict[str, tuple[int | None, int | None]]:
        """Messages and consumers by queue."""
        channel = await self.channel("admin")
        found = [await channel.queue_declare(queue, passive=True) for queue in QUEUES]
        await channel.close()
        return {str(each.queue): (each.message_count, each.consumer_count) for each in found}

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()


@pytest.fixture(scope="session")
def peopled(servers: Servers, worker_label: str) -> Iterator[tuple[BrokerUsers, Vhost]]:
    vhost = new_vhost(servers.amqp_url, servers.management_url, f"{worker_label}-rights")
    users = BrokerUsers(vhost, f"t{secrets.token_hex(4)}.")
    run_apart(lambda: users.apply(publishers=(SOURCE,)))
    yield users, vhost
    users.delete()
    vhost.delete()


@pytest.fixture
async def people(peopled: tuple[BrokerUsers, Vhost]) -> AsyncIterator[People]:
    """The users, and every queue with a message of a stranger in it."""
    people = People(*peopled)
    channel = await people.channel("admin")
    for queue in QUEUES:
        await channel.queue_purge(queue)
        await channel.basic_publish(b"somebody's", exchange="", routing_key=queue)
    await channel.close()
    yield people
    await people.close()


def publish(exchange: str, key: str, **properties: Any) -> Act:
    return lambda channel: channel.basic_publish(
        b"x", exchange=exchange, routing_key=key, properties=commands.Basic.Properties(**properties)
    )


def get(queue: str) -> Act:
    return lambda channel: channel.basic_get(queue)


async def refused(people: People, user: str, act: Act, error: type[Exception] = ChannelAccessRefused) -> None:
    """The broker says no, closes the channel, and everything is as it was."""
    before = await people.state()
    channel = await people.channel(user)
    with pytest.raises(error):
        async with asyncio.timeout(20):
            await act(channel)
    assert await people.state() == before


@pytest.mark.parametrize(
    ("user", "exchange", "key"),
    [
        pytest.param(user, exchange, key, id=f"{user}: {exchange or 'default'} {key!r}")
        for user in EVERYBODY
        for exchange, key in EVERY_WRITE
        if (exchange, key) not in WRITES[user]
    ],
)
async def test_publishing_elsewhere_is_refused(people: People, user: str, exchange: str, key: str) -> None:
    await refused(people, user, publish(exchange, key))


@pytest.mark.parametrize(
    ("user", "exchange", "key"),
    [
        pytest.param(user, exchange, key, id=f"{user}: {exchange} {key}")
        for user in EVERYBODY
        for exchange, key in WRITES[user]
    ],
)
async def test_publishing_its_own_is_confirmed(people: People, user: str, exchange: str, key: str) -> None:
    channel = await people.channel(user)
    assert isinstance(await publish(exchange, key)(channel), commands.Basic.Ack)


@pytest.mark.parametrize(
    ("user", "queue"),
    [
        pytest.param(user, queue, id=f"{user}: {queue}")
        for user in EVERYBODY
        for queue in QUEUES
        if queue not in READS[user]
    ],
)
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(get, id="get"),
        pytest.param(lambda queue: lambda channel: channel.basic_consume(queue, _nobody), id="consume"),
        pytest.param(lambda queue: lambda channel: channel.queue_purge(queue), id="purge"),
    ],
)
async def test_reading_anothers_queue_is_refused(
    people: People, user: str, queue: str, act: Callable[[str], Act]
) -> None:
    await refused(people, user, act(queue))


@pytest.mark.parametrize(
    ("user", "queue"),
    [pytest.param(user, queue, id=f"{user}: {queue}") for user in EVERYBODY for queue in READS[user]],
)
async def test_reading_its_own_queues_and_what_is_parked_behind_works(
    people: People, eventually: Any, user: str, queue: str
) -> None:
    channel = await people.channel(user)
    got: Any = await channel.basic_get(queue)
    assert got.body == b"somebody's"
    await channel.basic_reject(got.delivery.delivery_tag, requeue=True)
    consumed: asyncio.Queue[Any] = asyncio.Queue()
    await channel.basic_consume(queue, consumed.put)
    async with asyncio.timeout(20):
        again = await consumed.get()
    await channel.basic_ack(again.delivery.delivery_tag)
    await channel.close()

    async def taken() -> bool:
        return (await people.state())[queue] == (0, 0)

    await eventually(taken)


async def _nobody(message: Any) -> None:
    raise AssertionError("a message was delivered")


@pytest.mark.parametrize("user", EVERYBODY)
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda own: lambda channel: channel.queue_declare("mine"), id="declare a queue"),
        pytest.param(lambda own: lambda channel: channel.queue_declare(""), id="declare an unnamed queue"),
        pytest.param(
            lambda own: lambda channel: channel.queue_declare("mine", exclusive=True),
            id="declare an exclusive queue",
        ),
        pytest.param(
            lambda own: lambda channel: channel.queue_declare(f"{own}.more", durable=True),
            id="declare a queue under its own name",
        ),
        pytest.param(
            lambda own: lambda channel: channel.exchange_declare("mine", exchange_type="topic"),
            id="declare an exchange",
        ),
        pytest.param(
            lambda own: lambda channel: channel.exchange_delete("leadbus.events"), id="delete an exchange"
        ),
        *(
            pytest.param(
                lambda own, queue=queue: lambda channel: channel.queue_delete(queue), id=f"delete {queue}"
            )
            for queue in QUEUES
        ),
        *(
            pytest.param(
                lambda own, queue=queue: lambda channel: channel.queue_bind(queue, "leadbus.raw", "raw.bdk"),
                id=f"bind {queue}",
            )
            for queue in QUEUES
        ),
        pytest.param(
            lambda own: lambda channel: channel.queue_unbind("normalizer.raw", "leadbus.raw", "raw.bdk"),
            id="unbind a queue",
        ),
        pytest.param(
            lambda own: lambda channel: channel.exchange_bind("leadbus.events", "leadbus.raw", "#"),
            id="bind an exchange",
        ),
    ],
)
async def test_configuring_anything_is_refused(people: People, user: str, act: Callable[[str], Act]) -> None:
    await refused(people, user, act(user))


@pytest.mark.parametrize("user", EVERYBODY)
@pytest.mark.parametrize("forged", ["guest", "normalizer", "somebody"])
async def test_a_forged_user_id_is_refused(people: People, user: str, forged: str) -> None:
    exchange, key = WRITES[user][0]
    await refused(people, user, publish(exchange, key, user_id=forged), ChannelPreconditionFailed)


@pytest.mark.parametrize("user", EVERYBODY)
async def test_another_virtual_host_is_refused(
    peopled: tuple[BrokerUsers, Vhost], clean_vhost: Vhost, user: str
) -> None:
    users, vhost = peopled
    url = users.url(user).removesuffix(vhost.name) + clean_vhost.name
    with pytest.raises(aiormq.exceptions.AMQPError):
        await aiormq.connect(url)


def test_every_event_is_somebodys_to_write() -> None:
    """Of the services there are: a new event needs a right, and its writer a row above."""
    running = {"normalizer", "adf-mailer"}
    written = {key for user in running for _, key in WRITES[user]}
    assert written == {name for name, event in EVENTS.items() if running & set(event.emitted_by)}


@pytest.mark.parametrize("header", ["CC", "BCC"])
async def test_further_keys_in_headers_leave_the_proven_key_as_it_is(
    people: People, eventually: Any, header: str
) -> None:
    """It is routed by them too, unasked; what a consumer is told is the key that was checked."""
    channel = await people.channel(PUBLISHER)
    await publish("leadbus.raw", f"raw.{SOURCE}", headers={header: ["raw.bdk", "raw.dms"]})(channel)
    admin = await people.channel("admin")
    stranger: Any = await admin.basic_get("normalizer.raw", no_ack=True)
    assert stranger.body == b"somebody's"

    async def arrived() -> bool:
        return (await people.state())["normalizer.raw"] == (1, 0)

    await eventually(arrived)
    got: Any = await admin.basic_get("normalizer.raw", no_ack=True)
    assert (got.delivery.exchange, got.delivery.routing_key) == ("leadbus.raw", f"raw.{SOURCE}")
    assert not (await people.state())["normalizer.raw"][0], "one message, however many keys"
