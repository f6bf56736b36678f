"""Nothing of a guarded program outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.processes import GuardedProcess

# Leaves a daemon behind (its parent ends at once, its session is its own), as epmd does.
_WITH_DAEMON = "setsid sh -c 'sleep 1000 & echo $! > daemon' & wait; exec sleep 1000"


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def guarded(directory: Path, script: str, **options: float) -> GuardedProcess:
    return GuardedProcess(
        "program",
        ["sh", "-c", script],
        directory / "log",
        dict(os.environ),
        directory,
        grace_seconds=options.get("grace_seconds", 5),
    )


def daemon_of(directory: Path) -> int:
    assert eventually(
        lambda: (directory / "daemon").exists() and (directory / "daemon").read_text().endswith("\n")
    )
    return int((directory / "daemon").read_text())


def test_stop_ends_daemons_too(tmp_path: Path) -> None:
    process = guarded(tmp_path, _WITH_DAEMON)
    process.start()
    daemon = daemon_of(tmp_path)
    assert alive(daemon)
    process.stop()
    assert not alive(process.pid)
    assert not alive(daemon)
    assert not process.running


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_end_with_their_owner(tmp_path: Path, number: signal.Signals) -> None:
    script = textwrap.dedent(f"""
        import os, signal, time
        from pathlib import Path
        from leadbus_devstack.processes import GuardedProcess
        # A shell starts what runs in the background deaf to SIGINT, and its children with it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        here = Path({str(tmp_path)!r})
        GuardedProcess("x", ["sh", "-c", {_WITH_DAEMON!r}], here / "log", dict(os.environ), here).start()
        time.sleep(1000)
    """)
    owner = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    daemon = daemon_of(tmp_path)
    owner.send_signal(number)
    owner.wait(15)
    assert eventually(lambda: not alive(daemon))


def test_a_program_that_ends_by_itself_takes_its_daemons_along(tmp_path: Path) -> None:
    process = guarded(tmp_path, "setsid sh -c 'sleep 1000 & echo $! > daemon' & wait; exit 7")
    process.start()
    daemon = daemon_of(tmp_path)
    assert eventually(lambda: not process.running)
    assert process.exit_code == 7
    assert not alive(daemon)


def test_a_program_that_will_not_listen_is_killed(tmp_path: Path) -> None:
    process = guarded(tmp_path, "trap '' TERM; echo up; while :; do sleep 1; done", grace_seconds=0.2)
    process.start()
    assert eventually(lambda: "up" in process.log.read_text())
    process.stop()
    assert not alive(process.pid)


def test_a_frozen_program_can_be_stopped(tmp_path: Path) -> None:
    process = guarded(tmp_path, "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done")
    process.start()
    assert eventually(lambda: "up" in process.log.read_text())
    process.freeze()
    # D: stopped in the middle of starting a child, which is stopped too.
    assert eventually(lambda: _state(process.pid) in "TD")
    process.stop()
    assert process.exit_code == 3, "it was asked, not killed"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_kill_and_start_again(tmp_path: Path) -> None:
    process = guarded(tmp_path, _WITH_DAEMON)
    process.start()
    first, daemon = process.pid, daemon_of(tmp_path)
    process.kill()
    assert not alive(first)
    assert not alive(daemon)
    process.start()
    assert process.running
    assert process.pid != first
    process.stop()


def test_an_early_end_is_told_with_the_log(tmp_path: Path) -> None:
    process = guarded(tmp_path, "echo no such port; exit 4")
    process.start()
    with pytest.raises(DevstackError) as failure:
        process.wait_until(lambda: False, timeout_seconds=15)
    assert "exit code 4" in str(failure.value)
    assert "no such port" in failure.value.explain()


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    process = GuardedProcess("program", ["/nowhere/program"], tmp_path / "log", {}, tmp_path)
    with pytest.raises(DevstackError, match="/nowhere/program"):
        process.start()


def test_orphans_that_end_are_buried(tmp_path: Path) -> None:
    process = guarded(
        tmp_path, "for _ in 1 2 3; do setsid sh -c 'sleep 0 & exit 0'; done; echo up; exec sleep 1000"
    )
    process.start()
    assert eventually(lambda: "up" in process.log.read_text())
    assert eventually(lambda: [_state(pid) for pid in process.processes()] == ["S"])
    process.stop()
