"""The whole of Leadbus, running: servers given, everything else made here and removed again."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
from leadbus.web.tokens import sign_token
from pydantic import SecretStr

from leadbus_devstack import databases
from leadbus_devstack.broker_users import BrokerUsers
from leadbus_devstack.endpoints import Endpoints, SandboxEndpoint, ServiceEndpoint, SmtpEndpoint
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.links import Links
from leadbus_devstack.ports import free_ports, is_free
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.servers import Servers
from leadbus_devstack.services import SERVICES, ServiceName, ServiceProcess
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, vhost_named

Progress = Callable[[str], None]

TOKEN_LIFETIME_SECONDS = 30 * 24 * 3600.0
PUSHING = ("contactatonce", "alfatrack", "adf")
"""Sources that push: over HTTP with an API key, or to the queue as a broker user of their own."""
RETURN_PATH = "bounces@mail.leadbus.example"
_KEY_LABEL, _KEY_ACCOUNT = "devstack", "main"


@dataclass(frozen=True, slots=True)
class Ports:
    """Preferred ports; 0, or one that is taken, means any free one."""

    ingest: int = 0
    normalizer: int = 0
    adf_mailer: int = 0
    smtp: int = 0
    smtp_control: int = 0
    mail_in: int = 0
    bounces: int = 0
    sandboxes: Mapping[str, int] = field(default_factory=dict)

    def of(self, service: ServiceName) -> int:
        return take_port(int(getattr(self, service.package)))


def take_port(preferred: int) -> int:
    """`preferred` if nobody listens there, else a free one."""
    return preferred if preferred and is_free(preferred) else free_ports(1)[0]


@dataclass
class Stack:
    """One running system on `servers`.

    `name` tells it from others on the same servers: virtual host, databases and broker users carry it.
    An empty name takes the plain ones and is for servers of our own.
    """

    servers: Servers
    logs: Path
    mail_dir: Path
    name: str = ""
    ports: Ports = field(default_factory=Ports)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Further settings by service folder, without prefix: {"adf-mailer": {"SMTP_TIMEOUT_SECONDS": "5"}}."""
    replicas: int = 1
    """Processes of each service. The first bears the service's name, the others `<name>-2` and so on."""
    links: Links | None = None
    """With it, every connection of a service to a server goes through a fault proxy of its own."""
    pushing: Sequence[str] = PUSHING[:1]
    """Sources that have a broker user."""
    takes_mail: bool = False
    """Whether ingest takes mails; for one replica."""
    takes_bounces: bool = False
    """Whether adf-mailer takes bounces, at `RETURN_PATH`; for one replica."""
    partners: Sequence[str] = ()
    """Partners to have a sandbox of, by name: `SANDBOXES` for all. Ingest may ask them over plain http."""
    amqp_query: str = ""
    """Put behind the services' AMQP URL: "heartbeat=3"."""
    token_key: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_hex(32)))
    services: dict[str, ServiceProcess] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.smtp = SmtpServer(
            self.mail_dir,
            self.logs / "smtp.log",
            port=take_port(self.ports.smtp),
            control_port=take_port(self.ports.smtp_control),
        )
        self.sandboxes = {
            name: SandboxProcess(
                name,
                self.logs / f"sandbox-{name}.log",
                port=take_port(self.ports.sandboxes.get(name, 0)),
            )
            for name in self.partners
        }
        self.mail_in_port = take_port(self.ports.mail_in) if self.takes_mail else None
        self.bounce_port = take_port(self.ports.bounces) if self.takes_bounces else None
        self.vhost: Vhost = vhost_named(
            self.servers.amqp_url, self.servers.management_url, f"leadbus{self.name and '-' + self.name}"
        )
        self.user_prefix = f"{self.name}." if self.name else ""
        self._users = BrokerUsers(self.vhost, self.user_prefix)

    def database_url(self, service: ServiceName) -> str:
        name = database_name(service, self.name)
        return databases.with_database(self.servers.postgres_url, name)

    def apply_topology(self) -> None:
        """Virtual host, exchanges, queues, policies, and a broker user for each who connects."""
        self.vhost.create()
        run_apart(lambda: self._users.apply(publishers=self.pushing))

    def start_services(self) -> None:
        """SMTP server, sandboxes and the three services; returns when all are ready."""
        self.smtp.process.start()
        for sandbox in self.sandboxes.values():
            sandbox.begin()
        for service in SERVICES:
            for number in range(1, self.replicas + 1):
                process = self.service(service, number)
                self.services[replica_name(service.folder, number)] = process
                process.start()
        self.smtp.wait_ready()
        for sandbox in self.sandboxes.values():
            sandbox.wait_ready()
        for process in self.services.values():
            process.wait_ready()

    def service(self, service: ServiceName, number: int = 1) -> ServiceProcess:
        """One process of a service with its settings, not started; its links, if any, are up."""
        name = replica_name(service.folder, number)
        settings = self._settings(service)
        return ServiceProcess(
            service,
            self.ports.of(service) if number == 1 else take_port(0),
            settings if self.links is None else self.links.lead(service.folder, name, settings),
            self.logs / f"{name}.log",
        )

    def replicas_of(self, service: str) -> list[ServiceProcess]:
        """All processes of a service, by its folder."""
        return [self.services[replica_name(service, number)] for number in range(1, self.replicas + 1)]

    def _settings(self, service: ServiceName) -> dict[str, str]:
        settings = {
            "AMQP_URL": self._users.url(service.folder) + (self.amqp_query and f"?{self.amqp_query}"),
            "DATABASE_URL": self.database_url(service),
            "TOKEN_KEY": self.token_key.get_secret_value(),
        }
        if service.folder == "adf-mailer":
            settings |= {"SMTP_HOST": self.smtp.host, "SMTP_PORT": str(self.smtp.port), "SMTP_TLS": "off"}
            settings["FROM_ADDRESS"] = "leads@leadbus.example"
            if self.bounce_port is not None:
                settings |= {"RETURN_PATH": RETURN_PATH, "BOUNCE_SMTP_PORT": str(self.bounce_port)}
                settings["BOUNCE_KEY"] = sha256(f"bounce {settings['TOKEN_KEY']}".encode()).hexdigest()
        if service.folder == "normalizer":
            # The same at the next start, or all leads would be hashed anew.
            settings["FINDING_KEY"] = sha256(f"finding {settings['TOKEN_KEY']}".encode()).hexdigest()
            settings["OPT_IN_KEY"] = sha256(f"opt-in {settings['TOKEN_KEY']}".encode()).hexdigest()
        if service.folder == "ingest" and self.sandboxes:
            settings["PARTNERS_OVER_HTTP"] = "true"
        if service.folder == "ingest" and self.mail_in_port is not None:
            settings["MAIL_SMTP_PORT"] = str(self.mail_in_port)
        return settings | dict(self.settings.get(service.folder, {}))

    def token(self, role: str) -> str:
        """A bearer token that all three services accept."""
        return sign_token(self.token_key, f"devstack-{role}", role, ttl=TOKEN_LIFETIME_SECONDS)

    def create_api_key(self, source: str = PUSHING[0]) -> str:
        """A new key for `source`, which has to be set up by then; keys of earlier runs end with it.

        Raises DevstackError when ingest refuses.
        """
        for key in self._keys(source, "GET", "")["items"]:
            if key["label"] == _KEY_LABEL and key["state"] == "active":
                self._keys(source, "POST", f"/{key['key_id']}/revoke")
        made = self._keys(source, "POST", "", {"account": _KEY_ACCOUNT, "label": _KEY_LABEL})
        self.api_keys[source] = str(made["key"])
        return self.api_keys[source]

    def _keys(self, source: str, method: str, path: str, body: object = None) -> Any:
        answer = httpx2.request(
            method,
            f"{self.services['ingest'].url}/v1/sources/{source}/keys{path}",
            headers={"Authorization": f"Bearer {self.token('admin')}"},
            json=body,
            timeout=10,
        )
        if not answer.is_success:
            raise DevstackError(f"ingest gave no API key: {answer.status_code} {answer.text}")
        return answer.json()

    def endpoints(self) -> Endpoints:
        return Endpoints(
            servers=self.servers.description,
            amqp_url=self.vhost.amqp_url,
            management_url=self.vhost.management_url,
            vhost=self.vhost.name,
            postgres_url=self.servers.postgres_url,
            databases={service.package: self.database_url(service) for service in SERVICES},
            services={
                name: ServiceEndpoint(service.url, service.process.pid, str(service.process.log))
                for name, service in self.services.items()
            },
            smtp=SmtpEndpoint(self.smtp.host, self.smtp.port, self.smtp.control_url),
            mail_dir=str(self.mail_dir),
            mail_in=f"127.0.0.1:{self.mail_in_port}" if self.mail_in_port is not None else "",
            sandboxes={
                name: SandboxEndpoint(sandbox.url, sandbox.control_url, str(sandbox.secret_file))
                for name, sandbox in self.sandboxes.items()
            },
            tokens={role: self.token(role) for role in ("viewer", "operator", "admin")},
            api_keys=dict(self.api_keys),
            publishers={source: self._users.url(source) for source in self.pushing},
            supervisor_pid=os.getpid(),
            user_prefix=self.user_prefix,
        )

    def stop(self) -> None:
        """End the services, the SMTP server and the sandboxes, all at once. Idempotent."""
        self.smtp.process.request_stop()
        for sandbox in self.sandboxes.values():
            sandbox.process.request_stop()
        for service in self.services.values():
            service.process.request_stop()
        for service in self.services.values():
            service.stop()
        self.smtp.stop()
        for sandbox in self.sandboxes.values():
            sandbox.stop()
        if self.links is not None:
            self.links.stop()

    def remove(self) -> None:
        """Take databases, virtual host and users off the servers, for servers that go on living."""
        for service in SERVICES:
            databases.drop(self.servers.postgres_url, database_name(service, self.name))
        with contextlib.suppress(httpx2.HTTPError):
            self._users.delete()
            self.vhost.delete()


def replica_name(service: str, number: int) -> str:
    """The first process of a service bears its name alone."""
    return service if number == 1 else f"{service}-{number}"


def database_name(service: ServiceName, stack_name: str) -> str:
    """The service's package, preceded by the stack's name when it has one."""
    return f"leadbus_{stack_name}_{service.package}" if stack_name else service.package


def migrate(postgres_url: str, stack_name: str = "") -> None:
    """Create each service's database where there is none, and bring it to the newest schema."""
    for service in SERVICES:
        name = database_name(service, stack_name)
        databases.create(postgres_url, name)
        databases.migrate(service.package, databases.with_database(postgres_url, name))


@contextlib.contextmanager
def running(stack: Stack, progress: Progress = lambda _: None) -> Iterator[Stack]:
    """Topology and services started on migrated databases; services stopped at the end."""
    try:
        stack.apply_topology()
        progress("exchanges, queues, policies and broker users applied")
        stack.start_services()
        for name, service in stack.services.items():
            progress(f"{name} ready at {service.url}")
        progress(f"mail server ready at {stack.smtp.host}:{stack.smtp.port}")
        yield stack
    finally:
        stack.stop()
