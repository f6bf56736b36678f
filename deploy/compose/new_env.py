"""Writes .env for docker-compose.yml: passwords and keys made here, for this installation alone.

    python3 deploy/compose/new_env.py            then say in .env where mail goes
    python3 deploy/compose/new_env.py --dev      mail goes to the mailbox of the profile `dev`

Needs nothing but Python. An .env that is there already is left as it is.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
MAILBOX = {
    "ADF_MAILER_FROM_ADDRESS": "leads@leadbus.example",
    "ADF_MAILER_SMTP_HOST": "mailbox",
    "ADF_MAILER_SMTP_PORT": "1025",
    "ADF_MAILER_SMTP_TLS": "off",
}


def made(line, given):
    """A line of the example with its value: made, given, or as it is."""
    name, equals, value = line.partition("=")
    if not equals or name.startswith("#"):
        return line
    if name in given:
        return f"{name}={given[name]}"
    if not value and name.endswith(("_PASSWORD", "_KEY")) and not name.endswith("SMTP_PASSWORD"):
        # Needs no quoting, neither here nor in a URL; keys want 32 bytes, this has 43 characters.
        return f"{name}={secrets.token_urlsafe(32)}"
    return line


def main():
    parser = argparse.ArgumentParser(description="Write .env for docker-compose.yml.")
    parser.add_argument("--dev", action="store_true", help="mail goes to the mailbox of the profile dev")
    parser.add_argument(
        "--to", type=Path, default=ROOT / ".env", help="where (default: .env of this checkout)"
    )
    given = parser.parse_args()
    lines = [made(line, MAILBOX if given.dev else {}) for line in EXAMPLE.read_text("utf-8").splitlines()]
    try:
        with os.fdopen(os.open(given.to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        sys.exit(f"{given.to} is there already; what it says stays")
    print(f"wrote {given.to}: keep it, the databases and the broker are made with its passwords")


if __name__ == "__main__":
    main()
