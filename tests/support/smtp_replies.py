"""The table of `rules/replies.md`: what each answer of an SMTP server makes of a delivery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adf_mailer.delivery.replies import Step
from leadbus.delivery.breaker import Signal
from leadbus_devstack.smtp.scripted import DROP, HANG

DOWN = (30.0, 120.0, 300.0, 900.0, 1800.0, 1800.0)
DEFERRED = (180.0, 300.0, 900.0, 1800.0, 3600.0, 3600.0)
OTHER = (300.0, 900.0, 1800.0, 3600.0, 3600.0)
FULL = (900.0, 1800.0, 3600.0, 3600.0)
ALIKE = (30.0, 30.0)
"""Waits of a suspended destination's deliveries: what counts are the slow probes."""
ENDED: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """`said` at `step` becomes `outcome` for `reason`; `waits` are the next ones, without jitter."""

    id: str
    step: Step
    said: Any
    outcome: str
    reason: str | None
    waits: tuple[float, ...]
    blamed: Signal

    @property
    def script(self) -> dict[str, Any]:
        """For a scripted server."""
        return {"dot" if self.step is Step.CONTENT else self.step.value: self.said}


def down(id_: str, step: Step, said: Any, reason: str) -> Row:
    return Row(id_, step, said, "destination_down", reason, DOWN, Signal.DOWN)


def suspended(id_: str, step: Step, said: str, reason: str) -> Row:
    return Row(id_, step, said, "suspended", reason, ALIKE, Signal.SUSPEND)


def later(id_: str, step: Step, said: str, reason: str, waits: tuple[float, ...]) -> Row:
    return Row(id_, step, said, "transient", reason, waits, Signal.UP)


def refused(id_: str, step: Step, said: str, reason: str) -> Row:
    return Row(id_, step, said, "refused", reason, ENDED, Signal.UP)


