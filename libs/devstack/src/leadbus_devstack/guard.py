"""Runs one program and leaves nothing of it behind, however its owner ends.

A stand-alone script of the standard library (started with `python -I -S guard.py`), because
it must start in milliseconds and outlive every mistake of its owner:

- It is a child subreaper, so daemons that the program leaves behind (epmd) become its
  children and are found without knowing their names.
- Its standard input is a pipe that only the owner holds open. End of file means that the owner
  asked for the end or is dead, kill -9 included.
- Program and guard have a session of their own: Ctrl-C in a terminal reaches the owner alone,
  and the owner decides the order in which things end.

Writes the program's process id as its first line of output, and ends with the program's exit code.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def descendants(root: int) -> list[int]:
    """Process ids below `root`, nearest first; read from /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue  # it ended between the listing and the reading
        children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def _die_with_guard() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_for_end(program: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _bury_orphans(program: int) -> None:
    """Reap what was left to us and has ended; the program's own end is left for its Popen."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == program:
            return
        os.waitpid(ended.si_pid, 0)


def _sweep() -> None:
    deadline = time.monotonic() + 10
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            _signal(pid, signal.SIGKILL)
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
        time.sleep(0.01)


def main(arguments: list[str]) -> int:
    """`guard.py STOP_SIGNAL GRACE_SECONDS COMMAND...`"""
    stop_signal, grace_seconds, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake_writer)

    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_guard,
        stdout=sys.stderr,
    )
    print(program.pid, flush=True)

    stopping = False
    while program.poll() is None and not stopping:
        ready, _, _ = select.select([0, wake_reader], [], [], 5)
        if 0 in ready and os.read(0, 4096) == b"":
            stopping = True
        if wake_reader in ready:
            stopping = any(byte != signal.SIGCHLD for byte in os.read(wake_reader, 4096)) or stopping
            _bury_orphans(program.pid)
    if program.poll() is None:
        _signal(program.pid, stop_signal)
        # A frozen (SIGSTOP) program hears nothing, and one with a frozen child may wait for it.
        for pid in descendants(os.getpid()):
            _signal(pid, signal.SIGCONT)
        _wait_for_end(program, grace_seconds)
    code = program.poll()
    _sweep()
    if code is None:
        return 128 + signal.SIGKILL
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
