"""Figures of the outbox; its oldest age is the honest sign of a broker that takes nothing."""

from __future__ import annotations

from leadbus import metrics

PENDING = metrics.gauge(
    "leadbus_outbox_pending", "Messages that are written and not confirmed by the broker yet."
)
OLDEST_AGE = metrics.gauge(
    "leadbus_outbox_oldest_age_seconds", "Age of the oldest message that is not confirmed yet, 0 without any."
)
PUBLISHED = metrics.counter(
    "leadbus_outbox_published_total",
    "Messages published and confirmed.",
    labels={"lane": ("leads", "bulk")},
)
FAILURES = metrics.counter(
    "leadbus_outbox_publish_failures_total",
    "Publishes that were not confirmed; the message stays in the outbox.",
    labels={"reason": ("returned", "refused", "unknown", "unpublishable")},
)
