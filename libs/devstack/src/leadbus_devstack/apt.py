"""Servers from the distribution's packages, installed without starting a service of the system."""

from __future__ import annotations

import contextlib
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


def install(packages: Sequence[str], log: Path) -> None:
    """Install `packages`; their services stay stopped, and the policy for services stays as it was.

    Raises DevstackError when apt fails.
    """
    print(
        f"installing {' '.join(packages)} with apt (once; LEADBUS_NO_INSTALL=1 forbids it)", file=sys.stderr
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    with _services_forbidden(), log.open("ab") as output:
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
