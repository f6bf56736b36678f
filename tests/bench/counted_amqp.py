"""Names of what a consumer sends over AMQP, for counting."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import amqp_frames as amqp

ACK = "ack"
PUBLISH = "publish"
_NAMES = {amqp.ACK: ACK, amqp.REJECT: ACK, amqp.NACK: ACK, amqp.PUBLISH: PUBLISH}


class AmqpNames:
    """Counts the frames that settle deliveries, and publishes; answers are not looked at."""

    def __init__(self) -> None:
        self._frames = amqp.Frames()
        self._greeted = False

    def sent(self, data: bytes) -> Iterator[str]:
        if not self._greeted:
            self._greeted = True
            data = data[len(amqp.PROTOCOL_HEADER) :]
        for kind, payload in self._frames.feed(data):
            if kind == amqp.METHOD and (name := _NAMES.get(amqp.method_id(payload))):
                yield name

    def answered(self, data: bytes) -> Iterator[str]:
        return iter(())
