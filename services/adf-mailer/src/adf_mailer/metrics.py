"""What this service counts beside what the shared library counts for every sink."""

from __future__ import annotations

from typing import get_args

from leadbus import metrics

from adf_mailer.domain.bounces.judging import Verdict
from adf_mailer.domain.bounces.report import Kind
from adf_mailer.domain.element import WARNING_CODES
from adf_mailer.domain.recipients import ROLES
from adf_mailer.domain.routing import UnroutedReason
from adf_mailer.domain.sensitive import KINDS

CONNECTIONS = metrics.counter(
    "leadbus_smtp_connections_total",
    "SMTP connections by what happened: opened, reused for another mail, discarded in doubt.",
    labels={"event": ("opened", "reused", "discarded")},
)
RESPONSES = metrics.counter(
    "leadbus_smtp_responses_total",
    "Deciding SMTP replies by class and by the first two digits of their enhanced status code.",
    labels={
        "class": ("2xx", "4xx", "5xx", "lost"),
        "enhanced": (*(f"{kind}.{subject}" for kind in (2, 4, 5) for subject in range(8)), "none"),
    },
)
IN_DOUBT = metrics.counter(
    "leadbus_smtp_in_doubt_total",
    "Mails whose answer after the final dot is missing: the host may have them.",
)
_HOST = metrics.configured("host:port of a smart host, as set", 20)
HOST_RESULTS = metrics.counter(
    "leadbus_smtp_host_results_total",
    "Mails by smart host and what it did: answered (yes or no), deferred, failed, refused us, left in doubt.",
    labels={"host": _HOST, "result": ("answered", "deferred", "failed", "refused_us", "in_doubt")},
)
HOST_RESTING = metrics.gauge(
    "leadbus_smtp_host_resting",
    "1 while the smart host failed last and is left alone if there are others, else 0.",
    labels={"host": _HOST},
)
FAILOVERS = metrics.counter(
    "leadbus_smtp_failovers_total",
    "Mails that another smart host answered within the try in which one had failed.",
)
HOST_SLOWED = metrics.gauge(
    "leadbus_smtp_host_slowed",
    "1 while the smart host, which asked for less (421, 4.7.x), is not sent to at full speed again, else 0.",
    labels={"host": _HOST},
)
SLOWED_DOMAINS = metrics.gauge(
    "leadbus_smtp_slowed_domains",
    "Recipient domains that asked this replica to slow down (421, 4.7.x) and are not up to speed again.",
)
WARNINGS = metrics.counter(
    "leadbus_adf_warnings_total",
    "Oddities met while rendering ADF documents.",
    labels={"code": WARNING_CODES},
)
SENSITIVE = metrics.counter(
    "leadbus_adf_sensitive_total",
    "Mails in which personal data was masked, and deliveries held back for it, by kind; not of tests.",
    labels={"kind": KINDS, "action": ("masked", "held")},
)
MAILS = metrics.counter(
    "leadbus_adf_mails_total",
    "Mails written about leads, by the status they say and by whom they are for.",
    labels={"status": ("new", "resend"), "role": ROLES},
)
UNROUTED = metrics.counter(
    "leadbus_adf_unrouted_total",
    "Times a lead was told of that no route took: its dealer has none, none that matches, or they are off.",
    labels={"reason": get_args(UnroutedReason)},
)
RELEASED = metrics.counter(
    "leadbus_adf_released_total",
    "Leads that no route took, and that got their mails when one appeared, by why it was none before.",
    labels={"reason": get_args(UnroutedReason)},
)
POISON = metrics.counter(
    "leadbus_adf_poison_total",
    "Messages of adf-mailer.leads that could not be read and were set aside.",
    labels={"reason": ("envelope_invalid", "unsupported_type", "payload_invalid", "id_reused", "failed")},
)
REPEATS = metrics.counter(
    "leadbus_adf_repeats_total",
    "Messages of adf-mailer.leads that came again and changed nothing.",
)
SILENT_DEALERS = metrics.gauge(
    "leadbus_adf_silent_dealers",
    "Dealers without a lead today of whom, as far as the last four weeks tell, leads would have come by now.",
)
BOUNCES = metrics.counter(
    "leadbus_adf_bounces_total",
    "What came back to the return path, by its form and by what it means; unmatched: of no known mail.",
    labels={"kind": Kind, "class": (*(one.value for one in Verdict), "unmatched")},
)
END_TO_END = metrics.histogram(
    "leadbus_lead_end_to_end_seconds",
    "From the lead's arrival at our door to the destination's acceptance.",
    labels={"sink": ("adf-mailer", "amocrm-sync")},
    buckets=(1, 5, 15, 30, 60, 180, 300, 900, 1800, 3600, 10800, 21600),
)
SUSPENDED_ADDRESSES = metrics.gauge(
    "leadbus_adf_suspended_addresses",
    "Addresses that refused several mails in a row, as no such mailbox or for who we are; what is for them "
    "waits or takes an alternate address.",
)
