"""The command line of a service: `run`, `migrate`, `openapi`, `config`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import uvloop

from leadbus import db, log
from leadbus.service.failure import EXIT_FAILED, EXIT_SETTINGS, EXIT_START, StartError
from leadbus.service.lifecycle import Service
from leadbus.settings.environment import ServiceSettings, SettingsError
from leadbus.settings.reference import markdown_table, values_table

S = TypeVar("S", bound=ServiceSettings)


def main(
    build: Callable[[S], Service], settings_type: type[S], argv: Sequence[str] | None = None
) -> NoReturn:
    """What `python -m <service>` does; always ends by SystemExit.

    `build` wires the service from settings and does no I/O.
    """
    arguments = _parser(settings_type).parse_args(argv)
    try:
        _COMMANDS[arguments.command](build, settings_type)
    except SettingsError as error:
        _end(settings_type, f"wrong settings: {error}", EXIT_SETTINGS)
    except StartError as error:
        _end(settings_type, str(error), error.exit_code)
    sys.exit(0)


def _run(build: Callable[[S], Service], settings_type: type[S]) -> None:
    settings = settings_type.load()
    log.configure(_program(settings_type), settings.log_level)
    try:
        # Built inside the loop: what is wired may make events and locks.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(build, settings))
    except (SettingsError, StartError):
        raise
    except asyncio.CancelledError:
        _end(settings_type, "the drain was cut short by a second signal", EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 - the end of the process is the fate of what nobody handled
        log.logger("service").critical("service.failed", exc_info=error)
        _end(settings_type, f"start failed: {type(error).__name__}, see the log", EXIT_START)


async def _live(build: Callable[[S], Service], settings: S) -> None:
    await build(settings).run()


def _migrate(build: Callable[[S], Service], settings_type: type[S]) -> None:
    settings = settings_type.load()
    log.configure(_program(settings_type), settings.log_level)
    db.migrate(_built(build, settings).package, settings.database_url)


def _openapi(build: Callable[[S], Service], settings_type: type[S]) -> None:
    document = _built(build, settings_type.for_documents()).app.openapi()
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _config(_build: Callable[[S], Service], settings_type: type[S]) -> None:
    sys.stdout.write(values_table(settings_type.load()))


def _reference(_build: Callable[[S], Service], settings_type: type[S]) -> None:
    sys.stdout.write(markdown_table(settings_type))


_COMMANDS = {
    "run": _run,
    "migrate": _migrate,
    "openapi": _openapi,
    "config": _config,
    "reference": _reference,
}


def _built(build: Callable[[S], Service], settings: S) -> Service:
    async def wired() -> Service:
        return build(settings)

    return asyncio.run(wired())


def _parser(settings_type: type[ServiceSettings]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_program(settings_type))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("run", help="run the service until SIGTERM")
    commands.add_parser("migrate", help="bring the database schema up to this release")
    commands.add_parser("openapi", help="print the OpenAPI document")
    commands.add_parser("config", help="check the settings and print them, secrets redacted")
    commands.add_parser("reference", help="print every setting as a Markdown table")
    return parser


def _program(settings_type: type[ServiceSettings]) -> str:
    return str(settings_type.model_config.get("env_prefix", "")).rstrip("_").lower().replace("_", "-")


def _end(settings_type: type[ServiceSettings], reason: str, code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"{_program(settings_type)}: {reason}\n")
    sys.exit(code)
