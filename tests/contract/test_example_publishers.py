"""The two example publishers, run as they stand against a real broker."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, FieldValue
from leadbus.envelope import Properties, decode, raw_attributes
from leadbus.messages import IncomingMessage
from leadbus_devstack.vhosts import Vhost

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PAYLOAD = "examples/raw.contactatonce.Chat.json"


def _python(contracts: Path, *arguments: str, **options: str) -> list[str]:
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, str(contracts / "examples/publish.py"), *arguments, *flags]


def _node(script: Path, *arguments: str, **options: str) -> list[str]:
    return ["node", str(script), *arguments, options.get("id", ""), options.get("account", "")]


@pytest.fixture(params=["python", "node"])
def publish(request: pytest.FixtureRequest, contracts: Path, tmp_path: Path) -> Run:
    """Runs one of the publishers: ``publish(url, source, file, id=..., account=...)``."""
    if request.param == "node":
        (tmp_path / "node_modules").symlink_to(request.getfixturevalue("node_modules"))
        # Node looks for packages beside the script, where a team would have installed them.
        script = tmp_path / "publish.mjs"
        script.write_bytes((contracts / "examples/publish.mjs").read_bytes())

    def run(url: str, source: str, file: Path, **options: str) -> subprocess.CompletedProcess[str]:
        arguments = (source, str(file))
        command = (
            _node(script, *arguments, **options)
            if request.param == "node"
            else _python(contracts, *arguments, **options)
        )
        environment = {**os.environ, "LEADBUS_AMQP_URL": url}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=40, check=False
        )

    return run


@pytest.fixture
async def channel(clean_vhost: Vhost) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(clean_vhost.amqp_url)
    async with connection:
        yield await connection.channel()


async def _only(channel: AbstractChannel, queue: str) -> AbstractIncomingMessage:
    message = await (await channel.get_queue(queue)).get(timeout=10)
    assert message is not None
    await message.ack()
    return message


def _incoming(message: AbstractIncomingMessage) -> IncomingMessage:
    return IncomingMessage(
        body=message.body,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        headers=message.headers,
        properties=Properties(content_type=message.content_type, message_id=message.message_id),
        redelivered=bool(message.redelivered),
        delivery_count=0,
        delivery_tag=message.delivery_tag or 0,
    )


async def test_a_published_lead_arrives_as_the_contract_says(
    publish: Run, topology: Vhost, channel: AbstractChannel, contracts: Path
) -> None:
    done = publish(topology.amqp_url, "contactatonce", contracts / PAYLOAD, id="CAO-1", account="prairie")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "CAO-1", "")
    message = await _only(channel, "normalizer.raw")
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert (message.message_id, message.type) == ("CAO-1", "raw.contactatonce")
    envelope = decode(_incoming(message))
    assert envelope.data == (contracts / PAYLOAD).read_bytes()
    assert (envelope.id, envelope.datacontenttype) == ("CAO-1", "application/json")
    assert envelope.time is not None
    assert raw_attributes("contactatonce", envelope).account == "prairie"


async def test_without_an_id_the_same_file_is_the_same_message(
    publish: Run, topology: Vhost, contracts: Path
) -> None:
    file = contracts / "examples/raw.contactatonce.Chat.xml"
    printed = {publish(topology.amqp_url, "contactatonce", file).stdout.strip() for _ in range(2)}
    assert printed == {hashlib.sha256(file.read_bytes()).hexdigest()}


async def test_what_no_queue_takes_is_an_error(
    publish: Run, clean_vhost: Vhost, channel: AbstractChannel, contracts: Path
) -> None:
    await channel.declare_exchange("leadbus.raw", aio_pika.ExchangeType.TOPIC, durable=True)
    done = publish(clean_vhost.amqp_url, "contactatonce", contracts / PAYLOAD)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("returned:")


async def test_what_the_broker_refuses_is_an_error(
    publish: Run, clean_vhost: Vhost, channel: AbstractChannel, contracts: Path
) -> None:
    exchange = await channel.declare_exchange("leadbus.raw", aio_pika.ExchangeType.TOPIC, durable=True)
    full: dict[str, FieldValue] = {"x-max-length": 0, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue("full", durable=True, arguments=full)
    await queue.bind(exchange, "raw.#")
    done = publish(clean_vhost.amqp_url, "contactatonce", contracts / PAYLOAD)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused:")


@pytest.mark.parametrize("where", ["exchange", "broker"])
def test_nobody_there_is_an_error(publish: Run, clean_vhost: Vhost, contracts: Path, where: str) -> None:
    url = clean_vhost.amqp_url if where == "exchange" else "amqp://guest:guest@127.0.0.1:1/"
    done = publish(url, "contactatonce", contracts / PAYLOAD)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_an_address_it_says_what_to_set(publish: Run, contracts: Path) -> None:
    done = publish("", "contactatonce", contracts / PAYLOAD)
    assert (done.returncode, done.stdout) == (2, "")
    assert "LEADBUS_AMQP_URL" in done.stderr
