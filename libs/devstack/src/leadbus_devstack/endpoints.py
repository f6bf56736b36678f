"""What a running system can be reached by."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """`log` is a file; `pid` the process that a test may kill."""

    url: str
    pid: int
    log: str


@dataclass(frozen=True, slots=True)
class SmtpEndpoint:
    """`control_url` takes faults (docs in libs/devstack/README.md)."""

    host: str
    port: int
    control_url: str


@dataclass(frozen=True, slots=True)
class SandboxEndpoint:
    """A partner: where it is asked, where it is told to misbehave, and the file of the key that it takes."""

    url: str
    control_url: str
    secret_file: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Everything a person, a test or a publisher needs; development secrets included.

    `publishers`: AMQP URL by source, of a broker user that may publish `raw.<source>` and nothing else.
    `user_prefix` stands before the names of all broker users that are ours.
    `tokens`: bearer tokens by role. `api_keys`: ingest's keys by source. `mail_in`: host and port at which
    ingest takes mails, empty where it takes none.
    """

    servers: str
    amqp_url: str
    management_url: str
    vhost: str
    postgres_url: str
    databases: Mapping[str, str]
    services: Mapping[str, ServiceEndpoint]
    smtp: SmtpEndpoint
    mail_dir: str
    tokens: Mapping[str, str]
    api_keys: Mapping[str, str]
    publishers: Mapping[str, str]
    supervisor_pid: int
    user_prefix: str = ""
    sandboxes: Mapping[str, SandboxEndpoint] = field(default_factory=dict)
    mail_in: str = ""

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    def variables(self) -> dict[str, str]:
        """As environment variables: what the `leadbus` command and the README's examples read."""
        urls = {
            f"LEADBUS_{name.upper().replace('-', '_')}_URL": service.url
            for name, service in self.services.items()
        }
        sandboxes = {
            f"LEADBUS_SANDBOX_{name.upper()}_{what}": value
            for name, sandbox in self.sandboxes.items()
            for what, value in (("URL", sandbox.url), ("SECRET_FILE", sandbox.secret_file))
        }
        return {**urls, **sandboxes} | {
            "LEADBUS_AMQP_URL": self.amqp_url,
            "LEADBUS_MANAGEMENT_URL": self.management_url,
            "LEADBUS_USER_PREFIX": self.user_prefix,
            "LEADBUS_MAIL_IN": self.mail_in,
            "LEADBUS_TOKEN": self.tokens["admin"],
            "LEADBUS_API_KEY": next(iter(self.api_keys.values()), ""),
            "LEADBUS_PUBLISHER_URL": next(iter(self.publishers.values()), ""),
        }

    def as_shell(self) -> str:
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.variables().items())


def write_private(path: Path, text: str) -> None:
    """Replace `path` at once, readable by its owner alone: half a file is never seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    os.replace(unfinished, path)


def read_endpoints(path: Path) -> dict[str, Any] | None:
    """The file's content, or None when nothing runs."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content if isinstance(content, dict) else None
