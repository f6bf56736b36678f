"""Between processes and servers: a fault proxy for every connection that a service makes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from leadbus_devstack.fault_proxy import HOST, FaultProxy, Mode


class Server(StrEnum):
    """What services connect to."""

    RABBITMQ = "rabbitmq"
    POSTGRES = "postgres"
    SMTP = "smtp"


_URLS = {"AMQP_URL": (Server.RABBITMQ, 5672), "DATABASE_URL": (Server.POSTGRES, 5432)}


class Links:
    """The proxies of a system, by process and server."""

    def __init__(self) -> None:
        self._proxies: dict[tuple[str, Server], FaultProxy] = {}

    def lead(self, service: str, process: str, settings: Mapping[str, str]) -> dict[str, str]:
        """`settings` of `process` with every server behind a proxy of its own, which listens from now on.

        The way to the smart host is shared by all processes of a service: its address names the destination.
        """
        led = dict(settings)
        for name, (server, port) in _URLS.items():
            proxy = self._add(process, server, FaultProxy.before(settings[name], default_port=port))
            led[name] = proxy.url(settings[name])
        if "SMTP_HOST" in settings:
            shared = self._proxies.get((service, Server.SMTP)) or self._add(
                service, Server.SMTP, FaultProxy(settings["SMTP_HOST"], int(settings["SMTP_PORT"]))
            )
            led |= {"SMTP_HOST": HOST, "SMTP_PORT": str(shared.port)}
        return led

    def set(
        self,
        mode: Mode,
        *,
        server: Server | None = None,
        process: str | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        """Let the links to `server` and of `process` behave so; None means all.

        Raises ValueError where there is no such link.
        """
        concerned = [
            proxy
            for (owner, target), proxy in self._proxies.items()
            if server in (None, target) and process in (None, owner)
        ]
        if not concerned:
            raise ValueError(f"no link of {process or 'any process'} to {server or 'any server'}")
        for proxy in concerned:
            proxy.set(mode, delay_seconds=delay_seconds)

    def stop(self) -> None:
        """Idempotent."""
        for proxy in self._proxies.values():
            proxy.stop()

    def _add(self, process: str, server: Server, proxy: FaultProxy) -> FaultProxy:
        self._proxies[process, server] = proxy
        proxy.start()
        return proxy
