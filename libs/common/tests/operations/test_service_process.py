"""A real process from start to end: what it answers while it waits, how it drains, when it gives up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from leadbus import topology
from leadbus.db import migrate
from leadbus.service import EXIT_FAILED, EXIT_SCHEMA, EXIT_START
from leadbus_devstack.servers import Servers
from leadbus_devstack.vhosts import Vhost

HERE = Path(__file__).parent
DEADLINE_SECONDS = 20.0


@pytest.fixture
def migrated(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(HERE))
    migrate("tiny", database_url)
    return database_url


class Process:
    """The tiny service as a process with its output."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def until_status(self, path: str, status: int) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    response = await self.http.get(path)
                    if response.status_code == status:
                        answer: dict[str, Any] = response.json()
                        return answer
                if self.process.returncode is not None:
                    raise AssertionError((await self.end()).errors)
                await asyncio.sleep(0.05)

    async def end(self) -> Ended:
        async with asyncio.timeout(DEADLINE_SECONDS):
            out, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), errors.decode())


class Ended:
    def __init__(self, code: int, out: str, errors: str) -> None:
        self.code = code
        self.out = out
        self.errors = errors

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.out.splitlines()]


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Process] = []

    async def start(database_url: str, command: str = "run", **settings: object) -> Process:
        port = int(settings.pop("http_port", 0) or _free_port())  # type: ignore[call-overload]
        given = {
            "database_url": database_url,
            "amqp_url": "amqp://127.0.0.1:1",
            "token_key": "k" * 32,
            "http_port": port,
            **settings,
        }
        environment = {f"TINY_{name.upper()}": str(value) for name, value in given.items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tiny",
            command,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE), **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(Process(process, port))
        return started[-1]

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            each.process.kill()
        await each.process.wait()
        await each.http.aclose()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_sigterm_drains_in_order_and_ends_with_zero(start: Start, migrated: str) -> None:
    service = await start(migrated, work_seconds=1)
    await service.until_status("/readyz", 200)
    asking = asyncio.create_task(service.http.get("/v1/slow"))
    await _until_taken(service)
    service.signal(signal.SIGTERM)
    said = await service.until_status("/readyz", 503)
    assert said["checks"]["service"] == "draining"
    assert (await service.http.get("/livez")).status_code == 200
    assert (await asking).status_code == 200, "a request in hand is answered during the drain"
    ended = await service.end()
    assert ended.code == 0
    assert ended.errors.splitlines() == ["drained first", "drained second"]
    assert ended.events[-1] == "service.ended"


async def test_a_failing_drain_keeps_nothing_from_ending(start: Start, migrated: str) -> None:
    service = await start(migrated, fails="drain")
    await service.until_status("/readyz", 200)
    service.signal(signal.SIGTERM)
    ended = await service.end()
    assert (ended.code, "service.end_step_failed" in ended.events) == (0, True)


async def test_a_schema_that_is_behind_ends_the_process(start: Start, database_url: str) -> None:
    ended = await (await start(database_url)).end()
    assert ended.code == EXIT_SCHEMA
    assert ended.errors == "tiny: the database schema is behind this release; run `python -m tiny migrate`\n"


async def test_a_refusing_database_ends_the_process(start: Start, database_url: str) -> None:
    nowhere = str(httpx2.URL(database_url).copy_with(path="/no_such_database"))
    ended = await (await start(nowhere)).end()
    assert ended.code == EXIT_START
    assert ended.errors == "tiny: Postgres refuses the user or the database of DATABASE_URL\n"


async def test_a_database_url_that_is_none_ends_the_process(start: Start) -> None:
    ended = await (await start("no-url")).end()
    assert ended.code == EXIT_START
    assert ended.errors.startswith("tiny: DATABASE_URL is not postgresql://")


async def test_a_failed_start_ends_the_process_and_quotes_nobody(start: Start, migrated: str) -> None:
    ended = await (await start(migrated, fails="start")).end()
    assert ended.code == EXIT_START
    assert ended.errors.startswith("tiny: start failed: RuntimeError")
    assert "Planted" not in ended.errors + ended.out


