"""Where Postfix is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Debian keeps it where only root's PATH leads.
_SYSTEM_PATH = "/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True, slots=True)
class PostfixPrograms:
    """Folders of `master` and of the commands (`postsuper`), users that own them, version ("3.7.11")."""

    daemons: Path
    commands: Path
    mail_owner: str
    setgid_group: str
    version: str


def find_programs() -> PostfixPrograms | None:
    """The installed Postfix, or None. Asks for what was compiled in; no configuration is read."""
    postconf = shutil.which("postconf", path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
    if postconf is None:
        return None
    names = ("daemon_directory", "command_directory", "mail_owner", "setgid_group", "mail_version")
    done = subprocess.run([postconf, "-d", *names], capture_output=True, text=True, check=False)
    told = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    if done.returncode != 0 or set(names) - told.keys():
        return None
    daemons, commands = Path(told["daemon_directory"]), Path(told["command_directory"])
    if not (daemons / "master").exists():
        return None
    return PostfixPrograms(daemons, commands, told["mail_owner"], told["setgid_group"], told["mail_version"])
