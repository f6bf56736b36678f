"""Saying what is going on while it goes on."""

from __future__ import annotations

import time

from rich.console import Console

# Piped output has no width of its own; 80 columns would fold every table.
_PIPED_COLUMNS = 240


def console() -> Console:
    """Standard output, plain when it is no terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=_PIPED_COLUMNS)


class Steps:
    """One line per finished step, with the seconds since the start."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._began = time.monotonic()

    def __call__(self, done: str) -> None:
        elapsed = time.monotonic() - self._began
        self._out.print(
            f"[green]✓[/green] [dim]{elapsed:5.1f} s[/dim]  {done}", highlight=False, soft_wrap=True
        )
