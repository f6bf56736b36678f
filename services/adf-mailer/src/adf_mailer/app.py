"""Where adf-mailer is built and wired, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from leadbus import jobs
from leadbus.clock import Clock, SystemClock
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.db import Database
from leadbus.delivery import GATHER_SECONDS, DeliveryEngine, Offer, Planning, Starting
from leadbus.delivery.redriving import DeliveriesRedrive
from leadbus.delivery.router import router as deliveries
from leadbus.jobs import JobRunner, Kind
from leadbus.mailin.listener import Listener
from leadbus.outbox import OutboxRelay
from leadbus.parked import Depths, Handler, HoldingReader, ParkedDiscard, ParkedRedrive, parked_router
from leadbus.publisher import Publisher
from leadbus.retention import Retention
from leadbus.service import Service
from leadbus.settings import documents
from leadbus.topology import parked

from adf_mailer import addresses_api, api, bounces_api, profiles_api, silence_api, trying_api, vendors_api
from adf_mailer.addresses import Addresses
from adf_mailer.bounces.intake import BounceRoom
from adf_mailer.bounces.settling import Settling
from adf_mailer.consumers import QUEUE, LeadsConsumer
from adf_mailer.delivery import DESTINATION_SHARE, AdfMailSink, SmartHosts
from adf_mailer.desk import Desk
from adf_mailer.planning import SINK, Planner
from adf_mailer.refusals import Refusals
from adf_mailer.releasing import Releasing
from adf_mailer.retention import rules
from adf_mailer.routes import ADF_ROUTE
from adf_mailer.settings import AdfMailerSettings
from adf_mailer.silence import Silence

DESCRIPTION = "Sends leads as ADF mail to dealers' CRMs, each once, and says so where it cannot know."


def build(settings: AdfMailerSettings, clock: Clock | None = None) -> Service:
    """The service, without I/O so far."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, max_size=settings.database_max_connections)
    broker = make_broker(settings.amqp_url, SINK)
    publisher = Publisher(settings.amqp_url, app_id=SINK)
    hosts = SmartHosts(
        settings.smart_hosts,
        size=settings.connections_per_host,
        mails_per_minute=settings.smtp_host_mails_per_minute,
        max_transactions=settings.smtp_max_mails_per_connection,
        max_idle_seconds=settings.smtp_max_idle_seconds,
    )
    relay = OutboxRelay(
        database,
        publisher,
        clock=clock,
        hold_seconds=settings.outbox_hold_seconds,
        gather_seconds=GATHER_SECONDS,
    )

    def offer(planned: Sequence[Offer]) -> None:
        """The engine comes after the planner: it works off what the desk plans as well."""
        engine.offer(planned)

    def start(planning: Planning) -> AbstractAsyncContextManager[Starting]:
        return engine.starting(planning)

    planner = Planner(hosts.name, settings.letterhead, clock, offer, start)
    addresses = Addresses(database, clock, settings.address_rules)
    desk = Desk(database, planner)
    refusals = Refusals(database, addresses, desk)
    engine = DeliveryEngine(
        database,
        AdfMailSink(desk, hosts, settings.domain_gates(), addresses, refusals, clock),
        schedule=settings.schedule,
        breaker=settings.breaker,
        clock=clock,
        capacity=settings.smtp_max_connections,
        destination_share=DESTINATION_SHARE,
        act_timeout_seconds=settings.act_timeout_seconds,
        lease_seconds=settings.lease_seconds,
        drain_seconds=settings.drain_seconds,
        overdue_after_seconds=settings.overdue_after_seconds,
        outgoing=relay,
    )

    def wake() -> None:
        """What was redriven or resumed may be due; what was cancelled is to be told."""
        engine.wake()
        relay.wake()

    releasing = Releasing(database, planner, clock, wake, window_seconds=settings.no_route_window_seconds)
    settling = Settling(database, clock, settings.reopening, wake, refusals=refusals)
    listener = None
    if settings.return_path_of_mails is not None:
        room = BounceRoom(database, settings.return_path_of_mails, settling, clock)
        listener = Listener.of(settings.bounce_door, room)
    retention = Retention(database, rules(settings), clock=clock, pace=settings.retention_pace)
    leads = LeadsConsumer(database, planner, clock, relay.wake)
    consumer = BatchConsumer(
        broker,
        QUEUE,
        leads.store,
        read=leads.read,
        poison=leads.set_aside,
        batch_size=settings.batch_size,
        prefetch=2 * settings.batch_size,
        reopen=database.ping,
    )
    silence = Silence(
        database,
        clock,
        expected_leads=settings.silence_expected_leads,
        interval_seconds=settings.silence_interval_seconds,
    )
    holding = HoldingReader(settings.amqp_url, SINK)
    kinds: list[Kind] = [
        ParkedRedrive(holding, {QUEUE: Handler(leads.handle, leads.set_aside)}),
        ParkedDiscard(holding, [QUEUE]),
        DeliveriesRedrive(database, sink=SINK, wake=wake, clock=clock),
    ]
    runner = JobRunner(database, kinds, lease_seconds=settings.job_lease_seconds)
    return Service(
        SINK,
        "adf_mailer",
        settings,
        title="Leadbus adf-mailer",
        description=DESCRIPTION,
        routers=[
            deliveries(
                database,
                sink=SINK,
                wake=wake,
                clock=clock,
                details=api.details(database),
                redrivable=api.redrivable,
            ),
            api.router(database, leads, clock),
            addresses_api.router(database, clock, wake),
            bounces_api.router(database),
            vendors_api.router(),
            silence_api.router(silence),
            trying_api.router(database, planner),
            profiles_api.router(),
            documents.router(documents.DocumentStore(database, [ADF_ROUTE], clock=clock)),
            parked_router(database, holding, [QUEUE]),
            jobs.router(database, kinds, wake=runner.wake),
        ],
        tasks={
            "deliveries": engine.run,
            "outbox": relay.run,
            "releasing": releasing.run,
            "retention": retention.run,
            "silence": silence.run,
            "jobs": runner.run,
            "addresses": addresses.run,
            "bounces": settling.run,
            **({"bounce listener": listener.run} if listener else {}),
            "held messages": Depths(holding, [parked(QUEUE)]).run,
        },
        consumers=[consumer],
        drains=[*([listener.drain] if listener else []), runner.drain, engine.drain, relay.drain],
        on_stop=[hosts.close, holding.close],
        database=database,
        broker=broker,
        publisher=publisher,
        act_timeout_seconds=settings.act_timeout_seconds,
    )
