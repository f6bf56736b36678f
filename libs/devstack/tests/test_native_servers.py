"""Private servers: everything of their own, nothing left, data kept over kill -9."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from leadbus_devstack import ports, postgres, rabbitmq
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ, Resource
from leadbus_devstack.small_disk import SmallDisk

from tests.support.processes import LOOPBACK, gone, listening_addresses, names


@pytest.fixture
def place() -> Iterator[Path]:
    directory = scratch_directory("test")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


async def test_rabbitmq_is_private_survives_kill_and_leaves_nothing(
    private_rabbitmq: NativeRabbitMQ,
) -> None:
    pids = private_rabbitmq.process.processes()
    assert {"beam.smp", "epmd"} <= names(pids), "epmd is a child of ours, not of the system"
    addresses = listening_addresses(pids)
    assert len(addresses) >= 4, "AMQP, management, distribution, epmd"
    assert {address.split(":")[0] for address in addresses} <= LOOPBACK

    connection = await aio_pika.connect(private_rabbitmq.url)
    channel = await connection.channel()
    queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
    await channel.default_exchange.publish(aio_pika.Message(b"still here", delivery_mode=2), "kept")
    private_rabbitmq.kill()
    assert gone(pids)
    private_rabbitmq.start()

    connection = await aio_pika.connect(private_rabbitmq.url)
    async with connection:
        queue = await (await connection.channel()).get_queue("kept")
        message = await queue.get(timeout=10)
        assert message.body == b"still here"
        await message.ack()
    assert "leadbus@localhost" in private_rabbitmq.ctl("status")
    with pytest.raises(DevstackError, match="rabbitmqctl nonsense"):
        private_rabbitmq.ctl("nonsense")

    pids = private_rabbitmq.process.processes()
    private_rabbitmq.stop()
    assert gone(pids)


async def test_postgres_is_private_survives_kill_and_leaves_nothing(private_postgres: NativePostgres) -> None:
    connection = await asyncpg.connect(private_postgres.url)
    settings = {
        name: await connection.fetchval(f"SHOW {name}")
        for name in ("fsync", "server_encoding", "lc_collate", "listen_addresses")
    }
    assert settings == {
        "fsync": "on",
        "server_encoding": "UTF8",
        "lc_collate": "C.UTF-8",
        "listen_addresses": "127.0.0.1",
    }
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')")
    pids = private_postgres.process.processes()
    private_postgres.kill()
    assert gone(pids)
    private_postgres.start()
    connection = await asyncpg.connect(private_postgres.url)
    assert await connection.fetchval("SELECT word FROM kept") == "still here"

    # A client that is still connected does not keep the server from ending.
    pids = private_postgres.process.processes()
    private_postgres.stop()
    assert gone(pids)


async def test_a_frozen_postgres_answers_again_after_thawing(private_postgres: NativePostgres) -> None:
    connection = await asyncpg.connect(private_postgres.url)
    private_postgres.freeze()
    assert not private_postgres.ready()
    private_postgres.thaw()
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize("resource", ["memory", "disk"])
async def test_an_alarm_blocks_publishers_until_it_ends(
    private_rabbitmq: NativeRabbitMQ, resource: Resource
) -> None:
    connection = await aio_pika.connect(private_rabbitmq.url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("work", durable=True)
        await asyncio.to_thread(private_rabbitmq.alarm, resource)
        publishing = asyncio.ensure_future(
            channel.default_exchange.publish(aio_pika.Message(b"held up"), "work")
        )
        blocked, _ = await asyncio.wait([publishing], timeout=0.3)
        assert not blocked
        await asyncio.to_thread(private_rabbitmq.calm)
        await asyncio.wait_for(publishing, 60)
        assert (await queue.get(timeout=30)).body == b"held up"


async def test_a_postgres_on_a_full_disk_says_so_and_goes_on_afterwards(place: Path) -> None:
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("no native Postgres")
    disk = SmallDisk(place / "disk", 160)
    try:
        disk.mount()
    except DevstackError as error:
        pytest.skip(f"no file system of its own size: {error}")
    try:
        settings = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
        server = NativePostgres(programs, disk.directory, place / "server.log", settings=settings)
        server.start()
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE word (word text)")
        disk.fill()
        assert disk.free_bytes == 0
        with pytest.raises(asyncpg.DiskFullError):
            await connection.execute(
                "INSERT INTO word SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
            )
        disk.clear()
        await connection.execute("INSERT INTO word VALUES ('again')")
        await connection.close()
        server.stop()
    finally:
        disk.unmount()


def test_a_cluster_that_was_cut_short_is_made_anew(place: Path) -> None:
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("no native Postgres")
    (place / "data").mkdir()
    (place / "data" / "half").touch()
    server = NativePostgres(programs, place, place / "server.log", durable=False)
    server.start()
    assert server.ready()
    server.stop()


def test_a_busy_port_ends_the_start_with_the_reason(place: Path) -> None:
    programs = rabbitmq.find_programs()
    if programs is None:
        pytest.skip("no native RabbitMQ")
    port = ports.free_ports(1)[0]
    with socket.create_server(("127.0.0.1", port)):
        server = NativeRabbitMQ(programs, place, place / "server.log", management_port=port)
        with pytest.raises(DevstackError, match=f"port {port} is taken by another program"):
            server.start()
    assert server.process.processes() == []
