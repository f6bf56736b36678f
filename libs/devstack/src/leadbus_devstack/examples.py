"""Sources, dealers, locations and routes of `examples/`, applied as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from leadbus_devstack.endpoints import Endpoints
from leadbus_devstack.errors import DevstackError


def apply_examples(folder: Path, endpoints: Endpoints) -> str:
    """`leadbus apply -f folder`; its last line. Raises DevstackError with its words."""
    command = Path(sys.executable).with_name("leadbus")
    done = subprocess.run(
        [command, "apply", "-f", folder],
        env=dict(os.environ) | endpoints.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise DevstackError(f"`leadbus apply -f {folder.name}/` failed:\n{done.stdout}{done.stderr}".rstrip())
    return (done.stdout.strip().splitlines() or ["nothing to do"])[-1]
