"""A sandbox as a process of its own, and its remote control."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import httpx2

from leadbus_devstack.ports import free_ports
from leadbus_devstack.probe import answer
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.sandboxes.sandbox import CONTROL, Seen

_START_SECONDS = 30.0


class SandboxProcess:
    """`start()` it, point a service to `url`, misbehave with `control(...)`, look at `requests()`.

    What the partner takes as its key or secret is in `secret_file`, which is written beside the log.
    """

    def __init__(self, name: str, log: Path, *, port: int = 0) -> None:
        self.name = name
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.control_url = f"{self.url}{CONTROL}"
        self.secret = secrets.token_urlsafe(24)
        self.secret_file = log.with_suffix(".secret").absolute()
        self.process = GuardedProcess(
            f"sandbox of {name}",
            [
                *(sys.executable, "-m", "leadbus_devstack.sandboxes", name),
                *("--port", str(self.port), "--secret-file", str(self.secret_file)),
            ],
            log,
            dict(os.environ),
            grace_seconds=3,
        )

    def start(self) -> None:
        """Returns when it answers."""
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Start without waiting; see `wait_ready`."""
        self.secret_file.parent.mkdir(parents=True, exist_ok=True)
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret)
        self.process.start()

    def wait_ready(self) -> None:
        self.process.wait_until(self.ready, timeout_seconds=_START_SECONDS)

    def ready(self) -> bool:
        return answer(self.port, f"{CONTROL}/status")[0] == 200

    def stop(self) -> None:
        """Nobody listens any more: connections are refused until `start`."""
        self.process.stop()

    def control(self, **faults: Any) -> None:
        """Replace all faults by these; without any, behave again."""
        self.ask("PUT", "/faults", faults)

    def reset(self) -> None:
        """As it was started: no faults, no data, nothing asked so far."""
        self.ask("POST", "/reset")

    def requests(self) -> list[Seen]:
        """Every request of the partner's own paths since `reset`, oldest first."""
        return [Seen.model_validate(seen) for seen in self.ask("GET", "/requests")]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Further control of the partner; the answer's JSON, None without any."""
        answered = httpx2.request(method, self.control_url + path, json=body, timeout=10)
        answered.raise_for_status()
        return answered.json() if answered.content else None
