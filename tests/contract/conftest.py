"""Node packages for the tests that need them: pinned, installed once into the project's cache."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_CACHE = REPOSITORY / ".leadbus" / "cache" / "npm"
_PACKAGES = {"@asyncapi/parser": "3.6.3", "amqplib": "2.3.1"}
_INSTALL_SECONDS = 100


@pytest.fixture(scope="session")
def contracts() -> Path:
    return REPOSITORY / "docs" / "contracts"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """``node_modules`` with the pinned packages. Skips without Node; in CI with Node it must be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = None if _installed() else _install()
    if problem is not None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"npm could not install {_PACKAGES}: {problem}", pytrace=False)
        pytest.skip(f"npm could not install {_PACKAGES}: {problem}")
    return _CACHE / "node_modules"


def _installed() -> bool:
    for name, version in _PACKAGES.items():
        manifest = _CACHE / "node_modules" / name / "package.json"
        if not manifest.exists() or json.loads(manifest.read_text("utf-8"))["version"] != version:
            return False
    return True


def _install() -> str | None:
    wanted = {"private": True, "dependencies": _PACKAGES}
    (_CACHE / "package.json").write_text(json.dumps(wanted), "utf-8")
    try:
        run = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
            cwd=_CACHE,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_INSTALL_SECONDS} s"
    return None if run.returncode == 0 and _installed() else (run.stderr or run.stdout)[-500:]
