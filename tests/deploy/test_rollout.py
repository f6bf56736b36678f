"""ROL: the order of a release, told to a kubectl that only writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.check_deploy import code
from scripts.check_deploy.manifests import STEPS

SCRIPT = code.ROOT / "deploy" / "k8s" / "rollout"
KUBECTL = """#!/bin/sh
echo "$@" >> "$TOLD"
case "$*" in *"$FAILS"*) exit 1 ;; esac
case "$*" in
    *"get deployment"*) echo deployment.apps/one; echo deployment.apps/two ;;
    *"get job"*) cat "$TOLD.look$(grep -c "get job" "$TOLD")" 2> /dev/null || echo one Complete ;;
esac
"""
SLEEP = """#!/bin/sh
echo "sleep $@" >> "$TOLD"
"""
COMPLETE = "one SuccessCriteriaMet Complete\ntwo Complete\n"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    for name, text in {"kubectl": KUBECTL, "sleep": SLEEP}.items():
        stub = tmp_path / name
        stub.write_text(text)
        stub.chmod(0o755)
    return tmp_path / "told"


def run(
    told: Path, *arguments: str, fails: str = "nothing that is asked", looks: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """`looks` are what is told of jobs, one look after the other; complete, when they are used up."""
    environment = {"PATH": f"{told.parent}:{os.environ['PATH']}", "TOLD": str(told), "FAILS": fails}
    for number, look in enumerate(looks, start=1):
        told.with_suffix(f".look{number}").write_text(look)
    return subprocess.run(
        [SCRIPT, *arguments], env=environment, check=False, timeout=60, capture_output=True, text=True
    )


def applied(told: Path) -> list[str]:
    return [line.rpartition("=")[2] for line in told.read_text().splitlines() if line.startswith("apply")]


def test_rol1_steps_in_their_order_each_awaited(told: Path) -> None:
    assert run(told, "deploy/k8s/overlays/example", "leads").returncode == 0
    assert tuple(applied(told)) == STEPS
    asked = told.read_text().splitlines()
    for step in ("migrate", "topology"):
        delete, apply, look = [line for line in asked if line.endswith(f"={step}") or f"={step} " in line]
        assert delete.startswith("--namespace leads delete job")
        assert apply.startswith("apply --server-side")
        assert look.startswith("--namespace leads get job")
    assert [line for line in asked if "rollout status" in line].count(
        "--namespace leads rollout status deployment.apps/two --timeout=15m"
    ) == 3


@pytest.mark.parametrize("fails", ["get job --selector leadbus.dev/step=migrate", "delete job"])
def test_rol2_what_does_not_come_about_ends_it(told: Path, fails: str) -> None:
    assert run(told, "overlay", "leads", fails=fails).returncode == 1
    assert "topology" not in applied(told)


def test_rol3_called_wrongly(told: Path) -> None:
    assert run(told, "overlay").returncode == 2
    assert not told.exists()


def test_rol4_a_job_is_waited_for_until_it_is_complete(told: Path) -> None:
    looks = ["one\ntwo\n", "one Complete\ntwo\n", "one Complete\ntwo SuccessCriteriaMet\n", COMPLETE]
    assert run(told, "overlay", "leads", looks=looks).returncode == 0
    asked = told.read_text().splitlines()
    assert asked.count("sleep 10") == len(looks) - 1
    assert tuple(applied(told)) == STEPS


def test_rol5_a_job_that_failed_ends_it_at_once_and_is_named(told: Path) -> None:
    ended = run(told, "overlay", "leads", looks=["one\ntwo\n", "one Complete\ntwo FailureTarget Failed\n"])
    assert ended.returncode == 1
    assert told.read_text().splitlines().count("sleep 10") == 1
    assert applied(told) == ["base", "migrate"]
    assert ended.stderr.splitlines() == [
        "job two: look at",
        "    kubectl --namespace leads logs --selector batch.kubernetes.io/job-name=two --prefix",
        "    kubectl --namespace leads describe job two",
        f"{SCRIPT}: two failed",
    ]


def test_rol6_a_job_that_does_not_end_is_given_up(told: Path) -> None:
    ended = run(told, "overlay", "leads", looks=["one\ntwo Complete\n"] * 180)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"{SCRIPT}: one not complete after 1800 seconds"


def test_rol7_no_job_at_all_is_a_mistake(told: Path) -> None:
    ended = run(told, "overlay", "leads", looks=[""])
    assert ended.returncode == 1
    assert ended.stderr == f"{SCRIPT}: no job of step migrate in namespace leads\n"
