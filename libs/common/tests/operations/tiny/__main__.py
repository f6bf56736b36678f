"""The smallest service there can be, run as a process by test_service_process.py."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from fastapi import APIRouter
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.db import Database
from leadbus.messages import IncomingMessage
from leadbus.service import Service, main
from leadbus.settings.environment import ServiceSettings
from pydantic_settings import SettingsConfigDict


class TinySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TINY_")

    work_seconds: float = 0.0
    fails: str = ""
    queue: str = ""


class Tiny:
    """What it does, so that a test can see and hinder it."""

    def __init__(self, settings: TinySettings) -> None:
        self._settings = settings
        self.database = Database(settings.database_url)
        self.journal: list[str] = []

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/v1/slow")
        async def slow() -> list[str]:
            self.journal.append("request taken")
            await asyncio.sleep(self._settings.work_seconds)
            return self.journal

        @router.get("/v1/journal")
        async def journal() -> list[str]:
            return self.journal

        @router.get("/v1/database")
        async def answer() -> int:
            async with self.database.acquire() as connection:
                return int(await connection.fetchval("SELECT 42"))

        return router

    async def work(self) -> None:
        await asyncio.Event().wait()

    async def start(self) -> None:
        if self._settings.fails == "start":
            raise RuntimeError("Mr. John Planted cannot be started")

    async def drain_first(self, timeout_seconds: float) -> None:
        sys.stderr.write("drained first\n")

    async def drain_second(self, timeout_seconds: float) -> None:
        if self._settings.fails == "drain":
            raise RuntimeError("cannot drain")
        await asyncio.sleep(self._settings.work_seconds)
        sys.stderr.write("drained second\n")


async def handle(messages: Sequence[IncomingMessage]) -> None:
    sys.stderr.write(f"handled {len(messages)}\n")


async def poison(message: IncomingMessage, error: Exception) -> None:
    raise error


def build(settings: TinySettings) -> Service:
    tiny = Tiny(settings)
    broker = make_broker(settings.amqp_url, "tiny") if settings.queue else None
    consumers = [BatchConsumer(broker, settings.queue, handle, poison=poison)] if broker else []
    return Service(
        "tiny",
        "tiny",
        settings,
        routers=[tiny.router()],
        tasks={"work": tiny.work},
        on_start=[tiny.start],
        drains=[tiny.drain_first, tiny.drain_second],
        consumers=consumers,
        database=tiny.database,
        broker=broker,
        act_timeout_seconds=5,
    )


if __name__ == "__main__":
    main(build, TinySettings)
