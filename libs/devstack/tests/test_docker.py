"""What can be told about Docker without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from leadbus_devstack import docker
from leadbus_devstack.layout import find_layout


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    docker.engine_version.cache_clear()
    yield
    docker.engine_version.cache_clear()


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_client_without_an_engine_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, monkeypatch, "echo Cannot connect to the Docker daemon >&2; exit 1")
    assert docker.engine_version() is None


def test_an_engine_that_answers_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, monkeypatch, "echo 28.3.1")
    assert docker.engine_version() == "28.3.1"


@pytest.mark.parametrize("file", ["deploy/compose/servers.yml", "docker-compose.yml"])
def test_compose_and_testcontainers_run_the_same_images(file: str) -> None:
    compose = yaml.safe_load((find_layout().root / file).read_text())
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert images["rabbitmq"] == docker.RABBITMQ_IMAGE
    assert images["postgres"] == docker.POSTGRES_IMAGE
    assert all(":" in image and not image.endswith(":latest") for image in images.values())
