"""What a deployment fixes for the normalizer; what the business changes are `Dealer` and `Location`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from leadbus.retention import Days, RetentionSettings, at_least
from pydantic import Field, HttpUrl, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from normalizer.domain.opt_in import OptInLinks
from normalizer.domain.terms import MIN_KEY_BYTES, Terms

_LEAST_LEADS_DAYS = 30
"""Well above what a delivery may take, and a message may lie in a queue, parked or unpublished."""


class NormalizerSettings(RetentionSettings):
    """Environment variables `NORMALIZER_…`."""

    model_config = SettingsConfigDict(env_prefix="NORMALIZER_")

    batch_size: int = Field(400, ge=1, le=1000, description="Most messages taken in one transaction.")
    prefetch: int = Field(
        800,
        ge=1,
        le=2000,
        description="Most messages the broker sends ahead; two batches. Fewer while bodies are large.",
    )
    held_bytes: int = Field(
        67_108_864,
        ge=4_194_304,
        le=1_073_741_824,
        description="Bodies in memory until they are decided about, for each queue; one alone may be larger.",
    )
    hold_seconds: float = Field(
        120.0,
        gt=0,
        le=900,
        description="How long messages are held unacknowledged while the database is away.",
    )
    body_limit_bytes: int = Field(
        4_194_304,
        ge=1024,
        le=16_777_216,
        description="Beyond it a message is quarantined unread. Not below what ingest takes of any source.",
    )
    bare_window_seconds: int = Field(
        600, ge=0, le=86_400, description="How long a body without an id counts as sent twice."
    )
    release_batch_size: int = Field(
        50, ge=1, le=500, description="Quarantined messages that a new mapping releases in one transaction."
    )
    release_poll_seconds: float = Field(
        5.0, gt=0, le=60, description="How often mapped quarantined messages are looked for."
    )
    link_window_days: int = Field(
        14,
        ge=0,
        le=365,
        description="Leads of one person for one dealer are linked when they came within so many days "
        "through different sources or accounts; 0: never. Needs the finding key.",
    )
    finding_key: SecretStr | None = Field(
        None,
        description="Key under which phones and e-mails are hashed, at least 32 bytes; without it nobody is "
        "found by them. The same in every replica; changing it has all leads hashed anew.",
    )
    finding_key_before: SecretStr | None = Field(
        None, description="The key before, while leads are hashed anew: they are found by either."
    )

    opt_in_key: SecretStr | None = Field(
        None,
        description="Key that opt-in links are signed with, at least 32 bytes; without it none are made. The "
        "same in every replica; changing it ends all links that are on their way.",
    )
    opt_in_url: HttpUrl | None = Field(
        None,
        description="Where the public reaches `/v1/opt-in/` of this service, without that path, such as "
        "https://leads.example.com; links begin with it.",
    )

    retention_raw_days: Days = Field(
        90, description="How long bytes of raw messages are kept, 0 for ever; those in quarantine always are."
    )
    retention_leads_days: Annotated[Days, at_least(_LEAST_LEADS_DAYS)] = Field(
        365,
        description="How long leads are kept after they were last told of, with all that belongs to them; "
        "0 for ever. One that no sink spoke of always is.",
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
    def _secret(self) -> Self:
        for name in ("FINDING_KEY", "FINDING_KEY_BEFORE", "OPT_IN_KEY"):
            key: SecretStr | None = getattr(self, name.lower())
            if key is not None and len(key.get_secret_value().encode()) < MIN_KEY_BYTES:
                raise ValueError(f"{name} has less than {MIN_KEY_BYTES} bytes")
        if self.finding_key_before is not None and self.finding_key is None:
            raise ValueError("FINDING_KEY_BEFORE needs FINDING_KEY")
        return self

    @property
    def link_window(self) -> timedelta:
        return timedelta(days=self.link_window_days)

    @property
    def opt_in_links(self) -> OptInLinks | None:
        """What opt-in links are made and read by."""
        return OptInLinks(self.opt_in_key.get_secret_value().encode()) if self.opt_in_key else None

    @property
    def terms(self) -> Terms:
        """What leads are found by from now on."""
        return _terms(self.finding_key)

    @property
    def terms_before(self) -> Terms | None:
        """What leads that are not hashed anew yet are found by."""
        return _terms(self.finding_key_before) if self.finding_key_before else None


def _terms(key: SecretStr | None) -> Terms:
    return Terms(key.get_secret_value().encode() if key else None)
