"""A private Postgres from the programs of the operating system."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import free_ports
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.threads import run_apart

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """Folder of `initdb` and `postgres`, and their version ("15.18")."""

    folder: Path
    version: str


def find_programs() -> PostgresPrograms | None:
    """The newest installed Postgres server, or None."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True
    )
    on_path = shutil.which("postgres")
    folders = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return PostgresPrograms(folder, _version(folder))
    return None


def _version(folder: Path) -> str:
    words = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"(\d+(?:\.\d+)*)", words)
    return found.group(1) if found else "unknown"


@dataclass
class NativePostgres:
    """One cluster in `directory`, on loopback, superuser `postgres` without password.

    `durable=False` turns fsync off: for tests that never kill the server. `settings` win over ours.
    """

    programs: PostgresPrograms
    directory: Path
    log: Path
    port: int = 0
    durable: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    _process: GuardedProcess | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def process(self) -> GuardedProcess:
        if self._process is None:
            raise DevstackError("Postgres was not started")
        return self._process

    def start(self) -> None:
        """Create the cluster when there is none, start it (again), return when it answers."""
        if self._process is None:
            self.port = self.port or free_ports(1)[0]
            self._create_cluster()
            # Not the "smart" end of SIGTERM, which waits for every client to leave.
            self._process = GuardedProcess(
                "Postgres", self._command(), self.log, _environment(), self.directory, signal.SIGINT
            )
        # A pid file left by kill -9 stops the next start only if its number has been given to somebody else.
        self._process.start()
        self._process.wait_until(self.ready, timeout_seconds=_START_SECONDS)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        self.process.kill()

    def freeze(self) -> None:
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()

    def ready(self) -> bool:
        try:
            run_apart(self._ask)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        return True

    async def _ask(self) -> None:
        async with asyncio.timeout(2):
            connection = await asyncpg.connect(self.url)
            await connection.close()

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "max_connections": "300",
            "unix_socket_directories": "",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings |= self.settings
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        data = str(self._data)
        return [
            *_as_owner(),
            str(self.programs.folder / "postgres"),
            "-D",
            data,
            "-p",
            str(self.port),
            *flags,
        ]

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _create_cluster(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        if self._data.exists():
            shutil.rmtree(self._data)  # an initdb that was cut short
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody")
        command = [
            str(self.programs.folder / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "postgres",
            "-A",
            "trust",
        ]
        command += ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [*_as_owner(), *command],
            env=_environment(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise DevstackError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def _as_owner() -> list[str]:
    # Postgres refuses to run as root.
    if os.geteuid() != 0:
        return []
    group = "nogroup" if Path("/etc/debian_version").exists() else "nobody"
    return ["setpriv", "--reuid", "nobody", "--regid", group, "--clear-groups"]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "HOME": "/"}
