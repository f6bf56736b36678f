"""Jobs on a real database, with a kind that counts how often each thing had its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from leadbus import jobs
from leadbus.db import Database
from leadbus.jobs import JobBroken, JobRunner, Plan, Work, store
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1
from leadbus.web.tokens import StaticKey
from leadbus_devstack.databases import DatabaseFactory
from pydantic import BaseModel, ConfigDict, SecretStr

KEY = SecretStr("0123456789abcdef0123456789abcdef")
DEADLINE_SECONDS = 30.0
THINGS = "CREATE TABLE thing (n integer PRIMARY KEY, dealer text, turns integer NOT NULL DEFAULT 0)"


class Things(BaseModel):
    model_config = ConfigDict(extra="forbid")

    up_to: int = 1000
    dealer: str | None = None


@dataclass
class CountedThings:
    """A kind over the table `thing`; a test says what happens before each batch is committed."""

    database: Database
    name: str = "thing.count"
    filter: type[BaseModel] = Things
    needs_reason: bool = False
    per_dealer: bool = True
    subject: str | None = None
    before_commit: Callable[[list[int]], Awaitable[None]] | None = None
    batches: list[list[int]] = field(default_factory=list)
    in_hand: int = 0
    most_in_hand: int = 0

    async def plan(self, filter_: Any, dealers: frozenset[str] | None) -> Plan:
        async with self.database.acquire() as conn:
            total = await conn.fetchval(
                "SELECT count(*) FROM thing WHERE n <= $1 AND ($2::text[] IS NULL OR dealer = ANY($2))",
                filter_.up_to,
                sorted(dealers) if dealers is not None else None,
            )
        return Plan(total, [{"n": 1}], bound={"n": filter_.up_to}, subject=self.subject)

    async def run(self, work: Work) -> AsyncGenerator[int, None]:
        reached = (work.reached or {"n": 0})["n"]
        while True:
            async with self.database.transaction() as conn:
                found = await conn.fetch(
                    "UPDATE thing SET turns = turns + 1 WHERE n IN (SELECT n FROM thing"
                    " WHERE n > $1 AND n <= $2 AND ($4::text[] IS NULL OR dealer = ANY($4))"
                    " ORDER BY n LIMIT $3) RETURNING n",
                    reached,
                    work.bound["n"],
                    work.batch_size,
                    sorted(work.dealers) if work.dealers is not None else None,
                )
                if not found:
                    return
                batch = sorted(row["n"] for row in found)
                reached = batch[-1]
                self.in_hand += 1
                self.most_in_hand = max(self.most_in_hand, self.in_hand)
                try:
                    if self.before_commit is not None:
                        await self.before_commit(batch)
                finally:
                    self.in_hand -= 1
                await work.note(conn, done=len(batch), reached={"n": reached})
            self.batches.append(batch)
            yield len(batch)


@dataclass
class Bench:
    """A database with things and jobs, runners on it, and the HTTP API."""

    database: Database
    kind: CountedThings
    http: httpx2.AsyncClient
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def runner(self, **options: Any) -> JobRunner:
        return JobRunner(
            self.database, [self.kind], **{"poll_seconds": 0.05, "lease_seconds": 30.0, **options}
        )

    def begin(self, runner: JobRunner) -> asyncio.Task[None]:
        task = asyncio.create_task(runner.run())
        self.running.append(task)
        return task

    async def things(self, number: int, dealer: str | None = None) -> None:
        async with self.database.acquire() as conn:
            first = 1 + await conn.fetchval("SELECT coalesce(max(n), 0) FROM thing")
            await conn.execute(
                "INSERT INTO thing (n, dealer) SELECT n, $3 FROM generate_series($1::int, $2::int) AS n",
                first,
                first + number - 1,
                dealer,
            )

    async def turns(self) -> list[int]:
        async with self.database.acquire() as conn:
            return [row["turns"] for row in await conn.fetch("SELECT turns FROM thing ORDER BY n")]

    async def planned(self, *, headers: dict[str, str] | None = None, **asked: Any) -> dict[str, Any]:
        body = {"kind": self.kind.name, "filter": {}, "rate_per_second": 1000, **asked}
        answer = await self.http.post("/v1/jobs", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
        return job

    async def started(self, **asked: Any) -> str:
        job_id: str = (await self.planned(**asked))["id"]
        answer = await self.http.post(f"/v1/jobs/{job_id}/run")
        assert answer.status_code == 202, answer.text
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200
        story: dict[str, Any] = answer.json()
        return story

    async def ended(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (job := await self.job(job_id))["state"] in ("planned", "running"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return job

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await condition():  # noqa: ASYNC110 -- the condition is in the database
                await asyncio.sleep(0.02)

    async def held(self) -> None:
        """As if a runner that is not there had taken the oldest job."""
        async with self.database.acquire() as conn:
            assert await store.claim(conn, uuid4(), lease_seconds=600.0, kinds=[self.kind.name])

    async def expire_lease(self, job_id: str) -> None:
        """As if the runner that holds it had been silent for too long."""
        async with self.database.acquire() as conn:
            await conn.execute(
                "UPDATE job SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = $1",
                UUID(job_id),
            )


def bearer(role: str = "operator", dealers: list[str] | None = None, subject: str = "olga") -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, subject, role, dealers)}"}


@pytest.fixture
def as_() -> Callable[..., dict[str, str]]:
    """The header of somebody with a role."""
    return bearer


@pytest.fixture
def broken() -> type[JobBroken]:
    return JobBroken


@pytest.fixture
async def bench(database_factory: DatabaseFactory) -> AsyncIterator[Bench]:
    url = database_factory.create(None)
    database = Database(url, max_size=8)
    await database.open()
    async with database.acquire() as conn:
        for ddl in (AUDIT_DDL_V1, jobs.DDL_V1, THINGS):
            await conn.execute(ddl)
    kind = CountedThings(database)
    app = create_app(
        "test", "Test", "1", [jobs.router(database, [kind])], verifier=TokenVerifier(StaticKey(KEY))
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=bearer()) as http:
        made = Bench(database, kind, http)
        yield made
        for task in made.running:
            task.cancel()
        if made.running:
            await asyncio.wait(made.running)
    await database.close()
    database_factory.drop(url)
