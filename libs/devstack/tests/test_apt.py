"""Installing packages starts no service and leaves the policy for services as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from leadbus_devstack import apt
from leadbus_devstack.errors import DevstackError


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(apt, "_POLICY", path)
    return path


def record(monkeypatch: pytest.MonkeyPatch, policy: Path, codes: list[int]) -> list[Sequence[str]]:
    calls: list[Sequence[str]] = []

    def run(command: Sequence[str], output: object) -> int:
        assert "exit 101" in policy.read_text()
        assert os.access(policy, os.X_OK)
        calls.append(command)
        return codes.pop(0)

    monkeypatch.setattr(apt, "_apt", run)
    return calls


def test_services_are_forbidden_meanwhile_and_no_policy_stays(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record(monkeypatch, policy, [0])
    apt.install(["rabbitmq-server"], tmp_path / "log")
    assert [call[1] for call in calls] == ["install"]
    assert not policy.exists()


def test_a_policy_that_was_there_comes_back_also_after_failure(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o750)
    calls = record(monkeypatch, policy, [100, 0, 100])
    with pytest.raises(DevstackError, match="could not install postgresql"):
        apt.install(["postgresql"], tmp_path / "log")
    assert [call[1] for call in calls] == ["install", "update", "install"]
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o750


def test_it_can_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADBUS_NO_INSTALL", "1")
    assert not apt.allowed()


def test_nothing_is_removed_for_what_is_installed(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record(monkeypatch, policy, [0])
    apt.install(["postfix"], tmp_path / "log")
    assert "--no-remove" in calls[0]


def test_questions_are_answered_before(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    program = tmp_path / "debconf-set-selections"
    program.write_text(f"#!/bin/sh\ncat > {told}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def run(command: Sequence[str], output: object) -> int:
        assert told.read_text() == "a package/question select yes"
        return 0

    monkeypatch.setattr(apt, "_apt", run)
    apt.install(["a"], tmp_path / "log", answers=["a package/question select yes"])

    program.write_text("#!/bin/sh\necho unknown question >&2\nexit 1\n")
    with pytest.raises(DevstackError, match="unknown question"):
        apt.install(["a"], tmp_path / "log", answers=["b"])
    assert not policy.exists()


def test_one_installs_at_a_time() -> None:
    with apt.one_at_a_time():
        waits = "import fcntl, os; fcntl.flock(os.open('/var/lib/dpkg', 0), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        done = subprocess.run([sys.executable, "-c", waits], capture_output=True, text=True, check=False)
        assert "BlockingIOError" in done.stderr
