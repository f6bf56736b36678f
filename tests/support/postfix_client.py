"""adf-mailer's own talk to a mail server, against a real Postfix."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

from adf_mailer.delivery import SmartHost, SmartHosts
from adf_mailer.delivery.connection import Envelope
from leadbus.delivery import Outcome
from leadbus_devstack.postfix import NativePostfix

SENDER = "bounces@leadbus.example"
RAW = b"From: leads@leadbus.example\r\nSubject: x\r\nMessage-ID: <1@leadbus.example>\r\n\r\ntext\r\n"
_ARRIVAL_SECONDS = 60.0

BeforeData = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """There is no lease to renew."""


class Client:
    """Sends over `listener` of `postfix`, connections kept as in production; `host`: words of `SmartHost`."""

    def __init__(
        self,
        postfix: NativePostfix,
        listener: str = "smtp",
        *,
        size: int = 4,
        max_transactions: int = 100,
        **host: Any,
    ) -> None:
        settings: dict[str, Any] = {"ehlo_name": "leadbus.example", "tls": "off"}
        smart_host = SmartHost("127.0.0.1", postfix.ports[listener], **(settings | host))
        self._hosts = SmartHosts([smart_host], size=size, max_transactions=max_transactions)

    async def send(
        self,
        recipient: str,
        raw: bytes = RAW,
        *,
        sender: str = SENDER,
        before_data: BeforeData = _nothing,
    ) -> Outcome:
        return (await self._hosts.send(Envelope(sender, recipient, raw), before_data)).outcome

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hosts.close()


async def send_once(postfix: NativePostfix, recipient: str, listener: str = "smtp", **host: Any) -> Outcome:
    """One mail over a connection of its own."""
    async with Client(postfix, listener, **host) as client:
        return await client.send(recipient)


async def arrived(postfix: NativePostfix, wanted: Iterable[bytes]) -> list[bytes]:
    """What is in its mailboxes once all of `wanted` is. Raises TimeoutError.

    One that is killed may deliver a mail twice: it knows no better than anybody whether it had done it.
    """
    missing = set(wanted)
    async with asyncio.timeout(_ARRIVAL_SECONDS):
        while True:
            mails = [mail.sent for mail in postfix.mails()]
            if missing <= set(mails):
                return mails
            await asyncio.sleep(0.05)
