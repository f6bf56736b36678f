"""What the mail listener counts."""

from __future__ import annotations

from leadbus import metrics
from leadbus.mailin.refusal import MailReason

PROTOCOLS = ("smtp", "lmtp")
OUTCOMES = ("taken", "repeated", "kept_apart", "ignored")

MAILS = metrics.counter(
    "leadbus_mail_taken_total",
    "Mails answered with 250, by what became of them: stored, known already, kept apart as no lead or no "
    "bounce of ours, or ignored.",
    labels={"protocol": PROTOCOLS, "outcome": OUTCOMES},
)
REFUSED = metrics.counter(
    "leadbus_mail_refused_total",
    "Mails, recipients and connections refused, by why.",
    labels={"protocol": PROTOCOLS, "reason": MailReason},
)
CONNECTIONS = metrics.gauge(
    "leadbus_mail_connections", "Connections that are open.", labels={"protocol": PROTOCOLS}
)
HELD_BYTES = metrics.gauge("leadbus_mail_held_bytes", "Bytes of mails that are coming or being stored.")
