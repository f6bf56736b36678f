"""One step of a service's start, or of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from leadbus.backoff import waits
from leadbus.cancellation import really_cancelled
from leadbus.db import is_unavailable
from leadbus.log import logger
from leadbus.service.failure import StartError

Hook = Callable[[], Awaitable[None]]

CLOSE_SECONDS = 3.0
_log = logger("service")


async def until_available(name: str, step: Hook) -> None:
    """Repeat `step` while it fails because a server is away."""
    said = False
    for pause_seconds in waits(0.2, 5.0):
        try:
            await step()
        except StartError:
            raise
        except asyncio.CancelledError as error:
            # Nobody would hear of it: a cancelled task is no failure, and the service would wait for ever.
            if really_cancelled():
                raise
            away: BaseException = error
        except Exception as error:
            if not is_unavailable(error):
                raise
            away = error
        else:
            return
        if not said:
            _log.warning("service.waiting", step=name, exc_info=away)
            said = True
        await asyncio.sleep(pause_seconds)


async def bounded(name: str, work: Awaitable[None], seconds: float = CLOSE_SECONDS) -> None:
    """One step of the end: neither an error nor a delay keeps the following steps from their turn."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except asyncio.CancelledError as error:
        if really_cancelled():
            raise
        _log.error("service.end_step_failed", step=name, exc_info=error)
    except TimeoutError:
        _log.error("service.end_step_too_slow", step=name, allowed_seconds=seconds)
    except Exception as error:  # noqa: BLE001 - logged; the process ends either way
        _log.error("service.end_step_failed", step=name, exc_info=error)
