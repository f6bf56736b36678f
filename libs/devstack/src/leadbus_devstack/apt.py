"""Servers from the distribution's packages, installed without starting a service of the system."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from leadbus_devstack.errors import DevstackError

_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = "#!/bin/sh\n# No service is started while Leadbus installs packages.\nexit 101\n"


def allowed() -> bool:
    """True when this user may install packages here and nobody forbade it (LEADBUS_NO_INSTALL=1)."""
    forbidden = os.environ.get("LEADBUS_NO_INSTALL", "") not in ("", "0")
    return not forbidden and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], log: Path, *, answers: Sequence[str] = ()) -> None:
    """Install `packages`; their services stay stopped, and the policy for services stays as it was.

    `answers` are lines of debconf-set-selections, for packages that would ask. Nothing that is installed is
    removed for it. Raises DevstackError when apt fails.
    """
    print(
        f"installing {' '.join(packages)} with apt (once; LEADBUS_NO_INSTALL=1 forbids it)", file=sys.stderr
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    # A mail server conflicts with every other: not by us is somebody's taken away.
    command = ["apt-get", "install", "--yes", "--no-remove", "--no-install-recommends", *packages]
    with _services_forbidden(), log.open("ab") as output:
        if answers:
            _answer_beforehand(answers, log)
        # The lists may be fresh already; where they are missing, the first try fails at once.
        if _apt(command, output) != 0 and (_apt(["apt-get", "update"], output) or _apt(command, output)):
            raise DevstackError(f"apt-get could not install {' '.join(packages)}", log=log)


def _apt(command: Sequence[str], output: IO[bytes]) -> int:
    return subprocess.run(
        command,
        env=dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        check=False,
    ).returncode


def _answer_beforehand(answers: Sequence[str], log: Path) -> None:
    done = subprocess.run(
        ["debconf-set-selections"], input="\n".join(answers), text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise DevstackError(f"debconf-set-selections: {done.stderr.strip()}", log=log)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Held by one process of this machine at a time; test workers find the same thing missing at once."""
    # A lock of ours on the folder, not one of dpkg's own. It ends with the process, however that ends.
    folder = os.open("/var/lib/dpkg", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def _services_forbidden() -> Iterator[None]:
    """policy-rc.d says no to every service for the time being, and is put back as it was."""
    before = _POLICY.read_bytes() if _POLICY.exists() else None
    mode = _POLICY.stat().st_mode if before is not None else 0
    _POLICY.write_text(_FORBID)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            _POLICY.unlink()
        else:
            _POLICY.write_bytes(before)
            _POLICY.chmod(mode)
