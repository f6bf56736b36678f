"""A private RabbitMQ node from the programs of the operating system."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import free_ports, is_free
from leadbus_devstack.probe import answer
from leadbus_devstack.processes import GuardedProcess

# Debian's /usr/sbin wrapper lets only root and rabbitmq in, and becomes rabbitmq; these do not.
_HOMES = ("/usr/lib/rabbitmq", "/opt/homebrew/opt/rabbitmq", "/usr/local/opt/rabbitmq")
_ANSWER_SECONDS = 120.0  # a tool is an Erlang node of its own, and starts as slowly as the machine is busy
_START_SECONDS = 90.0
Resource = Literal["memory", "disk"]
_ALARMS: dict[Resource, tuple[str, str]] = {
    "memory": ("set_vm_memory_high_watermark", "0.0001"),
    "disk": ("set_disk_free_limit", "9000GB"),
}
_CALM = (("set_vm_memory_high_watermark", "0.4"), ("set_disk_free_limit", "50MB"))
_IN_USE = re.compile("eaddrinuse|address already in use", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RabbitMQPrograms:
    """Where the server is installed, and its version ("3.10.8")."""

    server: Path
    ctl: Path
    version: str


def find_programs() -> RabbitMQPrograms | None:
    """The installed RabbitMQ, or None."""
    for home in _HOMES:
        for folder in ("bin", "sbin"):
            server = Path(home, folder, "rabbitmq-server")
            if server.exists() and shutil.which("erl"):
                return RabbitMQPrograms(server, server.with_name("rabbitmqctl"), _version(server))
    return None


def _version(server: Path) -> str:
    found = re.search(r"rabbitmq_server-([0-9.]+)", str(server.resolve()))
    return found.group(1) if found else "unknown"


@dataclass
class NativeRabbitMQ:
    """One node in `directory`: data kept there, every listener on a port of its own on loopback.

    `small` keeps the number of scheduler threads down, for nodes that stand beside others. Nodes of a cluster
    share `cookie` and `epmd_port`, where somebody else runs epmd, and differ in `node`. `configuration` goes
    into rabbitmq.conf.
    """

    programs: RabbitMQPrograms
    directory: Path
    log: Path
    amqp_port: int = 0
    management_port: int = 0
    small: bool = True
    node: str = "leadbus"
    cookie: str = field(default="", repr=False)
    epmd_port: int = 0
    configuration: Mapping[str, str] = field(default_factory=dict)
    _process: GuardedProcess | None = field(default=None, repr=False)
    _environment: dict[str, str] = field(default_factory=dict, repr=False)
    _ports: tuple[int, ...] = ()
    _frozen: bool = False

    @property
    def name(self) -> str:
        """The node's name, as rabbitmqctl wants it."""
        return f"{self.node}@localhost"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.amqp_port}"

    @property
    def management_url(self) -> str:
        return f"http://guest:guest@127.0.0.1:{self.management_port}"

    @property
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._process is not None

    @property
    def process(self) -> GuardedProcess:
        if self._process is None:
            raise DevstackError("RabbitMQ was not started")
        return self._process

    def start(self, *, within_seconds: float = _START_SECONDS) -> None:
        """Start, or start again on the same ports with the same data; returns when it has booted.

        Raises DevstackError, naming the port when somebody else has it.
        """
        if self._process is None:
            self._prepare()
            self._process = GuardedProcess(
                "RabbitMQ", [str(self.programs.server)], self.log, self._environment, self.directory
            )
        logged_bytes = self.log.stat().st_size if self.log.exists() else 0
        self._process.start()
        try:
            self._process.wait_until(self.ready, timeout_seconds=within_seconds)
        except DevstackError as error:
            words = self.log.read_bytes()[logged_bytes:].decode("utf-8", "replace")
            # One busy listener ends the whole node, with pages of Erlang terms.
            if _IN_USE.search(words) and (taken := [port for port in self._ports if not is_free(port)]):
                raise DevstackError(f"RabbitMQ: port {taken[0]} is taken by another program") from error
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """kill -9 of the node, once the queues declared so far are sure to survive it (about 1.5 s)."""
        if not self._frozen:
            self.settle()
        self._frozen = False
        self.process.kill()

    def settle(self) -> None:
        """Have the registry of quorum queues written now.

        RabbitMQ writes it seconds late; a queue declared just before kill -9 would come back without its
        confirmed messages, and hang whoever asks it.
        """
        self.ctl("eval", "[ok = dets:sync(Table) || Table <- dets:all()].")

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nobody answers."""
        self._frozen = True
        self.process.freeze()

    def thaw(self) -> None:
        self._frozen = False
        self.process.thaw()

    def alarm(self, resource: Resource) -> None:
        """Raise the alarm of a full memory or disk: publishers are blocked. Returns when it is in force."""
        self.ctl(*_ALARMS[resource])
        self.process.wait_until(lambda: self._alarmed, timeout_seconds=_START_SECONDS)

    def calm(self) -> None:
        """End every alarm; returns when none is in force."""
        for command in _CALM:
            self.ctl(*command)
        self.process.wait_until(lambda: not self._alarmed, timeout_seconds=_START_SECONDS)

    @property
    def _alarmed(self) -> bool:
        path = "/api/health/checks/local-alarms"
        return answer(self.management_port, path, user="guest:guest")[0] == 503

    def ready(self) -> bool:
        """True when the node says that it has booted; its management listener alone proves little."""
        path = f"/api/health/checks/port-listener/{self.amqp_port}"
        return answer(self.management_port, path, user="guest:guest")[0] == 200

    def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl` on this node; its output. Raises DevstackError with its words when it fails."""
        return self._tell(self.programs.ctl, arguments)

    def queues(self, *arguments: str) -> str:
        """`rabbitmq-queues` on this node, as `ctl`."""
        return self._tell(self.programs.ctl.with_name("rabbitmq-queues"), arguments)

    def _tell(self, program: Path, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            [str(program), "--node", self.name, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise DevstackError(
                f"{program.name} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def _prepare(self) -> None:
        amqp, management, distribution, epmd = free_ports(4)
        self.amqp_port = self.amqp_port or amqp
        self.management_port = self.management_port or management
        own = () if self.epmd_port else (epmd,)
        self._ports = (self.amqp_port, self.management_port, distribution, *own)
        home = self.directory / "home"
        home.mkdir(parents=True, exist_ok=True)
        self._write_cookie(home / ".erlang.cookie")
        configuration = self.directory / "rabbitmq.conf"
        configuration.write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.amqp_port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n"
            "log.console = true\n"
            "log.console.level = warning\n"
            "log.file = false\n"
            # A developer's nearly full disk is no reason to block publishers.
            "disk_free_limit.absolute = 50MB\n"
            + "".join(f"{name} = {value}\n" for name, value in self.configuration.items())
        )
        plugins = self.directory / "enabled_plugins"
        plugins.write_text("[rabbitmq_management].\n")
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            # Fixed: the data directory is named after the node.
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(self.epmd_port or epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"
            + (" +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none" if self.small else ""),
        }

    def _write_cookie(self, path: Path) -> None:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(self.cookie or secrets.token_hex(20))
        path.chmod(0o400)
