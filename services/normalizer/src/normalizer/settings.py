"""What a deployment fixes for the normalizer; what the business changes are `Dealer` and `Location`."""

from __future__ import annotations

from leadbus.settings.environment import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class NormalizerSettings(ServiceSettings):
    """Environment variables `NORMALIZER_…`."""

    model_config = SettingsConfigDict(env_prefix="NORMALIZER_")

    batch_size: int = Field(100, ge=1, le=1000, description="Most messages taken in one transaction.")
    prefetch: int = Field(200, ge=1, le=2000, description="Messages the broker sends ahead; two batches.")
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
