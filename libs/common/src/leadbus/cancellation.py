"""Telling a cancellation that somebody asked for from one that leaked out of a library."""

from __future__ import annotations

import asyncio


def really_cancelled() -> bool:
    """Whether somebody cancelled the current task.

    aiormq raises CancelledError also out of calls that were waiting when their connection died. Taken
    for a cancellation, that would silently end a loop which nobody wanted to end.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
