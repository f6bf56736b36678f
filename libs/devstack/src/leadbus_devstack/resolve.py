"""Where each server comes from: a URL, a Docker engine, native programs, or words that say what to do."""

from __future__ import annotations

import enum
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack import apt, docker, postfix, postgres, rabbitmq
from leadbus_devstack.errors import ServerMissingError

AMQP_URL = "LEADBUS_TEST_AMQP_URL"
MANAGEMENT_URL = "LEADBUS_TEST_MANAGEMENT_URL"
POSTGRES_URL = "LEADBUS_TEST_POSTGRES_URL"
FORCE = "LEADBUS_DEVSTACK"

_PACKAGES = {"RabbitMQ": "rabbitmq-server", "Postgres": "postgresql", "Postfix": "postfix"}
# Without a configuration of the system's, no boot ever starts one.
_ANSWERS = {"Postfix": ["postfix postfix/main_mailer_type select No configuration"]}
_HOMEBREW = {"RabbitMQ": "rabbitmq", "Postgres": "postgresql@17"}
_VARIABLES = {"RabbitMQ": f"{AMQP_URL} and {MANAGEMENT_URL}", "Postgres": POSTGRES_URL}


class Way(enum.StrEnum):
    """How a server is got, in the order of preference."""

    URL = "url"
    DOCKER = "docker"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Source:
    """One server's resolved way. `detail` is what a person wants to know: version, or where it is."""

    server: str
    way: Way
    detail: str

    def __str__(self) -> str:
        return f"{self.server} {self.detail} ({self.way})"


def forced_way() -> Way | None:
    """LEADBUS_DEVSTACK=url|docker|native leaves only that way. Raises ServerMissingError for another word."""
    word = os.environ.get(FORCE, "auto")
    if word in ("", "auto"):
        return None
    try:
        return Way(word)
    except ValueError:
        raise ServerMissingError(f"{FORCE}={word}: must be auto, {', '.join(Way)}") from None


def resolve_rabbitmq(*, use_url: bool = True) -> Source:
    """Decides without starting anything, but installs packages when that is the way and it is allowed.

    `use_url=False` asks for a server of our own, which may be killed. Raises ServerMissingError.
    """
    given = bool(os.environ.get(AMQP_URL)) and use_url
    if given and not os.environ.get(MANAGEMENT_URL):
        raise ServerMissingError(f"{AMQP_URL} is set and {MANAGEMENT_URL} is not: both are needed")
    return _resolve("RabbitMQ", given=given, find=lambda: _version_of(rabbitmq.find_programs()))


def resolve_postgres(*, use_url: bool = True) -> Source:
    """As `resolve_rabbitmq`."""
    given = bool(os.environ.get(POSTGRES_URL)) and use_url
    return _resolve("Postgres", given=given, find=lambda: _version_of(postgres.find_programs()))


def resolve_postfix() -> Source:
    """A Postfix for tests: always the native program, run by root, never somebody else's server.

    Installs it when that is allowed. Raises ServerMissingError.
    """
    forced = forced_way()
    if forced not in (None, Way.NATIVE):
        raise ServerMissingError(
            f"No Postfix to be had: {FORCE}={forced} leaves no way, it comes as native only"
        )
    if os.geteuid() != 0:
        raise ServerMissingError(
            "No Postfix to be had: its programs change their user, so root has to run them"
        )

    def find() -> str | None:
        return _version_of(postfix.find_programs())

    version = find() or _install("Postfix", find)
    if version is None:
        raise ServerMissingError(
            f"No Postfix to be had: apt-get install {_PACKAGES['Postfix']}, answering «No configuration»"
            " (Leadbus does it by itself unless LEADBUS_NO_INSTALL=1, or another mail server is installed)"
        )
    return Source("Postfix", Way.NATIVE, version)


def _version_of(
    programs: rabbitmq.RabbitMQPrograms | postgres.PostgresPrograms | postfix.PostfixPrograms | None,
) -> str | None:
    return programs.version if programs else None


def _resolve(server: str, *, given: bool, find: Callable[[], str | None]) -> Source:
    forced = forced_way()
    if given and forced in (None, Way.URL):
        return Source(server, Way.URL, "from the environment")
    if forced in (None, Way.DOCKER) and docker.engine_version() is not None:
        image = docker.RABBITMQ_IMAGE if server == "RabbitMQ" else docker.POSTGRES_IMAGE
        return Source(server, Way.DOCKER, image)
    if forced in (None, Way.NATIVE):
        version = find() or _install(server, find)
        if version is not None:
            return Source(server, Way.NATIVE, version)
    raise ServerMissingError(_what_to_do(server, forced))


def _install(server: str, find: Callable[[], str | None]) -> str | None:
    if not apt.allowed():
        return None
    with apt.one_at_a_time():
        if (found := find()) is not None:
            return found
        # A name that nobody could foresee: root writes there, and anybody may leave a link in /tmp.
        handle, log = tempfile.mkstemp(prefix="leadbus-apt-", suffix=".log")
        os.close(handle)
        apt.install([_PACKAGES[server]], Path(log), answers=_ANSWERS.get(server, ()))
    return find()


def _what_to_do(server: str, forced: Way | None) -> str:
    only = f" ({FORCE}={forced} leaves no other way)" if forced else ""
    return (
        f"No {server} to be had{only}. One of these helps:\n"
        f"  - Debian or Ubuntu: sudo apt-get install {_PACKAGES[server]}"
        f" (as root, Leadbus does it by itself unless LEADBUS_NO_INSTALL=1)\n"
        f"  - macOS: brew install {_HOMEBREW[server]}\n"
        "  - a running Docker engine (the client alone is not enough)\n"
        f"  - a server of yours: set {_VARIABLES[server]}"
    )
