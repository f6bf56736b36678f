"""Where ingest is built and wired, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from leadbus import jobs
from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database
from leadbus.jobs import JobRunner, Kind
from leadbus.mailin.listener import Listener
from leadbus.outbox import OutboxRelay
from leadbus.parked import Depths, HoldingReader, UnroutedDiscard, UnroutedRedrive, unrouted_router
from leadbus.publisher import Publisher
from leadbus.retention import Retention, Rule, audit_rule, jobs_rule
from leadbus.service import Service
from leadbus.settings import documents
from leadbus.topology import UNROUTED

from ingest.api import keys, quarantine, raw
from ingest.bdk.way_in import BdkWayIn
from ingest.door import Door
from ingest.fetching.way_in import VirtualExpoWayIn
from ingest.keyring import Keyring
from ingest.mail.mailroom import Mailroom
from ingest.mail.recipient import MAIL_RECIPIENT
from ingest.settings import IngestSettings
from ingest.sources.setting import SOURCE, SourceSettings
from ingest.store import quarantine as quarantined
from ingest.store import raws

DESCRIPTION = "Takes raw messages from the outside, keeps them until they are published, and a little longer."


def build(settings: IngestSettings, clock: Clock | None = None) -> Service:
    """The service, without I/O so far. Ready is it when its database answers; RabbitMQ may be away."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, max_size=settings.database_max_connections)
    publisher = Publisher(settings.amqp_url, app_id="ingest")

    async def published(conn: Connection, subjects: Sequence[str]) -> None:
        """Note what RabbitMQ confirmed, with the removal of its rows."""
        await raws.mark_published(conn, [UUID(subject) for subject in subjects], clock.now())

    relay = OutboxRelay(
        database,
        publisher,
        on_confirmed=published,
        clock=clock,
        hold_seconds=settings.outbox_hold_seconds,
    )
    bdk = BdkWayIn(settings, database, clock, outgoing=relay)
    fetched = VirtualExpoWayIn(settings, database, clock, outgoing=relay)
    own_kinds = [SOURCE, MAIL_RECIPIENT, bdk.kind, fetched.kind]
    store = documents.DocumentStore(database, own_kinds, clock=clock)
    sources = SourceSettings(store)
    door = Door(database, settings=sources, clock=clock, outgoing=relay)
    mail = Listener.of(settings.mail_door, Mailroom(database, clock=clock, outgoing=relay))
    retention = Retention(
        database,
        [
            Rule("raw", settings.retention_raw_days, raws.forget, raws.oldest),
            bdk.rule,
            Rule("quarantine", settings.retention_quarantine_days, quarantined.forget, quarantined.oldest),
            fetched.rule,
            jobs_rule(settings.retention_jobs_days),
            audit_rule(settings.retention_audit_days),
        ],
        clock=clock,
        pace=settings.retention_pace,
    )
    keyring = Keyring(database, settings=sources, clock=clock)
    holding = HoldingReader(settings.amqp_url, "ingest")
    kinds: list[Kind] = [UnroutedRedrive(holding, publisher), UnroutedDiscard(holding)]
    runner = JobRunner(database, kinds, lease_seconds=settings.job_lease_seconds)
    return Service(
        "ingest",
        "ingest",
        settings,
        title="Leadbus ingest",
        description=DESCRIPTION,
        routers=[
            raw.router(door, settings),
            keys.router(keyring),
            *bdk.routers,
            quarantine.router(database, clock, relay),
            *fetched.routers,
            documents.router(store),
            unrouted_router(database, holding),
            jobs.router(database, kinds, wake=runner.wake),
        ],
        tasks={
            "relay": relay.run,
            "retention": retention.run,
            "jobs": runner.run,
            "held messages": Depths(holding, [UNROUTED]).run,
            **fetched.tasks,
            **({"mail": mail.run} if mail else {}),
            **bdk.tasks,
        },
        drains=[runner.drain, fetched.drain, *([mail.drain] if mail else []), bdk.drain, relay.drain],
        on_stop=[holding.close, bdk.close],
        database=database,
        publisher=publisher,
    )
