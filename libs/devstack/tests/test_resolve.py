"""The order in which servers are looked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from leadbus_devstack import apt, docker, postfix, postgres, rabbitmq
from leadbus_devstack.errors import ServerMissingError
from leadbus_devstack.postfix import PostfixPrograms
from leadbus_devstack.postgres import PostgresPrograms
from leadbus_devstack.rabbitmq import RabbitMQPrograms
from leadbus_devstack.resolve import (
    AMQP_URL,
    FORCE,
    MANAGEMENT_URL,
    POSTGRES_URL,
    Way,
    resolve_postfix,
    resolve_postgres,
    resolve_rabbitmq,
)

_NATIVE_RABBITMQ = RabbitMQPrograms(Path("/x/rabbitmq-server"), Path("/x/rabbitmqctl"), "3.10.8")
_NATIVE_POSTGRES = PostgresPrograms(Path("/x"), "15.18")
_NATIVE_POSTFIX = PostfixPrograms(Path("/x"), Path("/x"), "postfix", "postdrop", "3.7.11")


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing given, no engine, nothing installed, nothing may be installed."""
    for variable in (AMQP_URL, MANAGEMENT_URL, POSTGRES_URL, FORCE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(docker, "engine_version", lambda: None)
    monkeypatch.setattr(rabbitmq, "find_programs", lambda: None)
    monkeypatch.setattr(postgres, "find_programs", lambda: None)
    monkeypatch.setattr(postfix, "find_programs", lambda: None)
    monkeypatch.setattr(apt, "one_at_a_time", contextlib.nullcontext)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(apt, "allowed", lambda: False)


def test_a_url_goes_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AMQP_URL, "amqp://x")
    monkeypatch.setenv(MANAGEMENT_URL, "http://x")
    monkeypatch.setenv(POSTGRES_URL, "postgresql://x")
    monkeypatch.setattr(docker, "engine_version", lambda: "28.0")
    assert resolve_rabbitmq().way is Way.URL
    assert resolve_postgres().way is Way.URL
    assert resolve_postgres(use_url=False).way is Way.DOCKER


def test_an_engine_that_answers_goes_before_native_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "engine_version", lambda: "28.0")
    monkeypatch.setattr(rabbitmq, "find_programs", lambda: _NATIVE_RABBITMQ)
    assert resolve_rabbitmq().way is Way.DOCKER
    assert resolve_rabbitmq().detail == docker.RABBITMQ_IMAGE


def test_native_programs_are_named_with_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "find_programs", lambda: _NATIVE_RABBITMQ)
    monkeypatch.setattr(postgres, "find_programs", lambda: _NATIVE_POSTGRES)
    assert str(resolve_rabbitmq()) == "RabbitMQ 3.10.8 (native)"
    assert str(resolve_postgres()) == "Postgres 15.18 (native)"


def test_what_is_missing_is_installed_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []

    def install(packages: list[str], log: Path, *, answers: Sequence[str]) -> None:
        assert not answers
        installed.extend(packages)
        monkeypatch.setattr(postgres, "find_programs", lambda: _NATIVE_POSTGRES)

    monkeypatch.setattr(apt, "allowed", lambda: True)
    monkeypatch.setattr(apt, "install", install)
    assert resolve_postgres().way is Way.NATIVE
    assert installed == ["postgresql"]


@pytest.mark.parametrize(
    ("resolve", "package", "variable"),
    [(resolve_rabbitmq, "rabbitmq-server", AMQP_URL), (resolve_postgres, "postgresql", POSTGRES_URL)],
)
def test_else_the_message_says_what_to_do(resolve: object, package: str, variable: str) -> None:
    assert callable(resolve)
    with pytest.raises(ServerMissingError) as missing:
        resolve()
    words = str(missing.value)
    assert f"apt-get install {package}" in words
    assert variable in words
    assert "Docker engine" in words


def test_one_url_without_the_other_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AMQP_URL, "amqp://x")
    with pytest.raises(ServerMissingError, match=MANAGEMENT_URL):
        resolve_rabbitmq()


def test_a_forced_way_leaves_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "find_programs", lambda: _NATIVE_RABBITMQ)
    monkeypatch.setenv(FORCE, "docker")
    with pytest.raises(ServerMissingError, match="LEADBUS_DEVSTACK=docker"):
        resolve_rabbitmq()
    monkeypatch.setenv(FORCE, "dokcer")
    with pytest.raises(ServerMissingError, match="must be auto, url, docker, native"):
        resolve_rabbitmq()


def test_postfix_is_installed_in_a_way_that_no_boot_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[str] = []

    def install(packages: list[str], log: Path, *, answers: Sequence[str]) -> None:
        assert packages == ["postfix"]
        answered.extend(answers)
        monkeypatch.setattr(postfix, "find_programs", lambda: _NATIVE_POSTFIX)

    monkeypatch.setattr(apt, "allowed", lambda: True)
    monkeypatch.setattr(apt, "install", install)
    assert str(resolve_postfix()) == "Postfix 3.7.11 (native)"
    assert answered == ["postfix postfix/main_mailer_type select No configuration"]


def test_what_another_worker_installed_meanwhile_is_not_installed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextlib.contextmanager
    def waiting() -> Iterator[None]:
        monkeypatch.setattr(postfix, "find_programs", lambda: _NATIVE_POSTFIX)
        yield

    monkeypatch.setattr(apt, "allowed", lambda: True)
    monkeypatch.setattr(apt, "one_at_a_time", waiting)
    monkeypatch.setattr(apt, "install", lambda *_, **__: pytest.fail("installed twice"))
    assert resolve_postfix().detail == "3.7.11"


@pytest.mark.parametrize(
    ("user", "forced", "words"),
    [
        (1000, "auto", "root has to run them"),
        (0, "docker", "LEADBUS_DEVSTACK=docker"),
        (0, "auto", "apt-get"),
    ],
)
def test_why_there_is_no_postfix_is_said(
    user: int, forced: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv(FORCE, forced)
    with pytest.raises(ServerMissingError, match=words):
        resolve_postfix()
