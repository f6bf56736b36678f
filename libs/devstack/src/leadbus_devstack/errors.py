"""What can go wrong while servers are brought up, said so that a reader knows what to do next."""

from __future__ import annotations

from pathlib import Path

_LONGEST_LINE = 300


class DevstackError(RuntimeError):
    """A step failed; the message says what and what to do. `log` names the file that knows more."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def explain(self, *, lines: int = 25) -> str:
        """The message, and the last `lines` lines of the log that belongs to it."""
        if self.log is None or not self.log.exists():
            return str(self)
        written = self.log.read_text("utf-8", "replace").splitlines()[-lines:]
        tail = "\n".join(line[:_LONGEST_LINE] for line in written)
        return f"{self}\n--- last lines of {self.log} ---\n{tail}"


class ServerMissingError(DevstackError):
    """No way to get a server on this machine: the message names what to install."""
