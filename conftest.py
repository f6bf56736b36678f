"""What the tests of every package share: servers and processes from one place, and the seed of the run."""

from __future__ import annotations

import os
import secrets

pytest_plugins = ("leadbus_devstack.pytest_plugin", "leadbus_devstack.pytest_postfix")

SEED = "LEADBUS_GUARANTEES_SEED"


def pytest_configure() -> None:
    # Workers are started with this environment, so that all of them have the seed of the header.
    os.environ[SEED] = os.environ.get(SEED) or str(secrets.randbelow(10**6))


def pytest_report_header() -> str:
    """What repeats the decisions of random faults."""
    return f"random faults: {SEED}={os.environ[SEED]}"
