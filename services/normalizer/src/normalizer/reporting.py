"""What is seen from outside: metrics, and one wide line per raw message. Ids and codes only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import get_args
from uuid import UUID

from leadbus import log, metrics
from leadbus.contracts.vocabulary import SOURCES, LinkReason, QuarantineReason
from leadbus.log import logger
from leadbus.metrics.catalogue import CounterMetric

from normalizer.deciding import Change, Told
from normalizer.domain.consents import Action
from normalizer.domain.declarations import ToldBy
from normalizer.domain.linking import NewLink
from normalizer.domain.raw import UNKNOWN_SOURCE, Raw
from normalizer.domain.revisions import Revision
from normalizer.store.acts import Waiting
from normalizer.store.quarantine import How, Verdict

_SOURCE = (*SOURCES, UNKNOWN_SOURCE)
_REASON = get_args(QuarantineReason)
_CHANGES = get_args(Change)
_AGES_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 180, 300, 900, 1800, 3600, 10800, 21600)

NORMALIZED = metrics.counter(
    "leadbus_raw_normalized_total",
    "Raw messages read and placed, by what they did: made a lead, revised or enriched one, changed nothing,"
    " wait for their lead, mere trial.",
    labels={"source": _SOURCE, "change": _CHANGES},
)
TESTS = metrics.counter(
    "leadbus_raw_test_messages_total",
    "Raw messages of tests, which no other figure of leads counts, by what became of them.",
    labels={"source": _SOURCE, "outcome": (*_CHANGES, "repeated", "quarantined", "released")},
)
DUPLICATES = metrics.counter(
    "leadbus_raw_repeats_total",
    "Raw messages that came again unchanged; `bare`: recognised by their content within the window.",
    labels={"source": _SOURCE, "kind": ("id", "bare")},
)
QUARANTINED = metrics.counter(
    "leadbus_raw_quarantined_total",
    "Raw messages that could not be read or placed, each time it happened.",
    labels={"source": _SOURCE, "reason": _REASON},
)
RELEASED = metrics.counter(
    "leadbus_raw_released_total",
    "Raw messages that left the quarantine.",
    labels={"source": _SOURCE, "how": get_args(How)},
)
OPEN = metrics.gauge(
    "leadbus_quarantine_open_messages",
    "Raw messages in quarantine now; messages of tests are not counted.",
    labels={"source": _SOURCE, "reason": _REASON},
)
UNROUTED = metrics.gauge(
    "leadbus_unrouted_leads",
    "Leads of the last 24 hours that every sink which spoke has skipped; test leads are not counted.",
)
WAITING = metrics.gauge(
    "leadbus_awaited_leads",
    "Leads of which a source has told more, and which have not come; those of tests are not counted.",
    labels={"source": _SOURCE},
)
WAITING_AGE = metrics.gauge(
    "leadbus_awaited_lead_oldest_age_seconds",
    "For how long the longest awaited of these leads is told of; 0 when none is.",
    labels={"source": _SOURCE},
)
UNINDEXED = metrics.gauge(
    "leadbus_unindexed_leads",
    "Leads that are not findable by today's rules and key yet: after an upgrade, or while the key changes.",
)
AGE = metrics.histogram(
    "leadbus_normalize_age_seconds",
    "From our door (or, for direct publishers, the queue) to a lead.",
    labels={"source": _SOURCE},
    buckets=_AGES_SECONDS,
)
TYPES_UNKNOWN = metrics.counter(
    "leadbus_lead_types_unknown_total",
    "Leads told with a type that nobody knows here, as often as they are told; tests are not counted.",
    labels={"source": SOURCES},
)
LINKED = metrics.counter(
    "leadbus_leads_linked_total",
    "Links that leads of a source were given to other leads of the same person; of tests none is counted.",
    labels={"source": SOURCES, "why": get_args(LinkReason)},
)
CONSENT_ACTS = metrics.counter(
    "leadbus_consent_acts_total",
    "Acts of consent that have reached every lead they concern, one for each contact of a person.",
    labels={"action": get_args(Action), "told_by": get_args(ToldBy)},
)
CONSENTS_CHANGED = metrics.counter(
    "leadbus_consents_changed_total",
    "Leads whose consent became another by an act that came after them; test leads are not counted.",
    labels={"source": SOURCES},
)
CONSENT_AGE = metrics.gauge(
    "leadbus_consent_act_oldest_age_seconds",
    "For how long the oldest act of consent waits to reach all leads it concerns; 0 when none does.",
)
LEDGER = metrics.counter(
    "leadbus_ledger_events_total",
    "Events of sinks about deliveries, as consumed for the lead ledger; test leads are not counted.",
    labels={"state": ("delivered", "failed", "skipped")},
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_log = logger("normalizer")


def report_told(told: Sequence[Told], now: datetime) -> None:
    """Raw messages that were read and placed."""
    for (source, change, test), number in Counter(
        (one.raw.source, one.change, one.test) for one in told
    ).items():
        if test:
            TESTS.labels(source=source, outcome=change).inc(number)
        else:
            NORMALIZED.labels(source=source, change=change).inc(number)
    for source, number in Counter(
        one.raw.source for one in told if one.type_unknown and not one.test
    ).items():
        TYPES_UNKNOWN.labels(source=source).inc(number)
    ages_seconds = [max(0.0, (now - one.raw.received_at).total_seconds()) for one in told]
    _observe_ages(told, ages_seconds)
    log.each(
        "normalizer",
        "raw.normalized",
        [
            {
                **_named(one.raw),
                "test": one.test,
                "outcome": one.change,
                "lead_id": one.lead_id,
                "revision": one.revision,
                "warnings": one.warnings,
                "age_ms": round(age_seconds * 1000),
            }
            for one, age_seconds in zip(told, ages_seconds, strict=True)
        ],
    )


def _observe_ages(told: Sequence[Told], ages_seconds: Sequence[float]) -> None:
    series = {source: AGE.labels(source=source) for source in {one.raw.source for one in told}}
    for one, age_seconds in zip(told, ages_seconds, strict=True):
        if one.change == "received" and not one.test:
            series[one.raw.source].observe(age_seconds)


def report_quarantined(verdicts: Iterable[Verdict]) -> None:
    for verdict in verdicts:
        _count(verdict.raw, QUARANTINED, "quarantined", reason=verdict.reason)
        _log.warning(
            "raw.quarantined",
            **_named(verdict.raw),
            outcome="quarantined",
            reason=verdict.reason,
            field=verdict.field,
            value_kind=verdict.value_kind,
            detail=verdict.detail,
        )


def report_duplicates(raws: Sequence[Raw]) -> None:
    for raw in raws:
        _count(raw, DUPLICATES, "repeated", kind="bare" if raw.bare else "id")
    log.each("normalizer", "raw.duplicate", [{**_named(raw), "outcome": "duplicate"} for raw in raws])


def report_linked(links: Iterable[NewLink]) -> None:
    for link, number in Counter(links).items():
        LINKED.labels(source=link.source, why=link.why).inc(number)


def report_released(raw: Raw, how: How) -> None:
    _count(raw, RELEASED, "released", how=how)
    _log.info("raw.released", **_named(raw), outcome="released", how=how)


def report_consents(act: Waiting, revisions: Sequence[Revision], ended: bool) -> None:
    """A batch of leads that an act of consent was laid over, and perhaps its last."""
    if ended:
        CONSENT_ACTS.labels(action=act.action, told_by=act.told_by).inc()
    changed = [revision.lead for revision in revisions]
    for source, number in Counter(lead.source for lead in changed if not lead.test).items():
        CONSENTS_CHANGED.labels(source=source).inc(number)
    log.each(
        "normalizer",
        "lead.consent_changed",
        [
            {
                "lead_id": lead.lead_id,
                "revision": lead.revision,
                "outcome": lead.consent.basis,
                "test": lead.test,
            }
            for lead in changed
        ],
    )


def report_oldest_act(since: datetime | None, now: datetime) -> None:
    CONSENT_AGE.set(max(0.0, (now - since).total_seconds()) if since else 0.0)


def report_open(counts: dict[tuple[str, str], int]) -> None:
    """Set the gauge; what is not counted any more goes to zero."""
    for source in _SOURCE:
        for reason in _REASON:
            OPEN.labels(source=source, reason=reason).set(counts.get((source, reason), 0))


def report_waiting(leads: Mapping[str, tuple[int, datetime]], now: datetime) -> None:
    """{source: (awaited leads, since when)}; what is not counted any more goes to zero."""
    for source in _SOURCE:
        number, since = leads.get(source, (0, now))
        WAITING.labels(source=source).set(number)
        WAITING_AGE.labels(source=source).set(max(0.0, (now - since).total_seconds()))


def _count(raw: Raw, counter: CounterMetric, outcome: str, **labels: str) -> None:
    """Messages of tests count as such and as nothing else."""
    if raw.test:
        TESTS.labels(source=raw.source, outcome=outcome).inc()
    else:
        counter.labels(source=raw.source, **labels).inc()


def _named(raw: Raw) -> dict[str, object]:
    """With the wire id only where it has the form of ours: a foreign sender may have put anything there."""
    named = {"source": raw.source, "raw_key": raw.key, "size_bytes": len(raw.body), "test": raw.test}
    return named | {"raw_id": UUID(raw.wire_id)} if _UUID.fullmatch(raw.wire_id) else named
