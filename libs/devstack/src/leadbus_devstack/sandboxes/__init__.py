"""Partners as they behave in the wild: each a process with an HTTP port, that misbehaves on request.

`python -m leadbus_devstack.sandboxes NAME --port 8700 --secret-file FILE` serves the partner's own paths, and
below `/_sandbox` the control: `GET|PUT|DELETE /faults`, `GET /requests` (each so far, with its time),
`POST /reset`, `GET /status`, and what the partner's module adds. A partner is a module here with
`build(secret) -> Sandbox`, and its name in SANDBOXES.
"""

from __future__ import annotations

from leadbus_devstack.sandboxes.process import SandboxProcess
from leadbus_devstack.sandboxes.sandbox import CONTROL, Faults, Sandbox, Seen

SANDBOXES: tuple[str, ...] = ("bdk", "virtualexpo")
"""Every partner there is a module for."""

__all__ = ["CONTROL", "SANDBOXES", "Faults", "Sandbox", "SandboxProcess", "Seen"]
