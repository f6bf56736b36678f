"""What adf-mailer keeps for how long."""

from __future__ import annotations

from collections.abc import Sequence

from leadbus.retention import Rule, audit_rule, inbox_rule, jobs_rule

from adf_mailer.settings import AdfMailerSettings
from adf_mailer.store import forgetting


def rules(settings: AdfMailerSettings) -> Sequence[Rule]:
    """In this order: what a lead leaves with it has mostly gone before."""
    return (
        Rule("mails", settings.retention_mails_days, forgetting.mail_bytes, forgetting.oldest_mail_bytes),
        Rule("attempts", settings.retention_attempts_days, forgetting.attempts, forgetting.oldest_attempt),
        Rule("bounces", settings.retention_bounces_days, forgetting.bounces, forgetting.oldest_bounce),
        Rule("leads", settings.retention_leads_days, forgetting.leads, forgetting.oldest_lead),
        Rule("poison", settings.retention_poison_days, forgetting.poison, forgetting.oldest_poison),
        inbox_rule(settings.retention_inbox_days),
        jobs_rule(settings.retention_jobs_days),
        audit_rule(settings.retention_audit_days),
    )
