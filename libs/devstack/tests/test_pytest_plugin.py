"""What the fixtures promise to tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from leadbus_devstack.layout import find_layout
from leadbus_devstack.pytest_plugin import MakeDatabase
from leadbus_devstack.resolve import AMQP_URL, MANAGEMENT_URL, POSTGRES_URL
from leadbus_devstack.servers import Servers
from leadbus_devstack.services import SERVICES, ServiceName
from leadbus_devstack.vhosts import Vhost


async def test_each_test_has_a_virtual_host_of_its_own(
    amqp_url: str, vhost: Vhost, clean_vhost: Vhost
) -> None:
    assert amqp_url == clean_vhost.amqp_url
    assert vhost.name != clean_vhost.name
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        await (await connection.channel()).declare_queue("mine")
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection:
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await connection.channel()).get_queue("mine")


async def test_databases_are_empty_and_apart(database_url: str, make_database: MakeDatabase) -> None:
    other = make_database(None)
    assert other != database_url
    connection = await asyncpg.connect(database_url)
    assert (
        await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        == 0
    )
    await connection.close()


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_a_database_can_come_migrated(service: ServiceName, make_database: MakeDatabase) -> None:
    first, second = make_database(service.package), make_database(service.package)
    for url in (first, second):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT version_num FROM alembic_version")
        await connection.close()


async def test_the_topology_comes_applied(topology: Vhost) -> None:
    connection = await aio_pika.connect(topology.amqp_url)
    async with connection:
        channel = await connection.channel()
        await channel.get_exchange("leadbus.raw")
        await channel.get_queue("normalizer.raw")


def run_pytest(folder: Path, **environment: str) -> str:
    """A run of its own in which no server can be had."""
    (folder / "test_it.py").write_text("def test_needs_a_server(servers): pass\n")
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("CI", AMQP_URL, MANAGEMENT_URL, POSTGRES_URL)
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "leadbus_devstack.pytest_plugin",
            "-rs",
            "--rootdir",
            folder,
            folder,
        ],
        env=inherited | {"LEADBUS_DEVSTACK": "url"} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_a_missing_server_skips_at_home_and_fails_in_ci(tmp_path: Path) -> None:
    at_home = run_pytest(tmp_path)
    assert "servers: MISSING No RabbitMQ to be had" in at_home
    assert "1 skipped" in at_home
    assert "1 error" in run_pytest(tmp_path, CI="true")


def test_the_header_names_servers_and_versions(servers: Servers, tmp_path: Path) -> None:
    header = run_pytest(
        tmp_path,
        LEADBUS_DEVSTACK="auto",
        **{
            AMQP_URL: servers.amqp_url,
            MANAGEMENT_URL: servers.management_url,
            POSTGRES_URL: servers.postgres_url,
        },
    )
    assert "servers: RabbitMQ from the environment (url), Postgres from the environment (url)" in header
    assert "1 passed" in header


def test_the_checkout_is_found() -> None:
    assert (find_layout().root / "Makefile").exists()
