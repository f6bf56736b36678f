"""IMG: what the Dockerfile makes works where nothing may be written, as nobody, with no rights.

Its steps are carried out on this machine (scripts/rehearse_image.py); the base image is not what is tested.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leadbus_devstack.ports import free_ports

from scripts.check_deploy import code

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None,
        reason="a rehearsal of an image needs root, unshare and setpriv",
    ),
]

REHEARSE = [sys.executable, str(code.ROOT / "scripts" / "rehearse_image.py")]
PACKAGES = {"ingest": "ingest", "normalizer": "normalizer", "adf-mailer": "adf_mailer"}
KEY = "a-key-of-tests-that-has-32-bytes-or-more"
_DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def build(service: str) -> Path:
        if service not in made:
            folder = tmp_path_factory.mktemp("image") / service
            subprocess.run([*REHEARSE, "build", service, str(folder)], check=True, timeout=600)
            made[service] = folder
        return made[service]

    return build


def command(image: Path, environment: dict[str, str], *arguments: str) -> list[str]:
    variables = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    return [*REHEARSE, "run", str(image), *variables, "--", *arguments]


def environment(service: str, database_url: str, amqp_url: str, port: int) -> dict[str, str]:
    prefix = service.upper().replace("-", "_")
    settings = {
        "HTTP_HOST": "0.0.0.0",
        "HTTP_PORT": str(port),
        "DATABASE_URL": database_url,
        "AMQP_URL": amqp_url,
        "TOKEN_KEY": KEY,
    }
    if service == "adf-mailer":
        settings |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1", "FROM_ADDRESS": "leads@leadbus.example"}
    return {f"{prefix}_{name}": value for name, value in settings.items()}


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.parametrize("service", PACKAGES)
def test_img1_migrates_serves_and_ends_as_nobody(
    image: Callable[[str], Path], service: str, database_url: str, topology: Any
) -> None:
    folder, port = image(service), free_ports(1)[0]
    variables = environment(service, database_url, topology.amqp_url, port)
    subprocess.run(command(folder, variables, "migrate"), check=True, timeout=120)
    process = subprocess.Popen(command(folder, variables))
    try:
        until = time.monotonic() + _DEADLINE_SECONDS
        while not ready(port):
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < until, "it does not become ready"
            time.sleep(0.2)
        _alive(folder, variables)
    finally:
        process.send_signal(signal.SIGTERM)
        code_ = process.wait(_DEADLINE_SECONDS)
    assert code_ == 0


def _alive(folder: Path, variables: dict[str, str]) -> None:
    """The image's HEALTHCHECK, which shares the network with the service here as in a container."""
    own = json.loads((folder / "image.json").read_text())
    checked = [str(folder / "opt" / "leadbus" / "bin" / "python3"), str(folder / "opt/leadbus/bin/alive")]
    subprocess.run(checked, env=own["environment"] | variables, check=True, timeout=30)


def test_img2_the_command_of_jobs(image: Callable[[str], Path], clean_vhost: Any) -> None:
    variables = {
        "LEADBUS_AMQP_URL": clean_vhost.amqp_url,
        "LEADBUS_MANAGEMENT_URL": clean_vhost.management_url,
    }
    apply = command(image("cli"), variables, "topology", "apply", "--no-users")
    done = subprocess.run(apply, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "in force" in done.stdout) == (0, True), done.stderr


def test_img3_holds_no_development(image: Callable[[str], Path]) -> None:
    names = {path.name.split("-")[0] for path in image("ingest").glob("opt/leadbus/lib/*/site-packages/*")}
    assert {"ingest", "leadbus", "uvicorn"} <= names
    assert not names & {"leadbus_devstack", "leadbus_cli", "normalizer", "pytest", "mypy", "hypothesis"}


def test_img4_an_unknown_service_is_said(tmp_path: Path) -> None:
    build = [*REHEARSE, "build", "amocrm", str(tmp_path / "image")]
    done = subprocess.run(build, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "SERVICE=" in done.stderr
    assert not (tmp_path / "image").exists()
