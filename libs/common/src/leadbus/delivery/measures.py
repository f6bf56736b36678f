"""Figures of a sink: counted as tries end, and gathered from SQL every now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from leadbus import metrics
from leadbus.db import Connection
from leadbus.delivery.health import Change, Condition, Turn

OVERDUE_AFTER_SECONDS = 900.0
"""A quarter of an hour: a customer who asked is still at the desk, or was."""

_SINK = metrics.configured("name of the sink", 20)
_DESTINATION = metrics.configured("name of the destination, as configured", 200)
_UNWELL = (Condition.FAILING, Condition.PAUSED, Condition.SUSPENDED)

ATTEMPTS = metrics.counter(
    "leadbus_delivery_attempts_total",
    "Tries that ended, by what became of the delivery; those of test leads are not counted.",
    labels={
        "sink": _SINK,
        "outcome": (
            "delivered",
            "transient",
            "destination_down",
            "suspended",
            "ambiguous",
            "held",
            "refused",
            "gave_up",
            "skipped",
        ),
        "reason": metrics.configured("reason codes of the sink", 60),
    },
)
DURATION = metrics.histogram(
    "leadbus_delivery_attempt_duration_seconds",
    "Time one try took at the destination; test leads are not counted.",
    labels={"sink": _SINK},
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
AMBIGUOUS = metrics.counter(
    "leadbus_delivery_ambiguous_total",
    "Tries of which nobody knows whether they were taken; test leads are not counted.",
    labels={"sink": _SINK},
)
UNDELIVERED = metrics.gauge(
    "leadbus_undelivered_leads",
    "Deliveries without an end: never tried, being tried, to be retried, or held; no test leads.",
    labels={"sink": _SINK, "state": ("pending", "sending", "retrying", "held")},
)
OLDEST = metrics.gauge(
    "leadbus_oldest_undelivered_lead_timestamp_seconds",
    "When the oldest delivery without an end was planned (Unix time), 0 when there is none.",
    labels={"sink": _SINK},
)
OVERDUE = metrics.gauge(
    "leadbus_overdue_deliveries",
    "Deliveries without an end that were planned longer ago than `OVERDUE_AFTER_SECONDS`, whatever keeps "
    "them: the figure to raise an alarm on; no test leads.",
    labels={"sink": _SINK},
)
OLDEST_DUE_AGE = metrics.gauge(
    "leadbus_delivery_oldest_due_age_seconds",
    "For how long the delivery that waits longest for a free slot has been due.",
    labels={"sink": _SINK},
)
DESTINATIONS = metrics.gauge(
    "leadbus_destinations",
    "Destinations by health; a paused one counts as paused only.",
    labels={"sink": _SINK, "state": Condition},
)
HEALTH = metrics.gauge(
    "leadbus_destination_health",
    "1 while the destination is in this state, else 0; healthy is 0 in all.",
    labels={"sink": _SINK, "destination": _DESTINATION, "state": _UNWELL},
)
CHANGES = metrics.counter(
    "leadbus_destination_changes_total",
    "Turns of destinations' health, each counted by the replica that made it.",
    labels={"sink": _SINK, "destination": _DESTINATION, "change": Change},
)

# Two reads, because no index covers all three phases: one would read every delivery there ever was.
_BACKLOG = """
WITH undelivered AS (
    SELECT phase, destination, planned_at, not_before FROM delivery
     WHERE phase IN ('queued', 'waiting') AND NOT test
    UNION ALL
    SELECT phase, destination, planned_at, not_before FROM delivery WHERE phase = 'sending' AND NOT test
)
SELECT CASE WHEN phase = 'sending' THEN 'sending'
            WHEN health <> 'healthy' THEN 'held'
            WHEN phase = 'queued' THEN 'pending' ELSE 'retrying' END AS state,
       count(*) AS number, count(*) FILTER (WHERE planned_at < $2) AS overdue,
       extract(epoch FROM min(planned_at))::float8 AS oldest,
       extract(epoch FROM $1 - min(not_before))::float8 AS due_age
FROM undelivered LEFT JOIN destination ON destination.name = undelivered.destination
GROUP BY 1
"""

_HEALTHS = "SELECT name, health FROM destination"


async def gather(
    conn: Connection, sink: str, *, now: datetime, overdue_after_seconds: float = OVERDUE_AFTER_SECONDS
) -> None:
    """Set the gauges from the tables: two queries, to be asked a few times a minute at most."""
    overdue_before = now - timedelta(seconds=overdue_after_seconds)
    backlog = {row["state"]: row for row in await conn.fetch(_BACKLOG, now, overdue_before)}
    for state in ("pending", "sending", "retrying", "held"):
        UNDELIVERED.labels(sink=sink, state=state).set(backlog[state]["number"] if state in backlog else 0)
    OVERDUE.labels(sink=sink).set(sum(row["overdue"] for row in backlog.values()))
    OLDEST.labels(sink=sink).set(min((row["oldest"] for row in backlog.values()), default=0))
    due = [row["due_age"] for state, row in backlog.items() if state in ("pending", "retrying")]
    OLDEST_DUE_AGE.labels(sink=sink).set(max(0.0, *due) if due else 0)
    _set_health(sink, {row["name"]: Condition(row["health"]) for row in await conn.fetch(_HEALTHS)})


def count_turn(sink: str, turn: Turn) -> None:
    """To be called after the commit."""
    CHANGES.labels(sink=sink, destination=turn.destination, change=turn.change).inc()


def _set_health(sink: str, healths: Mapping[str, Condition]) -> None:
    counted = Counter(healths.values())
    for condition in Condition:
        DESTINATIONS.labels(sink=sink, state=condition).set(counted[condition])
    # Destinations beyond what the label may say share a series: it counts them.
    series: Counter[Any] = Counter()
    for name, health in healths.items():
        for condition in _UNWELL:
            series[HEALTH.labels(sink=sink, destination=name, state=condition)] += health is condition
    for gauge, number in series.items():
        gauge.set(number)
