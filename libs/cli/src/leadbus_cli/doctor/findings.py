"""What the rules say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only `wrong` makes the command fail."""

    WRONG = "wrong"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what was looked at, `found` one line, `do` what a person does about it."""

    level: Level
    check: str
    subject: str
    found: str
    do: str = ""


def wrong(check: str, subject: str, found: str, do: str) -> Finding:
    return Finding(Level.WRONG, check, subject, found, do)


def warning(check: str, subject: str, found: str, do: str) -> Finding:
    return Finding(Level.WARNING, check, subject, found, do)


def ok(check: str, subject: str, found: str) -> Finding:
    return Finding(Level.OK, check, subject, found)


def or_ok(findings: Iterable[Finding], check: str, subject: str, found: str) -> list[Finding]:
    """The findings; a good one where there are none."""
    return list(findings) or [ok(check, subject, found)]
