"""The smallest service there can be, run as a process by test_service_process.py."""

from __future__ import annotations

import asyncio
import sys

from fastapi import APIRouter
from leadbus.db import Database
from leadbus.service import Service, main
from leadbus.settings.environment import ServiceSettings
from pydantic_settings import SettingsConfigDict


class TinySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TINY_")

    work_seconds: float = 0.0
    fails: str = ""


def build(settings: TinySettings) -> Service:
    database = Database(settings.database_url)
    journal: list[str] = []
    router = APIRouter()

    @router.get("/v1/slow")
    async def slow() -> dict[str, list[str]]:
        journal.append("request taken")
        await asyncio.sleep(settings.work_seconds)
        return {"journal": journal}

    @router.get("/v1/journal")
    async def written() -> list[str]:
        return journal

    @router.get("/v1/database")
    async def answer() -> int:
        async with database.acquire() as connection:
            return int(await connection.fetchval("SELECT 42"))

    async def work() -> None:
        await asyncio.Event().wait()

    async def on_start() -> None:
        if settings.fails == "start":
            raise RuntimeError("Mr. John Planted cannot be started")

    async def drain(name: str, timeout_seconds: float) -> None:
        sys.stderr.write(f"drained {name}\n")

    async def drain_consumers(timeout_seconds: float) -> None:
        await drain("consumers", timeout_seconds)

    async def drain_engine(timeout_seconds: float) -> None:
        if settings.fails == "drain":
            raise RuntimeError("cannot drain")
        await asyncio.sleep(settings.work_seconds)
        await drain("engine", timeout_seconds)

    return Service(
        "tiny",
        "tiny",
        settings,
        routers=[router],
        tasks={"work": work},
        on_start=[on_start],
        drains=[drain_consumers, drain_engine],
        database=database,
        act_timeout_seconds=5,
    )


if __name__ == "__main__":
    main(build, TinySettings)
