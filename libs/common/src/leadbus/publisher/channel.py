"""Many publishes in one write on an aiormq channel, and the broker's answers told apart.

This is the only file that reaches into aiormq, whose version is pinned for it. aiormq's own
`basic_publish` takes a lock, a timer and three futures for each message and finds a returned
message again by its message id, which two messages may share; here a batch has one future, and
a return is matched by the order in which the broker sends returns.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import aiormq.channel
from aiormq.abc import AbstractConnection, ConfirmationFrameType
from aiormq.exceptions import AMQPChannelError
from pamqp import commands
from pamqp.header import ContentHeader

from leadbus.messages import OutgoingMessage
from leadbus.publisher import content
from leadbus.publisher.result import PublishResult

_Address = tuple[str, str, str | None]
"""Exchange, routing key, message id."""
_BASIC_ACK, _BASIC_NACK, _BASIC_RETURN = b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x78", b"\x00\x3c\x00\x32"
_TAG_AND_MULTIPLE = struct.Struct(">4xQB")
_UNWRITABLE = (TypeError, ValueError, OverflowError, struct.error)


@dataclass(slots=True, eq=False)
class Batch:
    """The answers to one `send`, by the index of the message; UNKNOWN until one comes."""

    results: list[PublishResult]
    done: asyncio.Future[None]
    unanswered: int = 0

    def answer(self, index: int, result: PublishResult) -> None:
        self.results[index] = result
        self.unanswered -= 1
        if not self.unanswered:
            self.end()

    def end(self) -> None:
        """No further answer will come."""
        if not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True, eq=False)
class _Unanswered:
    batch: Batch
    index: int
    address: _Address | None
    """What a return would name it by; None where it is not mandatory."""
    returned: bool = False


class ConfirmChannel(aiormq.channel.Channel):
    """A channel in confirm mode on which only `send` publishes.

    It writes by `write`, to the connection's socket: between aiormq's own frames it may stand anywhere, and
    aiormq's queue of frames to be written costs three turns of the loop.
    """

    def __init__(
        self, connection: AbstractConnection, number: int, app_id: str, write: Callable[[bytes], None]
    ) -> None:
        super().__init__(connection, number, publisher_confirms=True)
        self._app_id = app_id
        self._write = write
        self._last_tag = 0
        self._unanswered: dict[int, _Unanswered] = {}
        self._passed_on = 0
        """Answers that aiormq has to bring yet; none may overtake them."""
        self.closing.add_done_callback(self._end_all)

    @property
    def refusal(self) -> AMQPChannelError | None:
        """Why the broker closed this channel, if it did."""
        error = self._close_exception
        return error if isinstance(error, AMQPChannelError) else None

    def send(self, messages: Sequence[OutgoingMessage]) -> Batch:
        """Write all messages at once; `Batch.done` ends when every one is answered or the channel closed.

        A message that cannot be written as AMQP is REFUSED and leaves the others alone.
        """
        batch = Batch([PublishResult.UNKNOWN] * len(messages), asyncio.get_running_loop().create_future())
        payload, waiting = self._marshal(messages, batch)
        batch.unanswered = len(waiting)
        if waiting and not self.is_closed:
            self._write(payload)
        # Tags count what was written, in the same order.
        for unanswered in waiting:
            self._last_tag += 1
            self._unanswered[self._last_tag] = unanswered
        if not waiting or self.is_closed:
            batch.end()
        return batch

    def _marshal(self, messages: Sequence[OutgoingMessage], batch: Batch) -> tuple[bytes, list[_Unanswered]]:
        written: list[bytes] = []
        waiting: list[_Unanswered] = []
        for index, message in enumerate(messages):
            try:
                frames = content.frames(message, self.number, self._app_id, self.max_content_size)
            except _UNWRITABLE:
                batch.results[index] = PublishResult.REFUSED
                continue
            written += frames
            waiting.append(_Unanswered(batch, index, _address(message) if message.mandatory else None))
        return b"".join(written), waiting

    def takes(self, method: bytes) -> bool:
        """Whether this method frame was a confirm, dealt with as it was received.

        A return consists of several frames and is left to aiormq; so is then what comes right after it.
        """
        what = method[:4]
        if what not in (_BASIC_ACK, _BASIC_NACK, _BASIC_RETURN):
            return False
        if self._passed_on or what == _BASIC_RETURN:
            self._passed_on += 1
            return False
        tag, bits = _TAG_AND_MULTIPLE.unpack_from(method)
        self._answered(
            tag,
            PublishResult.CONFIRMED if what == _BASIC_ACK else PublishResult.REFUSED,
            multiple=bool(bits & 1),
        )
        return True

    async def _on_confirm_frame(self, frame: ConfirmationFrameType) -> None:
        self._passed_on -= 1
        said = PublishResult.CONFIRMED if isinstance(frame, commands.Basic.Ack) else PublishResult.REFUSED
        self._answered(frame.delivery_tag or 0, said, multiple=getattr(frame, "multiple", False))

    def _answered(self, tag: int, said: PublishResult, *, multiple: bool) -> None:
        answered = [*takewhile(lambda known: known <= tag, self._unanswered)] if multiple else [tag]
        for known in answered:
            unanswered = self._unanswered.pop(known, None)
            if unanswered is not None:
                unanswered.batch.answer(
                    unanswered.index, PublishResult.RETURNED if unanswered.returned else said
                )

    async def _on_return_frame(self, frame: commands.Basic.Return) -> None:
        """Mark the message; its confirm follows.

        A channel handles publishes one after the other and returns come in that order, so the
        returned one is the first unmarked message with the same address.
        """
        header = await self._get_frame()
        if not isinstance(header, ContentHeader):
            raise TypeError(f"a content header must follow basic.return, got {type(header).__name__}")
        await self._read_content(frame, header)
        self._passed_on -= 1
        address = (frame.exchange or "", frame.routing_key or "", header.properties.message_id)
        for unanswered in self._unanswered.values():
            if unanswered.address == address and not unanswered.returned:
                unanswered.returned = True
                return

    def _end_all(self, closing: asyncio.Future[Any]) -> None:
        if not closing.cancelled():
            closing.exception()
        for unanswered in self._unanswered.values():
            unanswered.batch.end()
        self._unanswered.clear()


def _address(message: OutgoingMessage) -> _Address:
    # An empty id is not written, and a return says none then.
    return message.exchange, message.routing_key, message.properties.message_id or None
