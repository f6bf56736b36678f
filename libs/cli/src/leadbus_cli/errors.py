"""What a person is told when something did not work."""

from __future__ import annotations


class CliError(Exception):
    """Ends the command with exit code 1; ``lines`` go to standard error, and nothing else does."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class Away(CliError):  # noqa: N818 - a state of the service
    """A service does not answer, or answers that it cannot just now: asked again later it may."""
