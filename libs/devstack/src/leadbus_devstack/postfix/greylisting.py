"""Greylisting as postgrey does it, for Postfix' access policy protocol (SMTPD_POLICY_README)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from io import BufferedIOBase

Triplet = tuple[str, str, str]
"""Client's address, envelope sender, recipient."""

DELAY_SECONDS = 300.0


class Greylisting:
    """Who asks for the first time has to wait; who comes back after the delay is known from then on.

    Who comes back too early waits on, counted from the first time. Its clock stands still between calls of
    `pass_time`, so that a test need not wait.
    """

    def __init__(self, delay_seconds: float = DELAY_SECONDS) -> None:
        self.delay_seconds = delay_seconds
        self._passed_seconds = 0.0
        self._first_seen: dict[Triplet, float] = {}
        self._known: set[Triplet] = set()
        self._lock = threading.Lock()

    def pass_time(self, seconds: float) -> None:
        with self._lock:
            self._passed_seconds += seconds

    def forget(self) -> None:
        """Everybody is a stranger again."""
        with self._lock:
            self._first_seen.clear()
            self._known.clear()

    def talk(self, reader: BufferedIOBase, writer: BufferedIOBase) -> None:
        """Answer all requests of one connection."""
        while attributes := _read(reader):
            writer.write(f"action={self.action(attributes)}\n\n".encode())

    def action(self, attributes: Mapping[str, str]) -> str:
        """An action of access(5) for one request of smtpd."""
        triplet = (attributes["client_address"], attributes["sender"], attributes["recipient"])
        with self._lock:
            since = self._first_seen.setdefault(triplet, self._passed_seconds)
            left_seconds = since + self.delay_seconds - self._passed_seconds
            if triplet not in self._known and left_seconds > 0:
                return f"450 4.7.1 Greylisted, come back in {left_seconds:.0f} seconds"
            self._known.add(triplet)
            return "DUNNO"


def _read(stream: BufferedIOBase) -> dict[str, str]:
    """One request: lines `name=value` until an empty one; nothing at the end."""
    attributes: dict[str, str] = {}
    while (line := stream.readline().decode("utf-8", "replace").rstrip("\n")) != "":
        name, _, value = line.partition("=")
        attributes[name] = value
    return attributes
