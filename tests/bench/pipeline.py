"""The three stages together, the product's or their bare twins, on emptied databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack import databases
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import listening
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.services import ServiceName

from tests.bench.amqp_link import Link
from tests.bench.drain import purge
from tests.bench.normalizer_drain import bare
from tests.bench.rig import INGEST, MAILER, NORMALIZER, Rig, ask
from tests.bench.sample import pause

QUEUES = ("normalizer.raw", "normalizer.ledger", "adf-mailer.leads")
_TABLES = {
    INGEST: "raw, idempotency_key, outbox",
    NORMALIZER: "inbox, raw, lead, lead_term, lead_revision, outbox, quarantine, ledger",
    MAILER: "inbox, lead, mail, delivery, attempt, destination, outbox, poison",
}
_START_SECONDS = 60.0
_WATCH_SECONDS = 0.05


@dataclass
class Pipeline:
    """Three running stages. `door_url` takes POSTs with an `api_key()`; `mails` is the mail sink's file."""

    rig: Rig
    ingest: GuardedProcess
    normalizer: GuardedProcess
    mailer: GuardedProcess
    door_url: str
    api_key: Callable[[], str]
    mails: Path

    @property
    def services(self) -> dict[str, GuardedProcess]:
        return {"ingest": self.ingest, "normalizer": self.normalizer, "adf-mailer": self.mailer}

    def roles(self) -> Mapping[str, list[int]]:
        own = {name: process.processes() for name, process in self.services.items()}
        return own | self.rig.server_roles()

    async def settled(self) -> bool:
        """Nothing is left to publish anywhere."""
        return not any([await self._any(service) for service in (INGEST, NORMALIZER, MAILER)])

    async def _any(self, service: ServiceName) -> bool:
        return bool(await ask(self.rig.database_url(service), "SELECT EXISTS (SELECT FROM outbox)"))


Starting = Callable[[Rig, Path, bool], Pipeline]
"""Makes the stages without starting them; with False the mails are planned and not sent."""


def product(rig: Rig, mails: Path, sending: bool) -> Pipeline:
    """The three services as deployed. Not sending means that an operator has paused the destination."""
    ingest = rig.service(INGEST)
    rig.stack.services[INGEST.folder] = ingest
    if not sending:
        pause(rig.database_url(MAILER), rig.destination)
    return Pipeline(
        rig,
        ingest.process,
        rig.service(NORMALIZER).process,
        rig.service(MAILER).process,
        ingest.url,
        rig.stack.create_api_key,
        mails,
    )


def twin(rig: Rig, mails: Path, sending: bool) -> Pipeline:
    """Their bare twins, on the same queues and tables."""
    port = rig.service(INGEST).port
    databases.execute(
        rig.database_url(MAILER),
        f"INSERT INTO destination (name, created_at) VALUES ('{rig.destination}', now())",
    )
    mail_port = [str(rig.stack.smtp.port)] if sending else []
    return Pipeline(
        rig,
        rig.program("tests.bench.bare_ingest", rig.amqp_url, rig.database_url(INGEST), str(port)),
        bare(rig, "reference_stage"),
        rig.program(
            "tests.bench.bare_mailer",
            *(rig.amqp_url, rig.database_url(MAILER), rig.destination, str(rig.sample_file), *mail_port),
        ),
        f"http://127.0.0.1:{port}",
        lambda: "anything",
        mails,
    )


@asynccontextmanager
async def running(rig: Rig, make: Starting, *, sending: bool) -> AsyncIterator[Pipeline]:
    """Empties everything, starts a mail sink and the stages, waits until all consume; stops them."""
    for service, tables in _TABLES.items():
        databases.execute(rig.database_url(service), f"TRUNCATE {tables}")
    mails = rig.directory / "mails"
    mails.unlink(missing_ok=True)
    sink = rig.program("tests.bench.smtp_sink", str(rig.stack.smtp.port), str(mails))
    pipeline = make(rig, mails, sending)
    processes = [sink, *pipeline.services.values()]
    try:
        sink.start()
        sink.wait_until(lambda: listening(rig.stack.smtp.port), timeout_seconds=_START_SECONDS)
        # Late: what the stages before did not acknowledge returns a moment after their end.
        await purge(rig.amqp_url, QUEUES)
        for process in pipeline.services.values():
            process.start()
        await _ready(pipeline)
        yield pipeline
    finally:
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in processes))


async def _ready(pipeline: Pipeline) -> None:
    """Until the door listens and both queues have a consumer."""
    link = await Link.open(pipeline.rig.amqp_url)
    port = int(pipeline.door_url.rpartition(":")[2])
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not (listening(port) and await _consumed(link)):  # noqa: ASYNC110 -- other processes
                await asyncio.sleep(_WATCH_SECONDS)
    except TimeoutError:
        raise DevstackError("the stages were not ready in time", log=pipeline.rig.directory) from None
    finally:
        link.close()


async def _consumed(link: Link) -> bool:
    return all([(await link.depth(queue))[1] for queue in ("normalizer.raw", "adf-mailer.leads")])
