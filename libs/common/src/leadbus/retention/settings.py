"""Settings of retention that every service has, and the type of all others."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from leadbus.retention.rule import Pace
from leadbus.settings.environment import ServiceSettings

_MAX_DAYS = 36_500

Days = Annotated[float, Field(ge=0, le=_MAX_DAYS)]
"""How long something is kept; 0 for ever."""


def at_least(least: float) -> AfterValidator:
    """For ever, or at least so many days, below which something would break."""

    def check(value: float) -> float:
        if 0 < value < least:
            raise ValueError(f"0 keeps for ever; else at least {least:g} days")
        return value

    return AfterValidator(check)


class RetentionSettings(ServiceSettings):
    """What a service that lets old things go reads beside its own `retention_<what>_days`."""

    retention_audit_days: Annotated[Days, at_least(90)] = Field(
        1095, description="How long it is kept what operators did; 0 for ever."
    )
    retention_jobs_days: Days = Field(
        90, description="How long operators' jobs are kept after they ended; 0 for ever."
    )
    retention_interval_seconds: float = Field(
        300, gt=0, le=86_400, description="How often what is old enough is looked for."
    )
    retention_batch_size: int = Field(
        200, ge=1, le=5000, description="Most things (leads, messages) that leave in one transaction."
    )
    retention_pause_seconds: float = Field(
        0.1, ge=0, le=60, description="Wait between two such transactions, so that others come between."
    )

    @property
    def retention_pace(self) -> Pace:
        return Pace(
            interval_seconds=self.retention_interval_seconds,
            pause_seconds=self.retention_pause_seconds,
            batch_size=self.retention_batch_size,
        )
