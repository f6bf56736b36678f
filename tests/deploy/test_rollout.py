"""ROL: the order of a release, told to a kubectl that only writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.check_deploy import code
from scripts.check_deploy.manifests import STEPS

SCRIPT = code.ROOT / "deploy" / "k8s" / "rollout"
KUBECTL = """#!/bin/sh
echo "$@" >> "$TOLD"
case "$*" in *"$FAILS"*) exit 1 ;; esac
case "$*" in *"get deployment"*) echo deployment.apps/one; echo deployment.apps/two ;; esac
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    return tmp_path / "told"


def run(told: Path, *arguments: str, fails: str = "nothing that is asked") -> int:
    environment = {"PATH": f"{told.parent}:{os.environ['PATH']}", "TOLD": str(told), "FAILS": fails}
    return subprocess.run([SCRIPT, *arguments], env=environment, check=False, timeout=30).returncode


def test_rol1_steps_in_their_order_each_awaited(told: Path) -> None:
    assert run(told, "deploy/k8s/overlays/example", "leads") == 0
    asked = told.read_text().splitlines()
    applied = [line.rpartition("=")[2] for line in asked if line.startswith("apply")]
    assert tuple(applied) == STEPS
    for step in ("migrate", "topology"):
        delete, apply, wait = [line for line in asked if line.endswith(f"={step}") or f"={step} " in line]
        assert delete.startswith("--namespace leads delete job")
        assert apply.startswith("apply --server-side")
        assert "--for=condition=Complete" in wait
    assert [line for line in asked if "rollout status" in line].count(
        "--namespace leads rollout status deployment.apps/two --timeout=15m"
    ) == 3


def test_rol2_what_does_not_come_about_ends_it(told: Path) -> None:
    assert run(told, "overlay", "leads", fails="wait job --selector leadbus.dev/step=migrate") == 1
    applied = [line.rpartition("=")[2] for line in told.read_text().splitlines() if line.startswith("apply")]
    assert applied == ["base", "migrate"]


def test_rol3_called_wrongly(told: Path) -> None:
    assert run(told, "overlay") == 2
    assert not told.exists()
