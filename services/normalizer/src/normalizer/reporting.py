"""What is seen from outside: metrics, and one wide line per raw message. Ids and codes only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from leadbus import metrics
from leadbus.contracts.vocabulary import SOURCES, QuarantineReason
from leadbus.log import logger

from normalizer.domain.raw import UNKNOWN_SOURCE, Raw
from normalizer.normalizing import Told
from normalizer.store.quarantine import How, Verdict

_SOURCE = (*SOURCES, UNKNOWN_SOURCE)
_REASON = get_args(QuarantineReason)
_AGES_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 180, 300, 900, 1800, 3600, 10800, 21600)

NORMALIZED = metrics.counter(
    "leadbus_raw_normalized_total",
    "Raw messages read and placed, by what they did: made a lead, revised one, changed nothing, mere trial.",
    labels={"source": _SOURCE, "change": ("received", "updated", "unchanged", "trial")},
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
    "Raw messages in quarantine now.",
    labels={"source": _SOURCE, "reason": _REASON},
)
UNROUTED = metrics.gauge(
    "leadbus_unrouted_leads",
    "Leads of the last 24 hours that every sink which spoke has skipped; test leads are not counted.",
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
LEDGER = metrics.counter(
    "leadbus_ledger_events_total",
    "Events of sinks about deliveries, as consumed for the lead ledger.",
    labels={"state": ("delivered", "failed", "skipped")},
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_log = logger("normalizer")


def report_told(told: Iterable[Told], now: datetime) -> None:
    """Raw messages that were read and placed; of test leads no age is measured."""
    for one in told:
        raw = one.raw
        age_seconds = max(0.0, (now - raw.received_at).total_seconds())
        NORMALIZED.labels(source=raw.source, change=one.change).inc()
        if one.change == "received" and not raw.test:
            AGE.labels(source=raw.source).observe(age_seconds)
        _log.info(
            "raw.normalized",
            **_named(raw),
            outcome=one.change,
            lead_id=str(one.lead_id),
            revision=one.revision,
            warnings=one.warnings,
            age_ms=round(age_seconds * 1000),
        )


def report_quarantined(verdicts: Iterable[Verdict]) -> None:
    for verdict in verdicts:
        QUARANTINED.labels(source=verdict.raw.source, reason=verdict.reason).inc()
        _log.warning(
            "raw.quarantined",
            **_named(verdict.raw),
            outcome="quarantined",
            reason=verdict.reason,
            field=verdict.field,
            value_kind=verdict.value_kind,
            detail=verdict.detail,
        )


def report_duplicates(raws: Iterable[Raw]) -> None:
    for raw in raws:
        DUPLICATES.labels(source=raw.source, kind="bare" if raw.bare else "id").inc()
        _log.info("raw.duplicate", **_named(raw), outcome="duplicate")


def report_released(raw: Raw, how: How) -> None:
    RELEASED.labels(source=raw.source, how=how).inc()
    _log.info("raw.released", **_named(raw), outcome="released", how=how)


def report_open(counts: dict[tuple[str, str], int]) -> None:
    """Set the gauge; what is not counted any more goes to zero."""
    for source in _SOURCE:
        for reason in _REASON:
            OPEN.labels(source=source, reason=reason).set(counts.get((source, reason), 0))


def _named(raw: Raw) -> dict[str, object]:
    """With the wire id only where it has the form of ours: a foreign sender may have put anything there."""
    named = {"source": raw.source, "raw_key": str(raw.key), "size_bytes": len(raw.body), "test": raw.test}
    return named | {"raw_id": raw.wire_id} if _UUID.fullmatch(raw.wire_id) else named
