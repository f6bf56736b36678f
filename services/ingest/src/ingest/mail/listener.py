"""Listens for mail servers, on the ports that are set."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from leadbus import pulse
from leadbus.log import logger

from ingest.mail import metrics
from ingest.mail.certificate import Certificate
from ingest.mail.connection import Connection, connection_of
from ingest.mail.mailroom import Mailroom
from ingest.mail.refusal import MailReason
from ingest.mail.spool import Budget
from ingest.settings import IngestSettings

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

    @classmethod
    def of(cls, settings: IngestSettings) -> Rules:
        return cls(
            hostname=settings.mail_hostname,
            size_limit_bytes=settings.mail_size_limit_bytes,
            held_bytes=settings.mail_held_bytes,
            most_connections=settings.mail_max_connections,
            idle_seconds=settings.mail_idle_seconds,
            transfer_seconds=settings.mail_transfer_seconds,
            tls_required=settings.mail_tls_required,
        )


class Listener:
    """All mail connections of this process. ``ports``: by protocol, `smtp` or `lmtp`; 0 takes a free one."""

    def __init__(
        self,
        mailroom: Mailroom,
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
    def of(cls, settings: IngestSettings, mailroom: Mailroom) -> Listener | None:
        """As the environment sets it, None where no port is set. Raises SettingsError for its certificate."""
        asked = {"smtp": settings.mail_smtp_port, "lmtp": settings.mail_lmtp_port}
        ports = {protocol: port for protocol, port in asked.items() if port is not None}
        if not ports:
            return None
        files = settings.mail_tls_certificate_file, settings.mail_tls_key_file
        certificate = Certificate(files[0], files[1]) if files[0] and files[1] else None
        return cls(
            mailroom, Rules.of(settings), host=settings.mail_host, ports=ports, certificate=certificate
        )

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
