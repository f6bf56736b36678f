"""The system's metrics beside its tables: what was counted while a run lasted, and what there is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import asyncpg
import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.guarantees.system import Surface


@dataclass(frozen=True, slots=True)
class Entry:
    """A counter of a service, and the rows of its database that it must have counted."""

    service: str
    sample: str
    labels: Mapping[str, str]
    rows: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """A gauge of a service, summed over the labels not given, and the rows that it must be showing."""

    service: str
    sample: str
    rows: str


_ATTEMPTS = "leadbus_delivery_attempts_total"
COUNTERS = (
    Entry("ingest", "leadbus_raw_accepted_total", {}, "SELECT count(*) FROM raw WHERE key_id IS NOT NULL"),
    Entry(
        "ingest",
        "leadbus_outbox_published_total",
        {},
        "SELECT count(*) FROM raw WHERE published_at IS NOT NULL",
    ),
    Entry("normalizer", "leadbus_raw_normalized_total", {"change": "received"}, "SELECT count(*) FROM lead"),
    Entry("normalizer", "leadbus_raw_quarantined_total", {}, "SELECT count(*) FROM quarantine"),
    Entry(
        "adf-mailer",
        _ATTEMPTS,
        {"outcome": "delivered"},
        "SELECT count(*) FROM attempt WHERE outcome = 'delivered'",
    ),
    Entry(
        "adf-mailer",
        _ATTEMPTS,
        {"outcome": "refused"},
        "SELECT count(*) FROM attempt WHERE outcome = 'refused'",
    ),
    Entry(
        "adf-mailer",
        "leadbus_delivery_ambiguous_total",
        {},
        "SELECT count(*) FROM attempt WHERE ambiguous",
    ),
)
QUARANTINED = Backlog(
    "normalizer",
    "leadbus_quarantine_open_messages",
    "SELECT count(*) FROM quarantine WHERE state = 'open'",
)
UNDELIVERED = Backlog(
    "adf-mailer",
    "leadbus_undelivered_leads",
    "SELECT count(*) FROM delivery WHERE phase IN ('queued', 'sending', 'waiting')",
)
BACKLOGS = (
    QUARANTINED,
    UNDELIVERED,
    *(
        Backlog(service, "leadbus_outbox_pending", "SELECT count(*) FROM outbox")
        for service in ("ingest", "normalizer", "adf-mailer")
    ),
)

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True, slots=True)
class Books:
    """Counters by process (its name and when it began), and rows by statement, at one moment."""

    counted: Mapping[tuple[str, float], Samples]
    rows: Mapping[tuple[str, str], int]

    @classmethod
    async def open(cls, system: Surface) -> Books:
        """As things stand now."""
        scraped = {name: await scrape(process.url) for name, process in system.stack.services.items()}
        counted = {
            (name, _value(samples, "process_start_time_seconds")): samples
            for name, samples in scraped.items()
        }
        return cls(counted, await count_rows(system, {(one.service, one.rows) for one in COUNTERS}))

    def since(self, before: Books, entry: Entry) -> tuple[float, int]:
        """What processes that live now counted since `before`, and the rows that came since."""
        counted = 0.0
        for (name, began), samples in self.counted.items():
            if _of(name, entry.service):
                earlier = before.counted.get((name, began), {})
                counted += _value(samples, entry.sample, entry.labels)
                counted -= _value(earlier, entry.sample, entry.labels)
        rows = entry.service, entry.rows
        return counted, self.rows[rows] - before.rows[rows]


async def imbalances(system: Surface, before: Books, unsure: Collection[str]) -> object:
    """True, or the counters that do not balance with their tables, with both figures.

    `unsure`: services of which processes were killed, or whose commits may have been answered by nobody;
    they may have counted less than there is, and never more.
    """
    now = await Books.open(system)
    wrong: dict[str, tuple[float, int]] = {}
    for entry in COUNTERS:
        counted, rows = now.since(before, entry)
        if counted > rows or (counted < rows and entry.service not in unsure):
            wrong[f"{entry.service} {entry.sample}{dict(entry.labels) or ''}"] = (counted, rows)
    return wrong or True


async def backlog_differences(system: Surface) -> object:
    """True, or the gauges of every process that do not show what its tables hold."""
    rows = await count_rows(system, {(one.service, one.rows) for one in BACKLOGS})
    wrong = {}
    for name, process in system.stack.services.items():
        samples = await scrape(process.url)
        for one in BACKLOGS:
            if _of(name, one.service):
                shown = _value(samples, one.sample)
                if shown != rows[one.service, one.rows]:
                    wrong[f"{name} {one.sample}"] = (shown, rows[one.service, one.rows])
    return wrong or True


async def scrape(url: str) -> Samples:
    """A process' metrics: value by name and labels."""
    async with httpx2.AsyncClient(timeout=20) as client:
        text = (await client.get(f"{url}/metrics")).raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def count_rows(system: Surface, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """What each (service, statement) counts."""
    urls = system.database_urls()
    connections = {
        service: await asyncpg.connect(urls[service], timeout=10, command_timeout=30)
        for service in {service for service, _ in wanted}
    }
    try:
        return {(service, rows): int(await connections[service].fetchval(rows)) for service, rows in wanted}
    finally:
        await asyncio.gather(*(connection.close() for connection in connections.values()))


def dead_tasks(samples: Samples) -> list[str]:
    """Supervised tasks that do not run."""
    return [
        dict(labels)["task"]
        for (name, labels), value in samples.items()
        if name == "leadbus_task_alive" and value != 1
    ]


def _value(samples: Samples, name: str, labels: Mapping[str, str] | None = None) -> float:
    """The sum over every sample of that name whose labels include `labels`."""
    wanted = set((labels or {}).items())
    return sum(value for (sample, stated), value in samples.items() if sample == name and wanted <= stated)


def _of(process: str, service: str) -> bool:
    """Whether a process (`ingest-2`) is one of the service."""
    return re.fullmatch(rf"{re.escape(service)}(-\d+)?", process) is not None
