"""The BDK's sandbox and ingest before it: leads at the bank, and ingest that fetches when it is told to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from ingest.bdk.asking import new_client
from ingest.bdk.client import BdkClient
from ingest.bdk.reading import Reading
from ingest.bdk.reconciling import Reconciling
from ingest.bdk.tokens import Tokens
from leadbus.db import Database
from leadbus.outbox import LeftToClaims
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.bdk import CLIENT_ID

NAME = "bank"
PARTNER = "0047110"
VARIABLE = "BDK_BANK_SECRET"
_WAIT_SECONDS = 30.0


@dataclass
class Bank:
    """One connection, the sandbox behind it, and this process as the replica that fetches.

    `ingest` is the fixture of ingest's tests. Nothing is fetched or listed but by `fetch` and `take_lists`.
    """

    ingest: Any
    sandbox: SandboxProcess
    reading: Reading
    reconciling: Reconciling

    async def connect(self, name: str = NAME, **changes: Any) -> httpx2.Response:
        """Apply the connection, changed as `changes` say."""
        spec = {
            "base_url": self.sandbox.url,
            "token_url": f"{self.sandbox.url}/oauth/token",
            "client_id": CLIENT_ID,
            "client_secret": f"env:{VARIABLE}",
            "partner_numbers": [PARTNER],
            "notifications": {"secrets": [f"env:{VARIABLE}"]},
            **changes,
        }
        answer: httpx2.Response = await self.ingest.http.put(
            f"/v1/settings/BdkConnection/{name}",
            json={"spec": spec},
            headers={**self.ingest.token("admin"), **await self._seen(name)},
        )
        assert answer.status_code in (200, 201), answer.text
        return answer

    async def _seen(self, name: str) -> dict[str, str]:
        found = await self.ingest.http.get(
            f"/v1/settings/BdkConnection/{name}", headers=self.ingest.token("viewer")
        )
        return {"If-Match": found.headers["etag"]} if found.status_code == 200 else {}

    async def notify(
        self, body: Any, *, name: str | None = NAME, secret: str | None = None, **headers: str
    ) -> httpx2.Response:
        """Post a notification; a value becomes JSON, bytes go as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer: httpx2.Response = await self.ingest.http.post(
            "/v1/bdk/notifications" + (f"/{name}" if name else ""),
            content=content,
            headers={
                "Content-Type": "application/json",
                "X-Leadservice-Secret": self.sandbox.secret if secret is None else secret,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        return answer

    async def put(self, *leads: dict[str, Any]) -> None:
        """Leads at the bank that nobody is told of."""
        await asyncio.to_thread(self.sandbox.ask, "POST", "/leads?quietly=true", list(leads))

    async def misbehave(self, **faults: Any) -> None:
        await asyncio.to_thread(self.sandbox.control, **faults)

    async def fetch(self) -> None:
        """Fetch what is due, until nothing is."""
        for _ in range(200):
            await self.reading.round()
            if not self.reading.busy:
                return
            await self.reading.settled()
        raise AssertionError("there is always more to fetch")

    async def take_lists(self) -> None:
        """Read the lists that are due, one after the other, until none is."""
        for _ in range(200):
            await self.reconciling.round()
            if not self.reconciling.busy:
                return
            await self.reconciling.settled()
        raise AssertionError("there is always one more list")

    async def read(self, lead_id: str = "LS-1") -> dict[str, Any]:
        """The row of a lead."""
        (row,) = await self.ingest.rows("SELECT * FROM bdk_read WHERE lead_id = $1", lead_id)
        found: dict[str, Any] = row
        return found

    async def bodies(self) -> list[bytes]:
        """Raw messages, the oldest first."""
        return [
            row["body"] for row in await self.ingest.rows("SELECT body FROM raw ORDER BY accepted_at, raw_id")
        ]

    async def kept(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.ingest.rows(
            "SELECT * FROM quarantine ORDER BY quarantined_at"
        )
        return found

    async def standing(self, name: str = NAME) -> dict[str, Any]:
        answer = await self.ingest.http.get(
            f"/v1/bdk/connections/{name}", headers=self.ingest.token("viewer")
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def asked(self, path: str = "/leads") -> list[str]:
        """Paths below `path` that were asked for, with their query."""
        return [
            f"{seen.path}?{seen.query}" if seen.query else seen.path
            for seen in self.sandbox.requests()
            if seen.path.startswith(path)
        ]


def lead(lead_id: str = "LS-1", **fields: Any) -> dict[str, Any]:
    """A lead as the bank has it."""
    customer = {"lastName": "von Ahlen", "email": "joerdis.vonahlen@example.org"}
    return {
        "leadId": lead_id,
        "partnerNumber": PARTNER,
        "bdkLeadTypeId": "1e",
        "customer": customer,
        **fields,
    }


@asynccontextmanager
async def connected(ingest: Any, sandbox: SandboxProcess) -> AsyncIterator[Bank]:
    """The bank behind a connection that has its defaults."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, sandbox.secret)
        async with replica(ingest.database, ingest.clock) as (reading, reconciling):
            bank = Bank(ingest, sandbox, reading, reconciling)
            await bank.connect()
            yield bank


@asynccontextmanager
async def replica(
    database: Database, clock: Any, **settings: Any
) -> AsyncIterator[tuple[Reading, Reconciling]]:
    """One more process that fetches, as far as the bank and the database can tell."""
    async with new_client() as http:
        client = BdkClient(http, Tokens(http))
        outgoing = LeftToClaims()
        reading = Reading(database, client, clock, outgoing=outgoing, jitter=lambda: 0.0, **settings)
        reconciling = Reconciling(
            database, client, clock, outgoing=outgoing, wake=reading.wake, jitter=lambda: 0.0, **settings
        )
        yield reading, reconciling
        await reading.drain(0)
        await reconciling.stop()


async def until(holds: Callable[[], Any], what: str) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (await value if asyncio.iscoroutine(value := holds()) else value):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)