TAKEN = Row("RC1-250", Step.CONTENT, "250 2.0.0 queued", "delivered", None, ENDED, Signal.UP)
LOST = [
    down("RC2h-no-greeting", Step.CONNECT, HANG, "connect_timeout"),
    down("RC2i-dropped", Step.CONNECT, DROP, "connect_failed"),
    down("RC2j-tls-timeout", Step.STARTTLS, HANG, "timeout"),
    down("RC2k-tls-dropped", Step.STARTTLS, DROP, "connection_lost"),
    down("RC2l-silence-before-the-text", Step.RCPT, HANG, "timeout"),
]
"""No answer at all."""
REPLIES = [
    down("RC2a-421-greeting", Step.CONNECT, "421 4.3.2 busy", "service_unavailable"),
    down("RC2b-421-ehlo", Step.EHLO, "421 4.3.2 busy", "service_unavailable"),
    down("RC2c-421-mail", Step.MAIL, "421 4.7.0 slow", "service_unavailable"),
    down("RC2d-421-rcpt", Step.RCPT, "421 4.7.0 slow", "service_unavailable"),
    down("RC2e-421-data", Step.DATA, "421 4.4.2 bye", "service_unavailable"),
    down("RC2f-421-dot", Step.CONTENT, "421 4.3.2 stopping", "service_unavailable"),
    down("RC2g-4xx-greeting", Step.CONNECT, "450 4.3.2 later", "host_refused"),
    later("RC3a-450", Step.RCPT, "450 busy", "mailbox_busy", DEFERRED),
    later("RC3b-450-4.2.1", Step.RCPT, "450 4.2.1 busy", "mailbox_busy", DEFERRED),
    later("RC3c-451", Step.RCPT, "451 local error", "deferred", DEFERRED),
    later("RC3d-451-mail", Step.MAIL, "451 4.3.0 later", "deferred", DEFERRED),
    later("RC3e-451-dot", Step.CONTENT, "451 4.3.0 later", "deferred", DEFERRED),
    later("RC3f-4.7.1", Step.RCPT, "451 4.7.1 greylisted", "greylisted", DEFERRED),
    later("RC3g-4.7.1-of-another-code", Step.RCPT, "471 4.7.1 greylisted", "greylisted", DEFERRED),
    later("RC3h-other-4xx", Step.RCPT, "471 odd", "deferred", OTHER),
    later("RC4a-452", Step.RCPT, "452 no room", "storage_full", FULL),
    later("RC4b-452-4.3.1", Step.CONTENT, "452 4.3.1 disk", "storage_full", FULL),
    later("RC4c-4.2.2", Step.RCPT, "452 4.2.2 full", "mailbox_full", FULL),
    later("RC4d-4.2.2-of-another-code", Step.RCPT, "450 4.2.2 full", "mailbox_full", FULL),
    later("RC4e-4.5.3", Step.RCPT, "452 4.5.3 too many", "too_many_recipients", FULL),
    down("RC5a-454-starttls", Step.STARTTLS, "454 4.7.0 not now", "tls_or_auth_unavailable"),
    down("RC5b-454-auth", Step.AUTH, "454 4.7.0 not now", "tls_or_auth_unavailable"),
    down("RC5c-454-rcpt", Step.RCPT, "454 4.7.0 not now", "tls_or_auth_unavailable"),
    refused("RC6a-500", Step.MAIL, "500 5.5.2 what", "protocol"),
    refused("RC6b-501", Step.MAIL, "501 5.5.4 syntax", "protocol"),
    refused("RC6c-502", Step.RCPT, "502 5.5.1 not implemented", "protocol"),
    refused("RC6d-503", Step.RCPT, "503 5.5.1 sequence", "protocol"),
    refused("RC6e-504", Step.RCPT, "504 5.5.4 parameter", "protocol"),
    refused("RC6f-555", Step.MAIL, "555 5.5.4 parameter", "protocol"),
    refused("RC6g-501-5.1.3", Step.RCPT, "501 5.1.3 bad syntax", "bad_address"),
    suspended("RC7a-530", Step.MAIL, "530 5.7.0 log in first", "auth_required"),
    suspended("RC7b-534", Step.AUTH, "534 5.7.9 too weak", "auth_refused"),
    suspended("RC7c-535", Step.AUTH, "535 5.7.8 wrong", "auth_refused"),
    suspended("RC7d-535-rcpt", Step.RCPT, "535 5.7.8 wrong", "auth_refused"),
    suspended("RC7e-521-greeting", Step.CONNECT, "521 takes no mail", "takes_no_mail"),
    suspended("RC7f-521-mail", Step.MAIL, "521 takes no mail", "takes_no_mail"),
    refused("RC8a-550", Step.RCPT, "550 no such", "bad_address"),
    refused("RC8b-550-5.1.1", Step.RCPT, "550 5.1.1 no such user", "bad_address"),
    refused("RC8c-550-5.1.2", Step.RCPT, "550 5.1.2 no such host", "bad_address"),
    refused("RC8d-551", Step.RCPT, "551 moved", "bad_address"),
    refused("RC8e-553", Step.RCPT, "553 not allowed", "bad_address"),
    refused("RC8f-556", Step.RCPT, "556 takes no mail", "bad_address"),
    refused("RC8g-5.1.10", Step.RCPT, "550 5.1.10 null MX", "bad_address"),
    refused("RC8h-521-rcpt", Step.RCPT, "521 its host takes no mail", "bad_address"),
    refused("RC8i-5.2.1", Step.RCPT, "550 5.2.1 disabled", "bad_address"),
    refused("RC8j-5.1.1-dot", Step.CONTENT, "550 5.1.1 no such user", "bad_address"),
    refused("RC8k-556-dot", Step.CONTENT, "556 null MX", "bad_address"),
    refused("RC9a-550-5.7.1", Step.RCPT, "550 5.7.1 not you", "policy"),
    refused("RC9b-554-5.7.1", Step.CONTENT, "554 5.7.1 spam", "policy"),
    refused("RC9c-5.7.20-dkim", Step.CONTENT, "550 5.7.20 no signature", "policy"),
    refused("RC9d-5.7.26-dmarc", Step.CONTENT, "550 5.7.26 not aligned", "policy"),
    later("RC10a-552-5.2.2", Step.RCPT, "552 5.2.2 full", "mailbox_full", FULL),
    later("RC10b-552-rcpt", Step.RCPT, "552 over quota", "mailbox_full", FULL),
    refused("RC10c-552-5.3.4", Step.CONTENT, "552 5.3.4 too big", "too_large"),
    refused("RC10d-552-mail", Step.MAIL, "552 too big", "too_large"),
    refused("RC10e-552-dot", Step.CONTENT, "552 too big", "too_large"),
    refused("RC11a-554-5.6.0", Step.CONTENT, "554 5.6.0 mime", "content_refused"),
    refused("RC11b-554-5.6.1", Step.CONTENT, "554 5.6.1 media", "content_refused"),
    refused("RC11c-554", Step.CONTENT, "554 no", "content_refused"),
]
