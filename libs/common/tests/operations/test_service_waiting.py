"""What a start waits for, and what it does not."""

from __future__ import annotations

import asyncio

import pytest
from leadbus.service.steps import bounded, until_available


async def test_a_cancellation_that_a_library_leaked_is_one_more_reason_to_try_again() -> None:
    tries = 0

    async def leaks_once() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    async with asyncio.timeout(10):
        await until_available("broker", leaks_once)
    assert tries == 2


async def test_a_cancellation_that_was_meant_ends_the_wait() -> None:
    tried = asyncio.Event()

    async def away() -> None:
        tried.set()
        raise ConnectionRefusedError

    waiting = asyncio.create_task(until_available("broker", away))
    await tried.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_waiting_does_not_heal_is_raised() -> None:
    async def broken() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await until_available("start hook", broken)


@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError], ids=["leaked", "failed"])
async def test_a_step_of_the_end_keeps_no_other_from_its_turn(error: type[BaseException]) -> None:
    async def fails() -> None:
        raise error

    await bounded("broker", fails())
