"""Ingest's connections to the sandboxes of partners, applied as a user would.

They are no part of `examples/`: addresses and secrets of a sandbox are another's at every start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from leadbus_devstack.examples import apply_examples
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.bdk import CLIENT_ID
from leadbus_devstack.stack import Stack

BDK_CONNECTION = "bdk-sandbox"
EXPO_SUBSCRIPTION = "virtualexpo-sandbox"
BDK_PARTNER_NUMBERS = ("0047110", "0047111")


def introduce(stack: Stack, folder: Path) -> None:
    """Have ingest connected to every sandbox of `stack`, and the bank notify it. Raises DevstackError.

    The settings are left in `folder`. A subscription is fetched at once, unless that was less than two hours
    ago.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {"bdk": _bdk, "virtualexpo": _virtualexpo}
    for name, sandbox in stack.sandboxes.items():
        document = yaml.safe_dump(written[name](sandbox), sort_keys=False, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(document)
    apply_examples(folder, stack.endpoints())
    if "bdk" in stack.sandboxes:
        url = f"{stack.services['ingest'].url}/v1/bdk/notifications/{BDK_CONNECTION}"
        stack.sandboxes["bdk"].ask("PUT", "/notifying", {"url": url})


def _bdk(sandbox: SandboxProcess) -> Mapping[str, Any]:
    secret = f"file:{sandbox.secret_file}"
    return {
        "kind": "BdkConnection",
        "metadata": {"name": BDK_CONNECTION},
        "spec": {
            "base_url": sandbox.url,
            "token_url": f"{sandbox.url}/oauth/token",
            "client_id": CLIENT_ID,
            "client_secret": secret,
            "partner_numbers": list(BDK_PARTNER_NUMBERS),
            "notifications": {"secrets": [secret]},
        },
    }


def _virtualexpo(sandbox: SandboxProcess) -> Mapping[str, Any]:
    return {
        "kind": "VirtualExpoSubscription",
        "metadata": {"name": EXPO_SUBSCRIPTION},
        "spec": {
            "marketplace": "DirectIndustry",
            "url": f"{sandbox.url}/leads?key={{key}}",
            "key": f"file:{sandbox.secret_file}",
            "categories": ["request", "prospect", "visit"],
            "visits_confirmed": True,
        },
    }
