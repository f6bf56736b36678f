"""Async work from plain code, also while an event loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_apart(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` to its end on an event loop of its own, in a thread of its own; its result or its error.

    A synchronous fixture may be used by an asynchronous test, whose loop is already running here.
    """

    async def whole() -> T:
        return await work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(whole())).result()
