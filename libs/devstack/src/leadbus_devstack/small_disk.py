"""A disk that is really full: a file system in memory with a size of its own."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack.errors import DevstackError

_CHUNK = b"\0" * 65536


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """`directory` holds `megabytes` and not a byte more."""

    directory: Path
    megabytes: int

    def mount(self) -> None:
        """Raises DevstackError where this user may not mount; only root may, and not in every container."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._call("mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=0711", "leadbus-test")

    def unmount(self) -> None:
        """Whatever is in it is gone."""
        self._call("umount", "--lazy")

    @property
    def free_bytes(self) -> int:
        sizes = os.statvfs(self.directory)
        return sizes.f_bavail * sizes.f_frsize

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (len(_CHUNK), 1):
                while self._written(ballast.fileno(), _CHUNK[:size]):
                    pass

    def clear(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.directory / "ballast"

    @staticmethod
    def _written(file: int, chunk: bytes) -> bool:
        try:
            os.write(file, chunk)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        return True

    def _call(self, *command: str) -> None:
        done = subprocess.run([*command, str(self.directory)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DevstackError(f"{' '.join(command)} {self.directory}: {done.stderr.strip()}")
