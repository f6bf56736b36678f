"""Why a process ends by itself, as exit codes a supervisor can tell apart."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_SCHEMA = 3
EXIT_START = 4


class StartError(Exception):
    """The service cannot run and waiting will not help. The text is one line for an operator."""

    def __init__(self, reason: str, exit_code: int = EXIT_START) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
