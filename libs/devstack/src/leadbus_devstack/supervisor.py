"""`make up`: one background process that owns everything, and a foreground that shows it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from pydantic import SecretStr
from rich.console import Console

from leadbus_devstack import partners
from leadbus_devstack import stack as stacks
from leadbus_devstack.data import data_directory
from leadbus_devstack.endpoints import read_endpoints, write_private
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.examples import apply_examples
from leadbus_devstack.layout import Layout
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.progress import Steps
from leadbus_devstack.providers import Place
from leadbus_devstack.sandboxes import SANDBOXES
from leadbus_devstack.servers import start_servers
from leadbus_devstack.stack import PUSHING, Ports, Stack, take_port

_PORTS = Ports(
    ingest=8081,
    normalizer=8082,
    adf_mailer=8083,
    smtp=2525,
    smtp_control=2526,
    mail_in=2527,
    sandboxes={"virtualexpo": 8091, "bdk": 8092},
)
_AMQP_PORT, _MANAGEMENT_PORT, _POSTGRES_PORT = 5672, 15672, 5432
_START_SECONDS = 600.0
_STOP_SECONDS = 120.0
_WATCH_SECONDS = 0.5
_RESTART_PAUSE_SECONDS = 1.0
READY = "ready: everything runs"


class AlreadyRunningError(DevstackError):
    """Another supervisor of this checkout lives."""


def _take_lock(layout: Layout) -> None:
    """Ours until this process is gone: the file is left open on purpose."""
    layout.lock.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    if not _try_lock(lock):
        raise AlreadyRunningError("already up; `make down` ends it")
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def _try_lock(lock: int | IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def supervisor_pid(layout: Layout) -> int | None:
    """Process id of the living supervisor, or None."""
    if not layout.lock.exists():
        return None
    with layout.lock.open("r+") as lock:
        if _try_lock(lock):
            return None
        return int(lock.read() or 0) or None


def supervise(layout: Layout, out: Console) -> None:
    """Start everything, keep it alive until SIGTERM, stop everything. Runs in the background."""
    _take_lock(layout)
    steps = Steps(out)
    data = data_directory(layout)
    place = Place(
        data,
        layout.logs,
        take_port(_AMQP_PORT),
        take_port(_MANAGEMENT_PORT),
        take_port(_POSTGRES_PORT),
        compose=(layout.compose, "leadbus"),
        keep_data=True,
    )

    def migrate(postgres_url: str) -> None:
        stacks.migrate(postgres_url)
        steps("Postgres runs, three schemas migrated")

    servers = start_servers(place, durable=True, on_database=migrate)
    try:
        steps(f"servers run: {servers.description}")
        stack = Stack(
            servers,
            layout.logs,
            layout.mail,
            ports=_PORTS,
            pushing=PUSHING,
            takes_mail=True,
            partners=SANDBOXES,
            token_key=_token_key(layout),
        )
        with stacks.running(stack, steps):
            steps(f"examples/ applied: {apply_examples(layout.examples, stack.endpoints())}")
            partners.introduce(stack, layout.state / "partners")
            steps("connections to the sandboxes of partners applied")
            for source in PUSHING:
                stack.create_api_key(source)
            _publish_endpoints(layout, stack)
            steps(READY)
            _watch(layout, stack, out)
    finally:
        _withdraw_endpoints(layout)
        servers.stop(keep_data=True)


def _token_key(layout: Layout) -> SecretStr:
    """Kept, so that tokens of yesterday work today."""
    path = layout.state / "token-key"
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return SecretStr(path.read_text())


def _publish_endpoints(layout: Layout, stack: Stack) -> None:
    endpoints = stack.endpoints()
    write_private(layout.environment, endpoints.as_shell())
    write_private(layout.endpoints, endpoints.as_json())


def _withdraw_endpoints(layout: Layout) -> None:
    layout.endpoints.unlink(missing_ok=True)
    layout.environment.unlink(missing_ok=True)


def _watch(layout: Layout, stack: Stack, out: Console) -> None:
    """Start again whatever ends, as a platform would, until a signal raises Ended."""
    while True:
        time.sleep(_WATCH_SECONDS)
        dead = [process for process in _processes(stack) if not process.running]
        for process in dead:
            out.print(
                f"{process.name} ended with exit code {process.exit_code}; starting it again", highlight=False
            )
            time.sleep(_RESTART_PAUSE_SECONDS)
            process.start()
        if dead:
            _publish_endpoints(layout, stack)


def _processes(stack: Stack) -> list[GuardedProcess]:
    return [
        *stack.servers.processes(),
        stack.smtp.process,
        *(sandbox.process for sandbox in stack.sandboxes.values()),
        *(service.process for service in stack.services.values()),
    ]


def up(layout: Layout, out: Console) -> int:
    """Start the supervisor, show its progress until everything is ready, leave it running."""
    if supervisor_pid(layout) is not None:
        out.print("already up; `make down` ends it")
        return show(layout, out)
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.endpoints.unlink(missing_ok=True)
    with layout.supervisor_log.open("w+") as log:
        background = subprocess.Popen(
            [sys.executable, "-m", "leadbus_devstack", "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=layout.root,
        )
        try:
            ready = _follow(layout.supervisor_log, background, out)
        except BaseException:
            background.terminate()
            background.wait(_STOP_SECONDS)
            raise
    return show(layout, out) if ready else 1


def _follow(log: Path, background: subprocess.Popen[bytes], out: Console) -> bool:
    """Show the supervisor's lines as they come; True when it is ready, False when it gave up."""
    deadline = time.monotonic() + _START_SECONDS
    with log.open() as lines:
        while time.monotonic() < deadline:
            ended = background.poll() is not None
            while line := lines.readline():
                out.print(line.rstrip("\n"), highlight=False, markup=False, soft_wrap=True)
                if READY in line:
                    return True
            if ended:
                return False
            time.sleep(0.1)
    raise DevstackError(f"not ready after {_START_SECONDS:.0f} s", log=log)


