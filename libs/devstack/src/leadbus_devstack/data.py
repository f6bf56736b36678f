"""A place for servers' data that their processes can reach."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from leadbus_devstack.layout import Layout


def data_directory(layout: Layout) -> Path:
    """`.leadbus/data`, made; behind it a directory in /var/tmp where the checkout lets nobody else in.

    As root, Postgres runs as `nobody`, who cannot walk into /root, for example.
    """
    if not layout.data.exists():
        layout.state.mkdir(parents=True, exist_ok=True)
        layout.data.unlink(missing_ok=True)  # a link whose target somebody tidied away
        if os.geteuid() == 0 and not open_to_all(layout.state):
            elsewhere = Path(tempfile.mkdtemp(prefix="leadbus-data-", dir="/var/tmp"))
            elsewhere.chmod(0o711)
            layout.data.symlink_to(elsewhere)
        else:
            layout.data.mkdir()
    return layout.data.resolve()


def demo_data_directory(layout: Layout) -> Path:
    """An empty place for one demo, below `.leadbus/demo` where Postgres can reach that."""
    if os.geteuid() == 0 and not open_to_all(layout.root):
        return scratch_directory("demo")
    directory = layout.demo / "data"
    directory.mkdir(parents=True)
    return directory


def scratch_directory(label: str) -> Path:
    """A new temporary directory that the owner of Postgres' processes can reach."""
    directory = Path(tempfile.mkdtemp(prefix=f"leadbus-{label}-"))
    directory.chmod(0o711)
    return directory


def open_to_all(directory: Path) -> bool:
    """True when every user may walk into `directory`."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (directory, *directory.parents))
