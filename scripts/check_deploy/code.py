"""What the code says about deploying it: services, their settings and routes, the command's variables."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import typer
from adf_mailer.settings import AdfMailerSettings
from ingest.settings import IngestSettings
from leadbus.health import Health
from leadbus.settings.environment import ServiceSettings, SettingsError
from leadbus_cli import deployment
from leadbus_cli.main import app
from normalizer.settings import NormalizerSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES: Mapping[str, type[ServiceSettings]] = {
    "ingest": IngestSettings,
    "normalizer": NormalizerSettings,
    "adf-mailer": AdfMailerSettings,
}
CLI = "cli"
SERVICE_COMMANDS = frozenset({"run", "migrate"})
_SECRET = "a-secret-of-more-than-32-characters-" + "x" * 8
_FILE = "_FILE"


@dataclass(frozen=True, slots=True)
class Program:
    """What one container runs: image `leadbus/<name>`, its arguments, its environment.

    `files` are folders that exist in the container, `complete`: nothing is left to an overlay.
    """

    where: str
    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[str, ...] = ()
    complete: bool = True

    @property
    def runs(self) -> bool:
        """Whether it serves, rather than ends by itself."""
        return self.name in SERVICES and self.arguments in ((), ("run",))

    @property
    def port(self) -> int:
        return int(self._value("HTTP_PORT", "http_port"))

    @property
    def grace_seconds(self) -> float:
        return float(self._value("GRACE_SECONDS", "grace_seconds"))

    @property
    def host(self) -> str:
        return self._value("HTTP_HOST", "http_host")

    def _value(self, variable: str, field: str) -> str:
        settings = SERVICES[self.name]
        given = self.environment.get(f"{settings.model_config.get('env_prefix')}{variable}")
        return given or str(settings.model_fields[field].default)


def complaints(program: Program) -> Iterator[str]:
    """What is wrong with its arguments and environment."""
    if program.name == CLI:
        yield from _of_command(program)
    elif program.name in SERVICES:
        yield from _of_service(program)
    else:
        yield f"{program.where}: there is no service {program.name}"


def probe_paths() -> set[str]:
    """Paths that answer without a token."""
    return {str(route.path) for route in Health("deploy").router().routes if hasattr(route, "path")}


def members() -> set[str]:
    """Folders of the workspace."""
    return {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*/pyproject.toml")}


def service_folders() -> set[str]:
    return {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}


def _of_service(program: Program) -> Iterator[str]:
    if program.arguments and program.arguments[0] not in SERVICE_COMMANDS:
        yield f"{program.where}: {program.arguments[0]} is no command of a service"
    yield from _not_mounted(program)
    said = _load(SERVICES[program.name], program.environment)
    if said is None:
        if program.runs and program.host == "127.0.0.1":
            yield f"{program.where}: listens on loopback only, nothing outside of the container reaches it"
        return
    for complaint in said.split("; "):
        if program.complete or not complaint.endswith(" is missing"):
            yield f"{program.where}: {complaint}"


def _not_mounted(program: Program) -> Iterator[str]:
    for variable, value in program.environment.items():
        mounted = any(value.startswith(f"{folder}/") for folder in program.files)
        if variable.endswith(_FILE) and not mounted:
            yield f"{program.where}: {variable} names {value}, where nothing is mounted"


def _load(settings: type[ServiceSettings], environment: Mapping[str, str]) -> str | None:
    """What the settings themselves say of this environment; files that it names hold some secret."""
    with tempfile.NamedTemporaryFile("w", suffix=".secret") as secret:
        secret.write(_SECRET)
        secret.flush()
        shown = {name: secret.name if name.endswith(_FILE) else value for name, value in environment.items()}
        with mock.patch.dict(os.environ, shown, clear=True):
            try:
                settings.load()
            except SettingsError as error:
                return str(error)
    return None


def _of_command(program: Program) -> Iterator[str]:
    known = _command_variables()
    for variable in program.environment:
        if variable not in known:
            yield f"{program.where}: {variable} is no variable of the leadbus command"
    command: object = typer.main.get_command(app)
    words = iter(program.arguments)
    for word in words:
        nested = getattr(command, "commands", None)
        if nested is not None:
            if word not in nested:
                yield f"{program.where}: the leadbus command has no {word}"
                return
            command = nested[word]
        elif word.startswith("--"):
            options = {name for one in getattr(command, "params", ()) for name in one.opts}
            if word not in options:
                yield f"{program.where}: {' '.join(program.arguments)}: there is no {word}"
            next(words, None)
    if getattr(command, "commands", None) is not None:
        yield f"{program.where}: {' '.join(program.arguments) or 'nothing'} is no whole command"


def _command_variables() -> set[str]:
    source = Path(deployment.__file__).read_text("utf-8")
    named = set(re.findall(r'"(LEADBUS_[A-Z_]+)"', source))
    return named | {deployment.variable_of(service) for service in deployment.SERVICES}
