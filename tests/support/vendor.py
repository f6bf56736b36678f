"""VirtualExpo's sandbox and what ingest fetches from it, in one hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ingest.fetching.way_in import VirtualExpoWayIn
from ingest.settings import IngestSettings
from ingest.sources.virtualexpo import KIND
from ingest.store.virtualexpo import Result
from leadbus.clock import FakeClock
from leadbus.db import Database
from leadbus.outbox import LeftToClaims
from leadbus.settings.documents import DocumentStore
from leadbus.web.etag import Condition
from leadbus_devstack.sandboxes import SandboxProcess, Seen
from leadbus_devstack.sandboxes.virtualexpo_documents import document

TWO_HOURS_SECONDS = 7200
NEXT_SECONDS = TWO_HOURS_SECONDS * 1.05 + 61
"""After so long the next attempt is due, however much it was put off."""


@dataclass
class Vendor:
    """`subscribe`, `serve` some leads, `fetch`; then look at what is stored and what the vendor saw."""

    sandbox: SandboxProcess
    database: Database
    settings: IngestSettings
    clock: FakeClock
    way_in: VirtualExpoWayIn = field(init=False)

    def __post_init__(self) -> None:
        self.way_in = self.replica()
        self._store = DocumentStore(self.database, [self.way_in.kind], clock=self.clock)

    def replica(self) -> VirtualExpoWayIn:
        """Another process' way in, on the same database."""
        return VirtualExpoWayIn(self.settings, self.database, self.clock, outgoing=LeftToClaims())

    def spec(self, **changed: Any) -> dict[str, Any]:
        return {
            "marketplace": "DirectIndustry",
            "url": f"{self.sandbox.url}/leads?key={{key}}",
            "key": f"file:{self.sandbox.secret_file}",
            **changed,
        }

    async def subscribe(self, name: str = "aero", **changed: Any) -> None:
        """Set it up, or change it."""
        async with self.database.acquire() as conn:
            before = await self._store.find(conn, KIND, name)
        condition = Condition(("*",)) if before else None
        await self._store.put(KIND, name, self.spec(**changed), actor="test", condition=condition)

    async def unsubscribe(self, name: str = "aero") -> None:
        await self._store.delete(KIND, name, actor="test", condition=Condition(("*",)))

    def serve(self, *leads: str) -> None:
        self.sandbox.ask("PUT", "/document", {"xml": document(leads)})

    async def fetch(self, after_seconds: float = 0) -> Result | None:
        """What one attempt comes to, once so much time has passed; None where none is due."""
        self.clock.advance(after_seconds)
        return await self.way_in.scheduler.fetch_due()

    def asked(self) -> list[Seen]:
        return self.sandbox.requests()

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]

    async def published(self) -> list[dict[str, Any]]:
        """CloudEvents attributes of raw messages to be published, in order, with their `body`."""
        rows = await self.rows("SELECT headers, body FROM outbox WHERE exchange = 'leadbus.raw' ORDER BY id")
        return [
            {
                **{
                    name.removeprefix("cloudEvents_"): value
                    for name, value in json.loads(row["headers"]).items()
                },
                "body": bytes(row["body"]),
            }
            for row in rows
        ]

    async def due_at(self, name: str = "aero") -> datetime:
        (row,) = await self.rows("SELECT due_at FROM virtualexpo_subscription WHERE name = $1", name)
        moment: datetime = row["due_at"]
        return moment

    async def kept(self, quarantine_id: UUID) -> bytes:
        (row,) = await self.rows("SELECT body FROM quarantine WHERE raw_id = $1", quarantine_id)
        return bytes(row["body"])
