"""Listens for mail servers, on the ports that are set."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from leadbus import pulse
from leadbus.log import logger
from leadbus.mailin import metrics
from leadbus.mailin.certificate import Certificate
from leadbus.mailin.connection import Connection, connection_of
from leadbus.mailin.refusal import MailReason
from leadbus.mailin.room import Mailroom
from leadbus.mailin.spool import Budget

_log = logger("mail")


@dataclass(frozen=True, slots=True)
class Rules:
    """What every connection is held to."""

    hostname: str
    size_limit_bytes: int
    held_bytes: int
    most_connections: int
    idle_seconds: float
    transfer_seconds: float
    tls_required: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """Where a service listens, as its environment sets it. ``ports``: by protocol, None where it is not.

    ``certificate`` are the files of certificate and key, ``variables`` what they are called in errors.
    """

    host: str
    ports: Mapping[str, int | None]
    rules: Rules
    certificate: tuple[Path, Path] | None = None
    variables: str = "the certificate's files"


class Listener:
    """All mail connections of this process. ``ports``: by protocol, `smtp` or `lmtp`; 0 takes a free one."""

    def __init__(
        self,
        mailroom: Mailroom[Any],
        rules: Rules,
        *,
        host: str,
        ports: Mapping[str, int],
        certificate: Certificate | None = None,
    ) -> None:
        self.mailroom = mailroom
        self.rules = rules
        self.budget = Budget(rules.held_bytes)
        self.draining = False
        self._host = host
        self._ports = ports
        self._certificate = certificate
        self._servers: dict[str, asyncio.Server] = {}
        self._connections: set[Connection] = set()
        self._freed = asyncio.Event()

    @classmethod
    def of(cls, door: Door, mailroom: Mailroom[Any]) -> Listener | None:
        """None where no port is set. Raises SettingsError for its certificate."""
        ports = {protocol: port for protocol, port in door.ports.items() if port is not None}
        if not ports:
            return None
        certificate = Certificate(*door.certificate, door.variables) if door.certificate else None
        return cls(mailroom, door.rules, host=door.host, ports=ports, certificate=certificate)

    async def run(self) -> None:
        """Listen until cancelled. A port that is taken is an OSError; whoever runs this tries again."""
        pulse.rest()
        try:
            await self.open()
            await asyncio.Event().wait()
        finally:
            self.close()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for protocol, port in self._ports.items():
            server = await loop.create_server(partial(connection_of, self, protocol), self._host, port)
            self._servers[protocol] = server
            _log.info("mail.listening", protocol=protocol, port=self.port(protocol))

    def port(self, protocol: str) -> int:
        """Where a protocol is listened for."""
        return int(self._servers[protocol].sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections, and end those there are."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.end(MailReason.DRAINING)

    async def drain(self, seconds: float) -> None:
        """Take no more mails; those in hand are stored and answered, for as long as there is time."""
        self.draining = True
        self._stop_listening()
        for connection in list(self._connections):
            if not connection.in_hand:
                connection.end(MailReason.DRAINING)
        try:
            async with asyncio.timeout(seconds):
                while any(connection.in_hand for connection in self._connections):
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            _log.warning("mail.drain_cut_short")

    def tls_context(self) -> ssl.SSLContext | None:
        return self._certificate.context() if self._certificate else None

    @property
    def has_room(self) -> bool:
        """Whether one connection more may stay; it counts already."""
        return not self.draining and len(self._connections) <= self.rules.most_connections

    def connected(self, connection: Connection) -> None:
        """Told again for the same one when it begins to speak TLS."""
        self._connections.add(connection)
        self._measure()

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._freed.set()
        self._measure()

    def freed(self) -> None:
        """A mail that was in hand is answered or gone."""
        self._freed.set()

    def _stop_listening(self) -> None:
        while self._servers:
            self._servers.popitem()[1].close()

    def _measure(self) -> None:
        for protocol in self._ports:
            open_ = sum(connection.protocol == protocol for connection in self._connections)
            metrics.CONNECTIONS.labels(protocol=protocol).set(open_)
