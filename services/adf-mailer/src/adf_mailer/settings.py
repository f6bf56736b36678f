"""Environment variables of adf-mailer, beside those every service has."""

from typing import Annotated, Self

from leadbus.delivery import BreakerSettings, Schedule
from leadbus.delivery.measures import OVERDUE_AFTER_SECONDS
from leadbus.retention import Days, at_least
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from adf_mailer.bounce_settings import BounceSettings
from adf_mailer.delivery import PREPARE_SECONDS, SmartHost, TlsMode
from adf_mailer.domain.address import AddrSpec
from adf_mailer.domain.lead_link import LeadLink
from adf_mailer.domain.letterhead import Letterhead

_MARGIN_SECONDS = 2.0
_LEASE_PER_ACT = 1.5
_LEAST_LEADS_DAYS = 30
"""Well above what a delivery may take, and a message may lie in a queue, parked or unpublished."""


class AdfMailerSettings(BounceSettings):
    model_config = SettingsConfigDict(env_prefix="ADF_MAILER_")

    from_address: AddrSpec = Field(
        description="Sender of all mails whose route names no other; of a domain of ours.",
        examples=["leads@leadbus.example"],
    )
    lead_link: LeadLink | None = Field(
        None,
        description="Where a lead can be read whole, said in mails that had to be cut: an https address with "
        "the placeholder {lead_id}. Without it the mark names the lead's id.",
        examples=["https://leadbus.example/leads/{lead_id}"],
    )
    smtp_host: str = Field(description="Smart host that takes all mail.", examples=["smtp.leadbus.example"])
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: TlsMode = Field(
        "required",
        description="STARTTLS: `required` with a proven certificate, `opportunistic` where offered, `off`.",
    )
    smtp_ca_file: str | None = Field(None, description="PEM file of CAs to trust instead of the system's.")
    smtp_username: str | None = Field(None, description="For AUTH; only together with SMTP_TLS=required.")
    smtp_password: SecretStr | None = Field(None, description="For AUTH.")
    smtp_ehlo_name: str | None = Field(None, description="Name said in EHLO; without it the host's own.")
    smtp_max_connections: int = Field(10, ge=2, le=200, description="Mails sent at the same time.")
    smtp_max_mails_per_connection: int = Field(
        100, ge=1, le=10_000, description="After so many mails a connection is closed."
    )
    smtp_max_idle_seconds: float = Field(
        20, gt=0, le=600, description="A connection without work is closed after this."
    )
    smtp_step_timeout_seconds: float = Field(
        10, gt=0, le=60, description="Longest wait for the answer to one SMTP command."
    )
    smtp_before_dot_timeout_seconds: float = Field(
        20, gt=0, le=120, description="Longest time from connecting to the final dot."
    )
    smtp_answer_timeout_seconds: float = Field(
        30, gt=0, le=600, description="Longest wait for the answer to the final dot; then it is in doubt."
    )
    retry_steps_seconds: tuple[float, ...] = Field(
        (30, 120, 300, 900, 1800), description="Waits before the first retries, as a JSON list."
    )
    retry_then_every_seconds: float = Field(3600, gt=0, description="Wait before every later retry.")
    retry_give_up_after_seconds: float = Field(
        259_200, ge=0, description="Retried no more when the waits would add up to more."
    )
    probe_steps_seconds: tuple[float, ...] = Field(
        (30, 60, 120, 300, 600),
        min_length=1,
        description="Waits before a smart host that is away is tried again, as a JSON list.",
    )
    suspended_probe_steps_seconds: tuple[float, ...] = Field(
        (60, 300, 900),
        min_length=1,
        description="The same where it refuses us (login, certificate): slower, or it locks the account.",
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

    @model_validator(mode="after")
    def _speakable(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("set both of SMTP_USERNAME and SMTP_PASSWORD, or none")
        if self.smtp_username and self.smtp_tls != "required":
            raise ValueError("SMTP_USERNAME needs SMTP_TLS=required: no password goes out in clear")
        if self.act_timeout_seconds > self.drain_seconds:
            raise ValueError(
                f"DRAIN_SECONDS is below the {self.act_timeout_seconds:g} s that sending may take"
            )
        return self

    @property
    def act_timeout_seconds(self) -> float:
        """The longest a try can take when every step takes as long as it may."""
        return (
            PREPARE_SECONDS
            + self.smtp_before_dot_timeout_seconds
            + self.smtp_answer_timeout_seconds
            + _MARGIN_SECONDS
        )

    @property
    def lease_seconds(self) -> float:
        return self.act_timeout_seconds * _LEASE_PER_ACT

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            steps_seconds=self.retry_steps_seconds,
            then_every_seconds=self.retry_then_every_seconds,
            give_up_after_seconds=self.retry_give_up_after_seconds,
        )

    @property
    def breaker(self) -> BreakerSettings:
        return BreakerSettings(
            probe_steps_seconds=self.probe_steps_seconds,
            suspended_probe_steps_seconds=self.suspended_probe_steps_seconds,
        )

    @property
    def letterhead(self) -> Letterhead:
        return Letterhead(self.from_address, self.lead_link, self.return_path_of_mails)

    @property
    def smart_host(self) -> SmartHost:
        return SmartHost(
            host=self.smtp_host,
            port=self.smtp_port,
            ehlo_name=self.smtp_ehlo_name,
            sender=self.from_address,
            return_path=self.return_path,
            tls=self.smtp_tls,
            ca_file=self.smtp_ca_file,
            username=self.smtp_username,
            password=self.smtp_password,
            step_timeout_seconds=self.smtp_step_timeout_seconds,
            before_dot_timeout_seconds=self.smtp_before_dot_timeout_seconds,
            answer_timeout_seconds=self.smtp_answer_timeout_seconds,
        )