def down(layout: Layout, out: Console) -> int:
    """End the supervisor and wait until everything is gone."""
    pid = supervisor_pid(layout)
    if pid is None:
        # A supervisor that was killed took everything with it but these.
        _withdraw_endpoints(layout)
        out.print("nothing is up")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while supervisor_pid(layout) is not None:
        if time.monotonic() > deadline:
            raise DevstackError(f"process {pid} did not end; see its log", log=layout.supervisor_log)
        time.sleep(0.1)
    out.print("everything stopped; data and mails are kept in .leadbus, `make clean` removes them")
    return 0


def show(layout: Layout, out: Console) -> int:
    """Print every address. 1 when nothing runs."""
    endpoints = read_endpoints(layout.endpoints)
    if endpoints is None or supervisor_pid(layout) is None:
        out.print("nothing is up; `make up` starts everything")
        return 1
    rows = {name: service["url"] for name, service in endpoints["services"].items()}
    rows |= {f"{name} docs": f"{url}/docs" for name, url in list(rows.items())}
    rows |= {
        "RabbitMQ": endpoints["amqp_url"],
        "management": endpoints["management_url"],
        "Postgres": endpoints["postgres_url"],
        "SMTP": f"{endpoints['smtp']['host']}:{endpoints['smtp']['port']}",
        "SMTP faults": endpoints["smtp"]["control_url"],
        "mail to ingest": endpoints["mail_in"],
        **{f"{name} sandbox": sandbox["control_url"] for name, sandbox in endpoints["sandboxes"].items()},
        "received mail": endpoints["mail_dir"],
        "API key": json.dumps(endpoints["api_keys"]),
        "all of it": f"{layout.endpoints}  (for a shell: . {layout.environment})",
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        out.print(f"{name:{width}}  {value}", highlight=False, markup=False, soft_wrap=True)
    return 0
