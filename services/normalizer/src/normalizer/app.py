"""Where the normalizer is built and wired, and nowhere else."""

from __future__ import annotations

from leadbus import jobs
from leadbus.clock import Clock, SystemClock
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.db import Database
from leadbus.jobs import JobRunner, Kind
from leadbus.outbox import OutboxRelay
from leadbus.parked import Depths, Handler, HoldingReader, ParkedDiscard, ParkedRedrive, parked_router
from leadbus.publisher import Publisher
from leadbus.retention import Retention
from leadbus.service import Service
from leadbus.settings import documents
from leadbus.topology import parked

from normalizer import api, directory
from normalizer.consenting import Consenting
from normalizer.consumers import LedgerConsumer, RawConsumer
from normalizer.counting import Counting
from normalizer.indexing import Indexing
from normalizer.lead_types import LEAD_TYPE_OVERRIDE, LeadTypesInForce
from normalizer.linking import Linking
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits
from normalizer.replaying import QuarantineReplay
from normalizer.retention import rules
from normalizer.settings import NormalizerSettings

DESCRIPTION = (
    "Turns raw messages into canonical leads, keeps what it cannot read, and tells what became of each."
)

# Nobody waits for the ledger: what became of leads that ended together is noted in one transaction.
_LINGER_SECONDS = {"normalizer.ledger": 0.5}


def build(settings: NormalizerSettings, clock: Clock | None = None) -> Service:
    """The service, without I/O so far."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, max_size=settings.database_max_connections)
    publisher = Publisher(settings.amqp_url, app_id="normalizer")
    broker = make_broker(settings.amqp_url, "normalizer")
    relay = OutboxRelay(database, publisher, clock=clock, hold_seconds=settings.outbox_hold_seconds)
    lead_types = LeadTypesInForce(database)
    normalizing = Normalizing(
        Limits(body_bytes=settings.body_limit_bytes),
        settings.terms,
        linking=Linking(filter(None, (settings.terms, settings.terms_before)), settings.link_window),
        outgoing=relay,
        lead_types=lead_types,
    )
    raw = RawConsumer(
        database,
        normalizing,
        clock,
        bare_window_seconds=settings.bare_window_seconds,
    )
    quarantining = Quarantining(
        database,
        normalizing,
        clock,
        batch_size=settings.release_batch_size,
        poll_seconds=settings.release_poll_seconds,
    )
    keyed = [terms for terms in (settings.terms, settings.terms_before) if terms]
    consenting = Consenting(database, clock, keyed, outgoing=relay)
    retention = Retention(database, rules(settings, clock), clock=clock, pace=settings.retention_pace)
    store = documents.DocumentStore(database, [*directory.kinds(), LEAD_TYPE_OVERRIDE], clock=clock)
    ledger = LedgerConsumer(database)
    consumers: dict[str, RawConsumer | LedgerConsumer] = {"normalizer.raw": raw, "normalizer.ledger": ledger}
    handlers = {queue: Handler(consumer.handle, consumer.poison) for queue, consumer in consumers.items()}
    holding = HoldingReader(settings.amqp_url, "normalizer")
    kinds: list[Kind] = [
        ParkedRedrive(holding, handlers),
        ParkedDiscard(holding, list(handlers)),
        QuarantineReplay(database, quarantining),
    ]
    runner = JobRunner(database, kinds, lease_seconds=settings.job_lease_seconds)
    return Service(
        "normalizer",
        "normalizer",
        settings,
        title="Leadbus normalizer",
        description=DESCRIPTION,
        routers=[
            api.router(database, quarantining, settings.terms, settings.terms_before),
            api.consent_router(
                database,
                consenting,
                clock,
                settings.opt_in_links,
                str(settings.opt_in_url) if settings.opt_in_url else None,
            ),
            documents.router(store),
            parked_router(database, holding, list(handlers)),
            jobs.router(database, kinds, wake=runner.wake),
        ],
        consumers=[
            BatchConsumer(
                broker,
                queue,
                consumer.store,
                read=consumer.read,
                poison=consumer.poison,
                batch_size=settings.batch_size,
                prefetch=settings.prefetch,
                held_bytes=settings.held_bytes,
                linger_seconds=_LINGER_SECONDS.get(queue, 0.0),
                hold_seconds=settings.hold_seconds,
                reopen=database.ping,
            )
            for queue, consumer in consumers.items()
        ],
        tasks={
            "relay": relay.run,
            "release": quarantining.run,
            "release bell": quarantining.listen,
            "lead types": lead_types.run,
            "lead types bell": lead_types.listen,
            "late links": raw.late_links.run,
            "consents": consenting.run,
            "consents bell": consenting.listen,
            "counting": Counting(database, clock).run,
            "indexing": Indexing(database, settings.terms).run,
            "retention": retention.run,
            "jobs": runner.run,
            "held messages": Depths(holding, [parked(queue) for queue in handlers]).run,
        },
        on_start=[lead_types.load],
        drains=[runner.drain, raw.late_links.drain, relay.drain],
        on_stop=[holding.close],
        database=database,
        broker=broker,
        publisher=publisher,
    )
