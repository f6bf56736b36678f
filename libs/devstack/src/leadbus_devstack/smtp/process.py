"""The SMTP server as a process of its own, and its remote control."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import httpx2

from leadbus_devstack.ports import free_ports
from leadbus_devstack.probe import answer
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.smtp.faults import Faults
from leadbus_devstack.smtp.mailbox import Mailbox, StoredMail

_START_SECONDS = 30.0


class SmtpServer:
    """`start()` it, send mail to `host:port`, read `messages()`, misbehave with `control(...)`."""

    host = "127.0.0.1"

    def __init__(self, mail_dir: Path, log: Path, *, port: int = 0, control_port: int = 0) -> None:
        ports = free_ports(2)
        self.mail_dir = mail_dir
        self.port = port or ports[0]
        self.control_port = control_port or ports[1]
        self._mailbox = Mailbox(mail_dir)
        self.process = GuardedProcess(
            "SMTP server",
            [
                *(sys.executable, "-m", "leadbus_devstack.smtp"),
                *("--port", str(self.port), "--control-port", str(self.control_port)),
                *("--mail-dir", str(mail_dir)),
            ],
            log,
            dict(os.environ),
            grace_seconds=3,
        )

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"

    def start(self) -> None:
        """Returns when it accepts mail."""
        self.process.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        self.process.wait_until(self.ready, timeout_seconds=_START_SECONDS)

    def stop(self) -> None:
        self.process.stop()

    def ready(self) -> bool:
        return answer(self.control_port, "/status")[0] == 200

    def messages(self) -> list[StoredMail]:
        """All mails so far, oldest first."""
        return self._mailbox.messages()

    def control(self, **faults: Any) -> None:
        """Replace all faults by these (fields of `Faults`); without any, behave again."""
        body = Faults.model_validate(faults).model_dump(mode="json")
        httpx2.put(f"{self.control_url}/faults", json=body, timeout=5).raise_for_status()

    def reset(self) -> None:
        """No mails, no faults, no connections."""
        httpx2.post(f"{self.control_url}/reset", timeout=5).raise_for_status()
