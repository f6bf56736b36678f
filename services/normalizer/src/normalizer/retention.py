"""What the normalizer keeps for how long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from leadbus.clock import Clock
from leadbus.retention import Rule, audit_rule, inbox_rule, jobs_rule

from normalizer.settings import NormalizerSettings
from normalizer.store import forgetting


def rules(settings: NormalizerSettings, clock: Clock) -> Sequence[Rule]:
    """Raw messages that made no lead, or wait for one, are kept as long as those that did."""
    leads_days = settings.retention_leads_days
    raw_bytes = partial(forgetting.raw_bytes, clock=clock)
    return (
        Rule("raw", settings.retention_raw_days, raw_bytes, forgetting.oldest_raw_bytes),
        Rule("leads", leads_days, forgetting.leads, forgetting.oldest_lead),
        Rule("awaited", leads_days, forgetting.awaited, forgetting.oldest_awaited),
        Rule("leadless", leads_days, forgetting.leadless, forgetting.oldest_leadless),
        inbox_rule(settings.retention_inbox_days),
        jobs_rule(settings.retention_jobs_days),
        audit_rule(settings.retention_audit_days),
    )
