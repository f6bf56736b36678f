"""One attempt, from what was claimed to what is written down of it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar
from uuid import UUID

from leadbus import backoff, pulse
from leadbus.clock import Clock
from leadbus.contracts.virtualexpo_lead_document import LeadDocument
from leadbus.db import Connection, Database, is_out_of_reach
from leadbus.log import logger, wide
from leadbus.outbox import Outgoing
from leadbus.settings.documents import InvalidSpec

from ingest import arrivals
from ingest.arrivals import Arrival, Faulty
from ingest.fetching import metrics
from ingest.fetching.collected import Collected, apart
from ingest.fetching.download import Patience, TransferError, opened
from ingest.fetching.ending import Broken, Ending, TransferCode, ending
from ingest.fetching.trial_report import report
from ingest.partner_url import must_be_https
from ingest.secret_reference import SecretUnreadableError, resolve
from ingest.settings import IngestSettings
from ingest.sources.virtualexpo import VirtualExpoSubscription
from ingest.store import virtualexpo as store
from ingest.store.virtualexpo import Result

T = TypeVar("T")

SOURCE = "virtualexpo"
_LEAD_TYPE = "application/xml; charset=utf-8"
_UNKNOWN_TYPE = "application/octet-stream"
_LEADS_AT_ONCE = 200
_DATABASE_WAITS_SECONDS = (0.5, 15.0)
_log = logger("virtualexpo")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is on record and to be made now. ``start_by`` is by the event loop's clock."""

    attempt_id: UUID
    name: str
    spec: VirtualExpoSubscription
    start_by: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an attempt may take: seconds for the whole transfer, bytes of the document."""

    patience: Patience
    whole_seconds: float
    document_bytes: int
    or_http: bool

    @classmethod
    def of(cls, settings: IngestSettings) -> Bounds:
        patience = Patience(
            settings.virtualexpo_connect_timeout_seconds, settings.virtualexpo_idle_timeout_seconds
        )
        return cls(
            patience,
            settings.virtualexpo_timeout_seconds,
            settings.virtualexpo_document_limit_bytes,
            settings.partners_over_http,
        )


class Fetcher:
    """Makes attempts that somebody else has claimed; any number at a time."""

    def __init__(self, database: Database, outgoing: Outgoing, clock: Clock, bounds: Bounds) -> None:
        self._database = database
        self._outgoing = outgoing
        self._clock = clock
        self._bounds = bounds
        self._transfers: set[asyncio.Timeout] = set()
        self._stopping = False

    def break_off(self) -> None:
        """End transfers that are under way; what they have brought is stored as ever."""
        self._stopping = True
        now = asyncio.get_running_loop().time()
        for transfer in self._transfers:
            transfer.reschedule(now)

    async def fetch(self, claimed: Claimed) -> Result:
        """Ask, store what came, write down what became of it. Nothing that the vendor does is raised."""
        with wide(
            "virtualexpo.attempt", subscription=claimed.name, attempt_id=str(claimed.attempt_id)
        ) as line:
            collected = Collected(self._bounds.document_bytes)
            broken = await self._transfer(claimed, collected)
            found = ending(broken, collected.faults, collected.leads)
            result = await self._write_down(claimed, collected, broken, found)
            line.outcome, line["code"], line["trial"] = result.outcome, result.code, claimed.spec.trial
            line.update(http_status=result.http_status, size_bytes=result.size_bytes)
            line.update(leads=result.leads, new_leads=result.new_leads)
        metrics.ATTEMPTS.labels(outcome=result.outcome, code=result.code).inc()
        return result

    async def _transfer(self, claimed: Claimed, collected: Collected) -> Broken | None:
        """Fill ``collected``; returns why the document did not come to its end."""
        broken: Broken | None = None
        try:
            async with asyncio.timeout(self._bounds.whole_seconds) as transfer:
                self._transfers.add(transfer)
                try:
                    await self._receive(claimed, collected)
                finally:
                    self._transfers.discard(transfer)
        except TransferError as error:
            broken = error.broken
        except TimeoutError:
            broken = Broken("stopped" if self._stopping else "timed_out")
        if broken is None or collected.body:
            await collected.end()
        return broken

    async def _receive(self, claimed: Claimed, collected: Collected) -> None:
        spec = claimed.spec
        try:
            must_be_https("/url", spec.url, or_http=self._bounds.or_http)
            address, headers = spec.address(await apart(lambda: resolve(spec.key)))
        except SecretUnreadableError:
            raise _not_asked("secret_unreadable") from None
        except InvalidSpec:
            raise _not_asked("http_not_allowed") from None
        if asyncio.get_running_loop().time() > claimed.start_by:
            # Somebody else may be about to ask by now.
            raise _not_asked("too_late")
        async with opened(address, headers, self._bounds.patience, self._clock.now()) as answer:
            collected.begin(answer.content_type)
            async for piece in answer.pieces:
                await collected.take(piece)
                if collected.is_too_large:
                    break

    async def _write_down(
        self, claimed: Claimed, collected: Collected, broken: Broken | None, found: Ending
    ) -> Result:
        """Leads first, in batches; then the attempt's end, with the document where it is to be kept."""
        new_leads = await self._store(claimed, collected.leads)
        kept = _kept(claimed, collected, found)
        drawn = await apart(lambda: report(collected.leads, claimed.spec.categories))
        result = Result(
            outcome=found.outcome,
            code=found.code,
            http_status=broken.status if broken else 200,
            size_bytes=len(collected.body),
            leads=len(collected.leads),
            new_leads=new_leads,
            quarantine_id=kept.arrival.raw_id if kept else None,
            faults=[asdict(fault) for fault in collected.faults],
            report=drawn if claimed.spec.trial else None,
        )

        async def end(conn: Connection) -> None:
            now = self._clock.now()
            if kept is not None:
                await arrivals.quarantine(conn, [kept], now, self._outgoing)
            await store.end(conn, claimed.attempt_id, claimed.name, result, now)
            if broken is not None and broken.retry_at is not None:
                await store.not_before(conn, claimed.name, broken.retry_at)

        await self._stubbornly(end)
        return result

    async def _store(self, claimed: Claimed, leads: Sequence[LeadDocument]) -> int:
        """How many of them were new. One whose bytes were too many is in the document, which is kept."""
        stored = 0
        arrived = (_arrival(claimed, lead) for lead in leads if lead.data)
        while batch := list(itertools.islice(arrived, _LEADS_AT_ONCE)):

            async def bring(conn: Connection, batch: Sequence[Arrival] = batch) -> int:
                return sum(await arrivals.store(conn, batch, self._clock.now(), self._outgoing))

            stored += await self._stubbornly(bring)
        return stored

    async def _stubbornly(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """As a transaction, until the database takes it: what the vendor gave us may come only once."""
        for wait in backoff.waits(*_DATABASE_WAITS_SECONDS):
            try:
                async with self._database.transaction() as conn:
                    return await act(conn)
            except Exception as error:
                if not is_out_of_reach(error):
                    raise
                _log.warning("virtualexpo.database_away", reason=type(error).__name__)
            pulse.beat()
            await asyncio.sleep(wait)
        raise AssertionError("waits never end")


def _arrival(claimed: Claimed, lead: LeadDocument) -> Arrival:
    """A lead of a trial, or of a category not selected, is another arrival than the lead that follows when
    the trial ends or the category is selected: that one must not count as known."""
    spec = claimed.spec
    attributes = {"categories": spec.selected, "correlationid": str(claimed.attempt_id)}
    key = lead.raw_id
    if lead.category not in spec.categories:
        key += " not selected"
    if spec.trial:
        key += " trial"
        attributes["trial"] = "true"
    return Arrival(SOURCE, claimed.name, key, lead.data, _LEAD_TYPE, attributes)


def _kept(claimed: Claimed, collected: Collected, found: Ending) -> Faulty | None:
    """The document for quarantine: the same one that comes again and again is kept once."""
    if found.keep is None or not collected.body:
        return None
    body = bytes(collected.body)
    arrival = Arrival(
        SOURCE,
        claimed.name,
        f"document {hashlib.sha256(body).hexdigest()}",
        body,
        collected.content_type or _UNKNOWN_TYPE,
        {"correlationid": str(claimed.attempt_id)},
    )
    lines = [f"{fault.code} in line {fault.line}" for fault in collected.faults if fault.line]
    detail = f"a fetched document: {found.code}" + (f" ({', '.join(lines)})" if lines else "")
    return Faulty(arrival, found.keep, detail)


def _not_asked(code: TransferCode) -> TransferError:
    return TransferError(Broken(code))
