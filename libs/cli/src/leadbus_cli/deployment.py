"""Where the services are: from the environment, else from ``.leadbus/endpoints.json`` found upward."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadbus_cli.api import ServiceApi
from leadbus_cli.errors import CliError

SERVICES = ("ingest", "normalizer", "adf-mailer", "amocrm-sync", "dms-feed")
"""Every service there is or will be; a deployment need not run them all."""
_NO_SINKS = frozenset({"ingest", "normalizer"})
_FILE = Path(".leadbus") / "endpoints.json"
_ROOT = 0
_TOKEN_KEY = "token-key"  # noqa: S105 - name of a file


@dataclass(frozen=True, slots=True)
class Deployment:
    """URLs by service name, and what is needed to speak to them."""

    services: Mapping[str, str]
    token: str | None
    amqp_url: str | None
    management_url: str | None
    token_key: str | None
    user_prefix: str = ""
    """Stands before the names of our users on a broker that several deployments share."""

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None, start: Path | None = None) -> Deployment:
        """Each value from the environment, else from the file. Raises CliError when that is unreadable."""
        variables = os.environ if environment is None else environment
        path = _found(start or Path.cwd())
        written = _read(path) if path else {}
        services = {name: url for name, url in _urls(written).items() if url}
        services |= {name: url for name in SERVICES if (url := variables.get(variable_of(name)))}
        return cls(
            services=services,
            token=variables.get("LEADBUS_TOKEN") or _text(written.get("tokens"), "admin"),
            amqp_url=variables.get("LEADBUS_AMQP_URL") or _text(written, "amqp_url"),
            management_url=variables.get("LEADBUS_MANAGEMENT_URL") or _text(written, "management_url"),
            token_key=_token_key(variables, path),
            user_prefix=variables.get("LEADBUS_USER_PREFIX") or _text(written, "user_prefix") or "",
        )

    def broker(self) -> tuple[str, str]:
        """AMQP and management URL. Raises CliError when nobody said where the broker is."""
        if not self.amqp_url or not self.management_url:
            raise CliError(
                "where is the broker? Set LEADBUS_AMQP_URL and LEADBUS_MANAGEMENT_URL of a user that may "
                "configure it."
            )
        return self.amqp_url, self.management_url

    def service(self, name: str) -> ServiceApi:
        """The client of one service. Raises CliError when nobody said where it is."""
        if name not in self.services:
            raise CliError(
                f"where is {name}? Set {variable_of(name)}, "
                "or run where .leadbus/endpoints.json is (make up)."
            )
        return ServiceApi(name, self.services[name], self.token)

    def all(self) -> list[ServiceApi]:
        """Every service that this deployment runs. Raises CliError when there is none."""
        if not self.services:
            raise CliError(
                "where are the services? Set LEADBUS_INGEST_URL, LEADBUS_NORMALIZER_URL and the like, "
                "or run where .leadbus/endpoints.json is (make up)."
            )
        return [self.service(name) for name in self.services]

    def sinks(self, named: str | None = None) -> list[ServiceApi]:
        """The services that deliver: all, or the one that was named. Raises CliError when there is none."""
        if named is not None:
            return [self.service(named)]
        found = [self.service(name) for name in self.services if is_sink(name)]
        return found or [self.service("adf-mailer")]


def is_sink(service: str) -> bool:
    """Whether it delivers to the outside."""
    return service not in _NO_SINKS


def variable_of(service: str) -> str:
    """The variable that says where a service is."""
    return f"LEADBUS_{service.upper().replace('-', '_')}_URL"


def _found(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if (folder / _FILE).is_file():
            return folder / _FILE
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_uid not in (os.geteuid(), _ROOT):
            # Else whoever may write to a folder above us, such as /tmp, decides who gets our token.
            raise CliError(f"{path} belongs to somebody else, who could send your token anywhere")
        written = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{path} cannot be read: {type(error).__name__}") from None
    if not isinstance(written, dict):
        raise CliError(f"{path} holds no endpoints")
    return written


def _urls(written: Mapping[str, Any]) -> dict[str, str | None]:
    services = written.get("services")
    if not isinstance(services, Mapping):
        return {}
    return {
        name: value if isinstance(value, str) else _text(value, "url") for name, value in services.items()
    }


def _text(written: Any, name: str) -> str | None:
    value = written.get(name) if isinstance(written, Mapping) else None
    return value if isinstance(value, str) and value else None


def _token_key(variables: Mapping[str, str], endpoints: Path | None) -> str | None:
    if key := variables.get("LEADBUS_TOKEN_KEY"):
        return key
    named = variables.get("LEADBUS_TOKEN_KEY_FILE")
    path = Path(named) if named else endpoints.with_name(_TOKEN_KEY) if endpoints else None
    if path is None or not (named or path.exists()):
        return None
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise CliError(f"the token key in {path} cannot be read") from None
