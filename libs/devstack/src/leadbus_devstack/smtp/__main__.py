"""`python -m leadbus_devstack.smtp --port 2525 --control-port 2526 --mail-dir DIR`"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import uvicorn

from leadbus_devstack.smtp.control import create_app
from leadbus_devstack.smtp.mailbox import Mailbox
from leadbus_devstack.smtp.server import MailServer


async def serve(host: str, port: int, control_port: int, mail_dir: Path) -> None:
    """Serve SMTP and the control port until SIGTERM or SIGINT."""
    server = MailServer(Mailbox(mail_dir), host, port)
    await server.open()
    config = uvicorn.Config(create_app(server), host="127.0.0.1", port=control_port, log_level="warning")
    await uvicorn.Server(config).serve()
    await server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m leadbus_devstack.smtp", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--control-port", type=int, default=2526)
    parser.add_argument("--mail-dir", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.control_port, options.mail_dir))


if __name__ == "__main__":
    main()
