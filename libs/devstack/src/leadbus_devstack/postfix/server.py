"""A private Postfix from the programs of the operating system."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import free_ports
from leadbus_devstack.postfix.asked_servers import AskedServer
from leadbus_devstack.postfix.behaviours import LISTENERS
from leadbus_devstack.postfix.configuration import MAILBOX_UID, Instance
from leadbus_devstack.postfix.greylisting import Greylisting
from leadbus_devstack.postfix.logins import Logins
from leadbus_devstack.postfix.mails import DeliveredMail, read_mails
from leadbus_devstack.postfix.programs import PostfixPrograms
from leadbus_devstack.processes import POLL_SECONDS, GuardedProcess

_START_SECONDS = 30.0
# Of files where the name of the folder is all that tells mails apart from other things.
_QUEUES = ("incoming", "active", "deferred", "hold", "maildrop", "corrupt")
_UNDER_WAY = ("incoming", "active")
_BELONG_TO_MAIL_OWNER = (*_QUEUES, "bounce", "defer", "flush", "private", "saved", "trace")
_FOR_ALL_TO_REACH = {"public": 0o710, "maildrop": 0o730}


@dataclass
class NativePostfix:
    """One instance in `directory`: nothing of it is in /etc/postfix or /var, every port is on loopback.

    What it does is asked for by the recipient (`To`) or by the port (`ports["tls_only"]`, see `LISTENERS`).
    `certificate` is a PEM file with key and chain; without it no TLS is offered. `settings` win over ours.
    Root alone can run it: `master` gives each of its programs the rights of another user.
    """

    programs: PostfixPrograms
    directory: Path
    log: Path
    certificate: Path | None = None
    listeners: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Further ports beside `LISTENERS`."""
    ports: dict[str, int] = field(default_factory=dict)
    next_hop_port: int = 0
    bounces_port: int = 0
    """Reports to senders are sent there, whoever the sender is; nobody listens unless the test does."""
    settings: Mapping[str, str] = field(default_factory=dict)
    greylisting: Greylisting = field(default_factory=Greylisting)
    logins: Logins = field(default_factory=Logins)
    _instance: Instance | None = field(default=None, repr=False)
    _process: GuardedProcess | None = field(default=None, repr=False)
    _asked: list[AskedServer] = field(default_factory=list, repr=False)

    @property
    def port(self) -> int:
        return self.ports["smtp"]

    @property
    def instance(self) -> Instance:
        if self._instance is None:
            raise DevstackError("Postfix was not started")
        return self._instance

    @property
    def process(self) -> GuardedProcess:
        if self._process is None:
            raise DevstackError("Postfix was not started")
        return self._process

    def start(self) -> None:
        """Start, or start again with the same queue and ports; returns when it greets.

        Raises DevstackError, also for a user who is not root.
        """
        if os.geteuid() != 0:
            raise DevstackError("Postfix can only be started by root: its programs change their user")
        if self._process is None:
            self._prepare()
            command = [str(self.programs.daemons / "master"), "-s", "-c", str(self.instance.configuration)]
            self._process = GuardedProcess("Postfix", command, self.log, _environment(), self.directory)
        if not self._asked:
            self._asked = [
                AskedServer(self.instance.greylisting_port, self.greylisting.talk),
                AskedServer(self.instance.logins_port, self.logins.talk),
            ]
        self._process.start()
        self._process.wait_until(self.ready, timeout_seconds=_START_SECONDS)

    def stop(self) -> None:
        """At once: what is in the queue stays there."""
        if self._process is not None:
            self._process.stop()
        while self._asked:
            self._asked.pop().close()

    def kill(self) -> None:
        """kill -9 of all its programs."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: the kernel takes connections, nobody answers."""
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()

    def ready(self) -> bool:
        """True when it greets a client."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def reset(self) -> None:
        """No mails in queue and mailboxes, everybody is a stranger to greylisting, who logs in is heard."""
        # A mail under way would be delivered all the same, into the next test's mailbox.
        self._wait(lambda: not self._files(_UNDER_WAY), "mails are under way still", _START_SECONDS)
        self.greylisting.forget()
        self.logins.away = False
        self._tell("postsuper", "-d", "ALL")
        for mail in self.mails():
            mail.path.unlink()

    def mails(self, recipient: str | None = None) -> list[DeliveredMail]:
        """All that was delivered into mailboxes, oldest first; for `recipient` exactly, if given."""
        return read_mails(self.instance.mail, recipient)

    def queued(self) -> int:
        """Mails that it has taken and not yet done with, its own reports included."""
        return self._files(_QUEUES)

    def wait_for_mails(
        self, count: int, recipient: str | None = None, *, timeout_seconds: float = 30
    ) -> list[DeliveredMail]:
        """Returns when `mails` are `count` or more. Raises DevstackError when they do not come."""
        trouble = f"fewer than {count} mails were delivered"
        self._wait(lambda: len(self.mails(recipient)) >= count, trouble, timeout_seconds)
        return self.mails(recipient)

    def _wait(self, reached: Callable[[], bool], trouble: str, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not reached():
            if time.monotonic() > deadline:
                raise DevstackError(f"Postfix: {trouble}", log=self.log)
            time.sleep(POLL_SECONDS)

    def _files(self, queues: Sequence[str]) -> int:
        folders = [self.instance.queue / name for name in queues]
        return sum(1 for folder in folders for path in folder.rglob("*") if path.is_file())

    def _tell(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs.commands / command, "-c", self.instance.configuration, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DevstackError(f"{command}: {done.stderr.strip()}", log=self.log)

    def _prepare(self) -> None:
        listeners = {**LISTENERS, **self.listeners}
        next_hop, bounces, greylisting, logins, *own = free_ports(4 + len(listeners))
        for name, port in zip(listeners, own, strict=True):
            self.ports.setdefault(name, port)
        self.next_hop_port = self.next_hop_port or next_hop
        self.bounces_port = self.bounces_port or bounces
        self._instance = Instance(
            programs=self.programs,
            directory=self.directory,
            log=self.log,
            listeners={name: (self.ports[name], listeners[name]) for name in listeners},
            next_hop_port=self.next_hop_port,
            bounces_port=self.bounces_port,
            greylisting_port=greylisting,
            logins_port=logins,
            certificate=self.certificate,
            settings=self.settings,
        )
        self._instance.write()
        self._make_folders(self._instance)

    def _make_folders(self, instance: Instance) -> None:
        """As `postfix post-install` would, which also looks after the files of the system's instance."""
        owner, group = self.programs.mail_owner, self.programs.setgid_group
        (instance.queue / "pid").mkdir(parents=True, exist_ok=True)
        for folder in (instance.data, *(instance.queue / name for name in _BELONG_TO_MAIL_OWNER)):
            folder.mkdir(mode=0o700, exist_ok=True)
            shutil.chown(folder, owner)
        for name, mode in _FOR_ALL_TO_REACH.items():
            folder = instance.queue / name
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
            shutil.chown(folder, owner, group)
        instance.mail.mkdir(exist_ok=True)
        os.chown(instance.mail, MAILBOX_UID, MAILBOX_UID)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8"}
