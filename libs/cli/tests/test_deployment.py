"""Where the command looks for services, tokens and keys."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from leadbus_cli import deployment
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError

WRITTEN: dict[str, Any] = {
    "amqp_url": "amqp://localhost:1",
    "management_url": "http://localhost:2",
    "services": {"ingest": {"url": "http://localhost:3", "pid": 7}, "normalizer": "http://localhost:4"},
    "tokens": {"viewer": "v", "admin": "a"},
}


def endpoints(folder: Path, content: object = WRITTEN) -> Path:
    path = folder / ".leadbus" / "endpoints.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_the_file_is_found_upward(tmp_path: Path) -> None:
    endpoints(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = Deployment.find({}, below)
    assert found.services == {"ingest": "http://localhost:3", "normalizer": "http://localhost:4"}
    assert (found.token, found.amqp_url, found.management_url) == (
        "a",
        "amqp://localhost:1",
        "http://localhost:2",
    )


def test_the_environment_wins_value_by_value(tmp_path: Path) -> None:
    endpoints(tmp_path)
    found = Deployment.find(
        {"LEADBUS_INGEST_URL": "http://other", "LEADBUS_ADF_MAILER_URL": "http://adf", "LEADBUS_TOKEN": "t"},
        tmp_path,
    )
    assert found.services == {
        "ingest": "http://other",
        "normalizer": "http://localhost:4",
        "adf-mailer": "http://adf",
    }
    assert (found.token, found.amqp_url) == ("t", "amqp://localhost:1")
    assert [sink.name for sink in found.sinks()] == ["adf-mailer"]


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints(tmp_path)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(deployment, "_ROOT", owner + 1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CliError, match="belongs to somebody else"):
        Deployment.find({"LEADBUS_TOKEN": "t"}, tmp_path)


def test_without_anything_each_need_says_what_to_set(tmp_path: Path) -> None:
    found = Deployment.find({}, tmp_path)
    with pytest.raises(CliError, match="LEADBUS_NORMALIZER_URL"):
        found.service("normalizer")
    with pytest.raises(CliError, match="LEADBUS_INGEST_URL"):
        found.all()
    with pytest.raises(CliError, match="LEADBUS_ADF_MAILER_URL"):
        found.sinks()


def test_the_token_key_comes_from_the_environment_a_file_or_beside_the_endpoints(tmp_path: Path) -> None:
    path = endpoints(tmp_path)
    assert Deployment.find({}, tmp_path).token_key is None
    path.with_name("token-key").write_text("beside\n", "utf-8")
    named = tmp_path / "key"
    named.write_text("named\n", "utf-8")
    assert Deployment.find({}, tmp_path).token_key == "beside"
    assert Deployment.find({"LEADBUS_TOKEN_KEY_FILE": str(named)}, tmp_path).token_key == "named"
    assert Deployment.find({"LEADBUS_TOKEN_KEY": "given"}, tmp_path).token_key == "given"
    with pytest.raises(CliError, match="cannot be read"):
        Deployment.find({"LEADBUS_TOKEN_KEY_FILE": str(tmp_path / "nowhere")}, tmp_path)


@pytest.mark.parametrize("text", ["not json", "[]", "\x00"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: str) -> None:
    endpoints(tmp_path).write_text(text, "utf-8")
    with pytest.raises(CliError, match=r"endpoints\.json"):
        Deployment.find({}, tmp_path)


@pytest.mark.parametrize("content", [{}, {"services": [], "tokens": 1}, {"services": {"ingest": {}}}])
def test_an_odd_file_names_nothing(tmp_path: Path, content: object) -> None:
    endpoints(tmp_path, content)
    assert Deployment.find({}, tmp_path).services == {}
