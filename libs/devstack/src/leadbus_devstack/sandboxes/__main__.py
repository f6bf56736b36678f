"""`python -m leadbus_devstack.sandboxes NAME --port 8700 --secret-file FILE`"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import uvicorn

from leadbus_devstack.sandboxes import SANDBOXES, Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m leadbus_devstack.sandboxes", description=__doc__)
    parser.add_argument("name", choices=SANDBOXES)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--secret-file", type=Path, required=True, help="What the partner takes for its secret."
    )
    options = parser.parse_args()
    module = importlib.import_module(f"leadbus_devstack.sandboxes.{options.name}")
    sandbox: Sandbox[object] = module.build(options.secret_file.read_text().strip())  # type: ignore[type-var]
    # One that hangs on purpose must not keep the process.
    uvicorn.run(
        sandbox.served(),
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
