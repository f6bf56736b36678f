"""VirtualExpo as a whole: what the service serves, runs and forgets of it."""

from __future__ import annotations

from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.outbox import Outgoing
from leadbus.retention import Rule

from ingest.api import virtualexpo
from ingest.fetching.fetcher import Bounds, Fetcher
from ingest.fetching.scheduler import Scheduler
from ingest.fetching.subscriptions import Subscriptions, subscription_kind
from ingest.settings import IngestSettings
from ingest.store import virtualexpo as attempts


class VirtualExpoWayIn:
    """Built once, in ``app``: kind of setting, routers, the scheduler's task, the rule of retention."""

    def __init__(
        self, settings: IngestSettings, database: Database, clock: Clock, *, outgoing: Outgoing
    ) -> None:
        fetcher = Fetcher(database, outgoing, clock, Bounds.of(settings))
        self.scheduler = Scheduler(
            database,
            fetcher,
            clock,
            outgoing=outgoing,
            whole_seconds=settings.virtualexpo_timeout_seconds,
        )
        self.kind = subscription_kind(clock, or_http=settings.partners_over_http)
        self.routers = [virtualexpo.router(Subscriptions(database, clock, self.scheduler.wake))]
        self.tasks = {"virtualexpo": self.scheduler.run}
        self.drain = self.scheduler.drain
        self.rule = Rule("attempts", settings.retention_attempts_days, attempts.forget, attempts.oldest)
