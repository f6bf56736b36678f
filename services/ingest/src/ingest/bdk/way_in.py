"""The parts of this way in, put together for `app.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.health import TaskFunction
from leadbus.outbox import Outgoing
from leadbus.retention import Rule
from leadbus.settings.documents import Kind

from ingest.api import bdk as api
from ingest.bdk import setting
from ingest.bdk.asking import new_client
from ingest.bdk.changes import on_change
from ingest.bdk.client import BdkClient
from ingest.bdk.desk import Desk
from ingest.bdk.door import NotificationDoor
from ingest.bdk.measuring import Measuring
from ingest.bdk.reading import Reading
from ingest.bdk.reconciling import Reconciling
from ingest.bdk.tokens import Tokens
from ingest.settings import IngestSettings
from ingest.store import bdk_reads


class BdkWayIn:
    """What the service serves, runs, drains and lets go of for BDK connections."""

    def __init__(
        self, settings: IngestSettings, database: Database, clock: Clock, *, outgoing: Outgoing
    ) -> None:
        self._http = new_client()
        client = BdkClient(self._http, Tokens(self._http))
        self.reading = Reading(database, client, clock, outgoing=outgoing)
        wake = self.reading.wake
        self.reconciling = Reconciling(database, client, clock, outgoing=outgoing, wake=wake)
        self.measuring = Measuring(database, clock, outgoing=outgoing)
        self.kind: Kind = setting.kind(or_http=settings.partners_over_http, on_change=on_change(clock))
        door = NotificationDoor(database, clock=clock, outgoing=outgoing, wake=wake)
        self.routers: Sequence[APIRouter] = (
            api.notifications(door, settings),
            api.operations(Desk(database, clock=clock, wake=wake)),
        )
        self.rule = Rule("bdk", settings.retention_bdk_days, bdk_reads.forget, bdk_reads.oldest)
        self.drain = self.reading.drain

    @property
    def tasks(self) -> Mapping[str, TaskFunction]:
        return {
            "bdk reads": self.reading.run,
            "bdk lists": self.reconciling.run,
            "bdk measures": self.measuring.run,
        }

    async def close(self) -> None:
        await self._http.aclose()
