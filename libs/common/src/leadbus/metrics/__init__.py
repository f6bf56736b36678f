"""Metrics: declared beside the code that moves them, collected into one catalogue, labels bounded.

    from leadbus import metrics

    ACCEPTED = metrics.counter(
        "leadbus_leads_accepted_total",
        "Raw messages taken with 202.",
        labels={"source": SOURCES, "outcome": ("accepted", "duplicate")},
    )
    ACCEPTED.labels(source="bdk", outcome="accepted").inc()

Label values are a closed set (any iterable of words or an Enum class), or `metrics.configured(...)` for names
that come from settings. A value outside its set is counted as `other` and logged once.
"""

from leadbus.metrics.catalogue import CATALOGUE, REGISTRY, counter, exposition, gauge, histogram
from leadbus.metrics.labels import OTHER, Configured, configured

__all__ = [
    "CATALOGUE",
    "OTHER",
    "REGISTRY",
    "Configured",
    "configured",
    "counter",
    "exposition",
    "gauge",
    "histogram",
]
