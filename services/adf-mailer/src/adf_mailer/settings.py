"""Environment variables of adf-mailer, beside those every service has."""

from typing import Annotated, Self

from leadbus.delivery.measures import OVERDUE_AFTER_SECONDS
from leadbus.retention import Days, at_least
from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from adf_mailer.domain.address_standing import AddressRules
from adf_mailer.domain.lead_link import LeadLink
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.sending_settings import SendingSettings

_LEAST_LEADS_DAYS = 30
"""Well above what a delivery may take, and a message may lie in a queue, parked or unpublished."""


class AdfMailerSettings(SendingSettings):
    model_config = SettingsConfigDict(env_prefix="ADF_MAILER_")

    lead_link: LeadLink | None = Field(
        None,
        description="Where a lead can be read whole, said in mails that had to be cut: an https address with "
        "the placeholder {lead_id}. Without it the mark names the lead's id.",
        examples=["https://leadbus.example/leads/{lead_id}"],
    )
    address_suspended_after: int = Field(
        3,
        ge=1,
        le=10_000,
        description="After so many refusals in a row, as no such mailbox or for who we are, an address is "
        "suspended: what is for it waits, or, where there is no such mailbox, takes the alternate address of "
        "its route.",
    )
    address_probe_steps_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (900, 3600, 14_400),
        min_length=1,
        description="Waits before a suspended address gets one mail to find out, as a JSON list; the last "
        "one repeats.",
    )
    overdue_after_seconds: float = Field(
        OVERDUE_AFTER_SECONDS,
        gt=0,
        le=86_400,
        description="A lead not delivered this long after it was planned counts as overdue: raise an alarm.",
    )
    silence_expected_leads: float = Field(
        3,
        gt=0,
        le=1000,
        description="A dealer without a lead today is silent once so many would have come by now.",
    )
    silence_interval_seconds: float = Field(
        300, ge=10, le=3600, description="How often silent dealers are counted."
    )
    batch_size: int = Field(100, ge=1, le=500, description="Events taken into one transaction.")
    no_route_window_seconds: float = Field(
        259_200,
        ge=0,
        le=_LEAST_LEADS_DAYS * 86_400,
        description="How long a lead that no route took waits for one; 0: until an operator redrives it.",
    )
    drain_seconds: float = Field(60, gt=0, le=900, description="Time given to work in hand on SIGTERM.")
    grace_seconds: float = Field(
        90,
        gt=0,
        le=1200,
        description="When the platform kills the process after SIGTERM.",
    )

    retention_mails_days: Days = Field(
        90, description="How long contents of mails are kept after their delivery ended; 0 for ever."
    )
    retention_attempts_days: Days = Field(
        180, description="How long tries are kept after their delivery ended; 0 for ever."
    )
    retention_leads_days: Annotated[Days, at_least(_LEAST_LEADS_DAYS)] = Field(
        365,
        description="How long leads, their deliveries and mails are kept after the last of them; 0 for ever.",
    )
    retention_poison_days: Days = Field(
        90, description="How long messages set aside are kept after somebody decided about them; 0 for ever."
    )
    retention_inbox_days: Annotated[Days, at_least(_LEAST_LEADS_DAYS)] = Field(
        400, description="How long a message is known again, 0 for ever; longer than leads are kept."
    )

    @model_validator(mode="after")
    def _never_as_new(self) -> Self:
        if self.retention_inbox_days and self.retention_inbox_days <= self.retention_leads_days:
            raise ValueError(
                "RETENTION_INBOX_DAYS must be above RETENTION_LEADS_DAYS, or old leads come again"
            )
        return self

    @property
    def address_rules(self) -> AddressRules:
        return AddressRules(self.address_suspended_after, self.address_probe_steps_seconds)

    @property
    def letterhead(self) -> Letterhead:
        return Letterhead(self.from_address, self.lead_link, self.return_path_of_mails, self.signer)
