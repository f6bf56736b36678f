"""Reading what must not stand in a shell history."""

from __future__ import annotations

import sys

from leadbus_cli.errors import CliError

STDIN = "-"
"""Given as a value: it is read from standard input."""


def read_line(what: str, *, needed: bool = True) -> str | None:
    """One line of standard input. Raises CliError when there is none and one is `needed`."""
    if sys.stdin.isatty():
        sys.stderr.write(f"{what}: ")
        sys.stderr.flush()
    line = sys.stdin.readline().strip()
    if not line and needed:
        raise CliError(f"no {what} came on standard input")
    return line or None


def given(what: str, value: str | None) -> str | None:
    """`value`, read from standard input where it says so. Raises CliError when nothing comes."""
    return read_line(what) if value == STDIN else value
