"""Publishes one raw message from standard input: `python publisher.py AMQP_URL SOURCE MESSAGE_ID MEDIA_TYPE`.

As any outside publisher would, it knows only the published contract: exchange `leadbus.raw`, routing key
`raw.<source>`, CloudEvents attributes as `cloudEvents_` headers, the source's own bytes as body. It prints
the time of the broker's confirm.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import aio_pika


async def publish(body: bytes, url: str, source: str, message_id: str, media_type: str) -> None:
    """Returns when the broker has confirmed; raises when the message was refused or could not be routed."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        # No declaration: an outside publisher has no right to configure anything.
        exchange = await channel.get_exchange("leadbus.raw", ensure=False)
        message = aio_pika.Message(
            body,
            content_type=media_type,
            message_id=message_id,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={
                "cloudEvents_specversion": "1.0",
                "cloudEvents_id": message_id,
                "cloudEvents_source": "https://contactatonce.example/leads",
                "cloudEvents_type": f"raw.{source}",
                "cloudEvents_time": datetime.now(UTC).isoformat(),
            },
        )
        await exchange.publish(message, routing_key=f"raw.{source}", mandatory=True, timeout=10)
    print(datetime.now(UTC).isoformat())


if __name__ == "__main__":
    asyncio.run(publish(sys.stdin.buffer.read(), *sys.argv[1:5]))
