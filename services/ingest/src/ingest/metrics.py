"""What the door counts."""

from __future__ import annotations

from typing import get_args

from leadbus import metrics
from leadbus.contracts import SOURCES
from leadbus.contracts.vocabulary import QuarantineReason

from ingest.domain.refusal import Reason
from ingest.domain.repetition import Verdict
from ingest.sources.setting import PUSHED

NO_SOURCE = "unknown"

ACCEPTED = metrics.counter(
    "leadbus_raw_accepted_total", "Raw messages taken with 202 and stored.", labels={"source": PUSHED}
)
ACCEPTED_BYTES = metrics.counter(
    "leadbus_raw_accepted_bytes_total", "Bytes of the bodies that were stored.", labels={"source": PUSHED}
)
TESTS = metrics.counter(
    "leadbus_raw_test_requests_total",
    "Requests marked as tests, which no other figure of raw messages counts, by what became of them.",
    labels={
        "source": (*PUSHED, NO_SOURCE),
        "outcome": ("accepted", "duplicate", "refused", "unavailable"),
    },
)
DUPLICATES = metrics.counter(
    "leadbus_raw_duplicates_total",
    "Requests answered with a message taken before, by what gave them away.",
    labels={"source": PUSHED, "by": (Verdict.SAME_KEY, Verdict.SAME_CONTENT)},
)
REFUSED = metrics.counter(
    "leadbus_raw_refused_total",
    "Requests the door refused; nothing of them is stored.",
    labels={"source": (*PUSHED, NO_SOURCE), "reason": Reason},
)
UNAVAILABLE = metrics.counter(
    "leadbus_raw_unavailable_total",
    "Requests answered 503 because the database was away.",
    labels={"source": PUSHED},
)
ACCEPT_SECONDS = metrics.histogram(
    "leadbus_raw_accept_seconds",
    "From the request's head to the commit, of messages taken or recognised.",
    labels={"source": PUSHED},
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ARRIVED = metrics.counter(
    "leadbus_raw_arrived_total",
    "Bodies that ingest fetched or received itself, by what became of them. Marked tests are only counted.",
    labels={"source": SOURCES, "outcome": ("stored", "repeated", "test")},
)
QUARANTINED = metrics.counter(
    "leadbus_raw_kept_back_total",
    "Bodies that ingest fetched or received itself and keeps unpublished, by why.",
    labels={"source": SOURCES, "reason": get_args(QuarantineReason)},
)
