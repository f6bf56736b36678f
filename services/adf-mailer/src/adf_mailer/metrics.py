"""What this service counts beside what the shared library counts for every sink."""

from __future__ import annotations

from leadbus import metrics

from adf_mailer.domain.bounces.judging import Verdict
from adf_mailer.domain.bounces.report import Kind
from adf_mailer.domain.element import WARNING_CODES

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
WARNINGS = metrics.counter(
    "leadbus_adf_warnings_total",
    "Oddities met while rendering ADF documents.",
    labels={"code": WARNING_CODES},
)
MAILS = metrics.counter(
    "leadbus_adf_mails_total",
    "ADF mails written, by the status they say.",
    labels={"status": ("new", "resend")},
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
