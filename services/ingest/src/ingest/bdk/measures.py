"""What the way in from the BDK counts."""

from __future__ import annotations

from leadbus import metrics

from ingest.bdk.outcome import Outcome

CONNECTIONS = metrics.configured("names of `BdkConnection` settings")
_NOTIFIED = (
    "lead",
    "lead_repeated",
    "to_fetch",
    "proof_invalid",
    "disabled",
    "ambiguous",
    "unreadable",
    "refused",
    "unavailable",
)

NOTIFICATIONS = metrics.counter(
    "leadbus_bdk_notifications_total",
    "Notifications of the BDK by what they came to: the lead itself, one to be fetched, or why not taken.",
    labels={"outcome": _NOTIFIED},
)
READS = metrics.counter(
    "leadbus_bdk_reads_total", "Tries to fetch a lead from the BDK.", labels={"outcome": Outcome}
)
LISTS = metrics.counter(
    "leadbus_bdk_lists_total",
    "Lists of leads asked of the BDK, each with all its pages.",
    labels={"outcome": Outcome},
)
TOKENS = metrics.counter(
    "leadbus_bdk_tokens_total",
    "Access tokens asked for at the BDK's token endpoint.",
    labels={"outcome": Outcome},
)
MISSED = metrics.counter(
    "leadbus_bdk_leads_found_by_list_total",
    "Leads that a list was the first to tell of: no notification had come.",
)
WAITING = metrics.gauge(
    "leadbus_bdk_reads_waiting",
    "Leads of the BDK that are not fetched: due, held for a person, or given up.",
    labels={"connection": CONNECTIONS, "state": ("due", "held", "given_up")},
)
OLDEST = metrics.gauge(
    "leadbus_bdk_oldest_due_age_seconds",
    "How long ago the first lead was told of that is due and not fetched, 0 without any.",
    labels={"connection": CONNECTIONS},
)
NEEDS_PERSON = metrics.gauge(
    "leadbus_bdk_needs_person",
    "1 while a connection needs a person: its login is refused, or the BDK shows it some leads or lists not.",
    labels={"connection": CONNECTIONS},
)
LISTED_AGE = metrics.gauge(
    "leadbus_bdk_list_age_seconds",
    "Until how long ago the changes of all the connection's partner numbers are known; 0 without lists.",
    labels={"connection": CONNECTIONS},
)
