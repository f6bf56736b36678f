"""docker-compose.yml as a whole system, against the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.check_deploy.code import SERVICES, Program, complaints

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
_SOME_VALUE = "some-value-of-more-than-32-characters"
# What only a person knows; a value of the right form stands for it.
_EXAMPLES = {"ADF_MAILER_FROM_ADDRESS": "leads@leadbus.example", "ADF_MAILER_SMTP_HOST": "smtp.example.net"}
_OURS = "leadbus/"


def read(path: Path) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def example_names(path: Path) -> set[str]:
    """Variables that .env.example names, also those that are commented out."""
    return set(re.findall(r"(?m)^#?([A-Z][A-Z0-9_]+)=", path.read_text("utf-8")))


def variables(path: Path) -> Mapping[str, bool]:
    """Variables that the file wants from .env, and whether it does without them."""
    found: dict[str, bool] = {}
    for name, sign, _ in _VARIABLE.findall(path.read_text("utf-8")):
        found[name] = found.get(name, True) and sign == "-"
    return found


def all_complaints(compose: Mapping[str, Any]) -> Iterator[str]:
    services: Mapping[str, Any] = compose["services"]
    for missing in sorted(SERVICES.keys() - services.keys()):
        yield f"docker-compose.yml: there is no {missing}"
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            if other not in services:
                yield f"docker-compose.yml: {name} waits for {other}, which is not there"
        if service["image"].startswith(_OURS):
            yield from _of_ours(name, service)


def missing_names(file: Path, example: Path) -> Iterator[str]:
    for name, optional in variables(file).items():
        if not optional and name not in example_names(example):
            yield f"{file.name}: {name} is needed, and .env.example does not name it"


def _of_ours(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    where = f"docker-compose.yml: {name}"
    program = Program(
        where=where,
        name=resolved(service["image"]).removeprefix(_OURS).partition(":")[0],
        arguments=tuple(service.get("command", ())),
        environment={key: resolved(str(value)) for key, value in service.get("environment", {}).items()},
    )
    yield from complaints(program)
    if service.get("build", {}).get("args", {}).get("SERVICE") != program.name:
        yield f"{where}: builds another image than it runs"
    confined = service.get("read_only") and service.get("cap_drop") == ["ALL"]
    if not confined or "no-new-privileges:true" not in service.get("security_opt", ()):
        yield f"{where}: may write its root, gain rights or keeps capabilities"
    if program.runs:
        period = float(str(service.get("stop_grace_period", "10s")).removesuffix("s"))
        if period <= program.grace_seconds:
            yield f"{where}: killed after {period:g} s, and may need {program.grace_seconds:g} s to end"
        if not any(str(port).endswith(f":{program.port}") for port in service.get("ports", ())):
            yield f"{where}: port {program.port}, on which it listens, is not published"


def resolved(text: str) -> str:
    """With what compose would put in: the default, or some value where one is needed."""

    def value(found: re.Match[str]) -> str:
        name, sign, default = found.groups()
        return str(default) if sign == "-" else _EXAMPLES.get(name, _SOME_VALUE)

    return _VARIABLE.sub(value, text)
