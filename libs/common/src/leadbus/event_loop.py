"""Whose turn it is on the event loop."""

from __future__ import annotations

import asyncio


async def others_first() -> None:
    """Let run, up to its next wait, whatever is ready by now.

    To be called after a commit, before what nobody waits for (log lines, counters, acknowledgements): then
    what was committed is published, and its delivery begun, a millisecond or two earlier.
    """
    await asyncio.sleep(0)
