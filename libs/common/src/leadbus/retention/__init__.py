"""What is old enough leaves the database: by rule, in small batches, and never what is not finished.

    Retention(database, [Rule("leads", settings.retention_leads_days, remove, oldest)], clock=clock)

A service declares a rule for everything of its own that grows; what is shared has its rules here.
"""

from leadbus.retention.rule import Pace, Removed, Rule
from leadbus.retention.settings import Days, RetentionSettings, at_least
from leadbus.retention.shared import audit_rule, first, inbox_rule, jobs_rule, removed
from leadbus.retention.task import Retention

__all__ = [
    "Days",
    "Pace",
    "Removed",
    "Retention",
    "RetentionSettings",
    "Rule",
    "at_least",
    "audit_rule",
    "first",
    "inbox_rule",
    "jobs_rule",
    "removed",
]
