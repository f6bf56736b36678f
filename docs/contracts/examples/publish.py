# ruff: noqa: T201
"""Publishes one lead straight to Leadbus. Needs nothing but `pip install aio-pika`; copy what you need.

    export LEADBUS_AMQP_URL=amqp://user:password@broker:5672/vhost
    python publish.py contactatonce lead.json

The address holds your password, so it comes from the environment: a command line is shown to everybody.
Prints the id and exits 0 when the broker has confirmed the message; exits 1 when it was returned, refused or
not confirmed in time. Then publish again with the same id: a message that arrives twice counts once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import aio_pika
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError

TIMEOUT_SECONDS = 10.0
CONTENT_TYPES = {".json": "application/json", ".xml": "application/xml", ".csv": "text/csv"}


async def publish(
    url: str, source: str, body: bytes, content_type: str, message_id: str | None, account: str | None
) -> str:
    # Any stable id of your own will do. The digest makes the same file the same message.
    message_id = message_id or hashlib.sha256(body).hexdigest()
    routing_key = f"raw.{source}"
    now = datetime.now(UTC)
    headers: dict[str, aio_pika.abc.FieldValue] = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": message_id,
        "cloudEvents_source": "https://partner.example/leads",
        "cloudEvents_type": routing_key,
        "cloudEvents_time": now.isoformat(),
    }
    if account:
        headers["cloudEvents_account"] = account
    message = aio_pika.Message(
        body,
        headers=headers,
        content_type=content_type,
        message_id=message_id,
        type=routing_key,
        timestamp=now,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    connection = await aio_pika.connect(url, timeout=TIMEOUT_SECONDS)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        # Your user may write to the exchange, not declare it.
        exchange = await channel.get_exchange("leadbus.raw", ensure=False)
        await exchange.publish(message, routing_key, mandatory=True, timeout=TIMEOUT_SECONDS)
    return message_id


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish one lead to Leadbus.")
    parser.add_argument("source", help="your source, such as contactatonce: the routing key is raw.<source>")
    parser.add_argument("file", type=Path, help="the payload, sent byte for byte")
    parser.add_argument("--id", help="your id of this message; default: digest of the file")
    parser.add_argument("--account", help="which of your accounts it belongs to")
    options = parser.parse_args()
    url = os.environ.get("LEADBUS_AMQP_URL")
    if not url:
        parser.error("set LEADBUS_AMQP_URL to amqp://user:password@host:port/vhost")
    # The client library logs what it also raises.
    logging.basicConfig(level=logging.CRITICAL)
    try:
        body = options.file.read_bytes()
        content_type = CONTENT_TYPES.get(options.file.suffix, "application/octet-stream")
        print(asyncio.run(publish(url, options.source, body, content_type, options.id, options.account)))
    except PublishError:
        print("returned: no queue takes this routing key", file=sys.stderr)
    except DeliveryError:
        print("refused: the broker could not keep it", file=sys.stderr)
    except (AMQPError, OSError, TimeoutError) as error:
        print(f"not confirmed: {type(error).__name__}: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