async def test_alive_while_the_database_is_away_and_ready_when_it_comes(
    start: Start, migrated: str, database_url: str
) -> None:
    """The database is reached through a port where nobody listens at first."""
    port = _free_port()
    target = httpx2.URL(database_url)
    away = str(target.copy_with(host="127.0.0.1", port=port))
    service = await start(away)
    await service.until_status("/livez", 200)
    said = await service.until_status("/readyz", 503)
    assert said["checks"] == {"service": "starting", "database": "failing"}
    refused = await service.http.get("/v1/database")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    async with _forwarded(port, str(target.host), int(target.port or 5432)):
        await service.until_status("/readyz", 200)
        assert (await service.http.get("/v1/database")).json() == 42
    await service.until_status("/readyz", 503)
    assert (await service.http.get("/livez")).status_code == 200
    async with _forwarded(port, str(target.host), int(target.port or 5432)):
        await service.until_status("/readyz", 200)
        service.signal(signal.SIGTERM)
        assert (await service.end()).code == 0


async def test_a_consumer_that_does_not_consume_is_not_ready(
    start: Start, migrated: str, clean_vhost: Vhost
) -> None:
    service = await start(migrated, amqp_url=clean_vhost.amqp_url, queue="normalizer.raw")
    await service.until_status("/livez", 200)
    said = await service.until_status("/readyz", 503)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while said["checks"]["service"] != "running":
            said = await service.until_status("/readyz", 503)
    assert said["checks"]["consumes normalizer.raw"] == "failing"
    await topology.apply(clean_vhost.amqp_url, clean_vhost.management_url)
    await service.until_status("/readyz", 200)
    service.signal(signal.SIGTERM)
    ended = await service.end()
    assert (ended.code, ended.errors.splitlines()) == (0, ["drained first", "drained second"])


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"path": "/no-such-vhost"}], ids=["user", "vhost"])
async def test_a_refusing_broker_ends_the_process(
    start: Start, migrated: str, servers: Servers, wrong: dict[str, str]
) -> None:
    refused = str(httpx2.URL(servers.amqp_url).copy_with(**wrong))
    ended = await (await start(migrated, amqp_url=refused, queue="normalizer.raw")).end()
    assert ended.code == EXIT_START
    assert ended.errors.endswith("tiny: RabbitMQ refuses the user or the vhost of AMQP_URL\n")


async def test_sigterm_while_the_broker_is_away_drains_too(start: Start, migrated: str) -> None:
    service = await start(migrated, amqp_url=f"amqp://127.0.0.1:{_free_port()}", queue="normalizer.raw")
    said = await service.until_status("/readyz", 503)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while said["checks"]["service"] != "running":
            said = await service.until_status("/readyz", 503)
    assert (await service.http.get("/livez")).status_code == 200
    service.signal(signal.SIGTERM)
    ended = await service.end()
    assert (ended.code, ended.errors.splitlines()) == (0, ["drained first", "drained second"])


async def test_a_second_signal_cuts_the_drain_short(start: Start, migrated: str) -> None:
    service = await start(migrated, work_seconds=600, drain_seconds=300, grace_seconds=400)
    await service.until_status("/readyz", 200)
    service.signal(signal.SIGTERM)
    await service.until_status("/readyz", 503)
    service.signal(signal.SIGTERM)
    ended = await service.end()
    assert ended.code == EXIT_FAILED
    assert ended.errors.endswith("tiny: the drain was cut short by a second signal\n")


async def test_sigterm_while_waiting_for_the_database_ends_at_once(start: Start) -> None:
    service = await start(f"postgresql://nobody@127.0.0.1:{_free_port()}/none")
    await service.until_status("/livez", 200)
    service.signal(signal.SIGTERM)
    assert (await service.end()).code == 0


async def _until_taken(service: Process) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while "request taken" not in (await service.http.get("/v1/journal")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _forwarded(port: int, host: str, to_port: int) -> AsyncIterator[None]:
    """A TCP door in front of the database; closing it cuts every connection."""
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(host, to_port)
        writers.extend((writer, other_writer))
        await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
