"""The command line of a service, in this process: what it prints and how it ends before anything runs."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from leadbus import log
from leadbus.db import Database, Schema, schema_state
from leadbus.service import EXIT_SETTINGS, EXIT_START, Service, main
from leadbus.settings.environment import SettingsError

Run = Callable[..., int]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    log.unconfigured()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module: Any = importlib.import_module("tiny.__main__")

    for name, value in {
        "DATABASE_URL": "postgresql://user:geheim@127.0.0.1:1/none",
        "AMQP_URL": "amqp://127.0.0.1:1",
        "TOKEN_KEY": "k" * 32,
    }.items():
        monkeypatch.setenv(f"TINY_{name}", value)
    return module


def run(tiny: Any, command: str = "run") -> int:
    with pytest.raises(SystemExit) as ended:
        main(tiny.build, tiny.TinySettings, [command])
    return int(ended.value.code or 0)


def test_a_port_in_use_is_said_plainly(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("TINY_HTTP_PORT", str(port))
        assert run(tiny) == EXIT_START
    assert capsys.readouterr().err == f"tiny: cannot listen on 127.0.0.1 port {port}: it is in use\n"


def test_wrong_settings_are_named_without_their_values(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TINY_TOKEN_KEE", "planted-secret")
    monkeypatch.setenv("TINY_HTTP_PORT", "70000")
    monkeypatch.delenv("TINY_AMQP_URL")
    assert run(tiny) == EXIT_SETTINGS
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "TINY_TOKEN_KEE is not a setting, did you mean TINY_TOKEN_KEY?" in said
    assert "TINY_HTTP_PORT" in said
    assert "TINY_AMQP_URL is missing" in said
    assert "planted" not in said
    assert "70000" not in said


def test_an_act_longer_than_the_drain_is_a_wrong_setting(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TINY_DRAIN_SECONDS", "4")
    assert run(tiny) == EXIT_SETTINGS
    assert "DRAIN_SECONDS (4) is shorter than the longest act (5)" in capsys.readouterr().err


def test_times_nest_as_shipped(tiny: Any) -> None:
    """act <= drain < grace, for the defaults; a deployment's own values are checked at its start."""
    settings = tiny.TinySettings.for_documents()
    assert settings.drain_seconds < settings.grace_seconds
    with pytest.raises(SettingsError):
        Service("tiny", "tiny", settings, act_timeout_seconds=settings.drain_seconds + 0.1)
    Service("tiny", "tiny", settings, act_timeout_seconds=settings.drain_seconds)


def test_config_prints_the_settings_in_force_without_secrets(
    tiny: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny, "config") == 0
    said = capsys.readouterr().out
    assert "TINY_DATABASE_URL=[redacted]" in said
    assert "TINY_HTTP_PORT=8080" in said
    assert "geheim" not in said


def test_openapi_and_the_reference_need_no_settings(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABASE_URL", "AMQP_URL", "TOKEN_KEY"):
        monkeypatch.delenv(f"TINY_{name}")
    assert run(tiny, "openapi") == 0
    assert json.loads(capsys.readouterr().out)["openapi"] == "3.1.0"
    assert run(tiny, "reference") == 0
    assert "| `TINY_DATABASE_URL` | required |" in capsys.readouterr().out


def test_migrate_brings_the_schema_up(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TINY_DATABASE_URL", database_url)
    assert run(tiny, "migrate") == 0
    assert run(tiny, "migrate") == 0, "a second time there is nothing to do"

    async def state() -> Schema:
        database = Database(database_url)
        await database.open()
        try:
            return await schema_state("tiny", database)
        finally:
            await database.close()

    assert asyncio.run(state()) is Schema.CURRENT
    assert "postgres" not in capsys.readouterr().err
