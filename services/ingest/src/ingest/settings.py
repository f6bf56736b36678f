"""Environment variables of ingest, beside those every service has."""

from leadbus.settings.environment import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from ingest.sources.setting import KIB, MAX_BODY_BYTES, MIB


class IngestSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="INGEST_")

    http_body_limit_bytes: int = Field(
        MAX_BODY_BYTES,
        ge=KIB,
        le=MAX_BODY_BYTES,
        description="Largest request body of any kind; beyond it 413.",
    )
    raw_body_limit_bytes: int = Field(
        MIB,
        ge=KIB,
        le=MAX_BODY_BYTES,
        description="Largest raw message, where the source's setting says nothing else.",
    )
    raw_body_timeout_seconds: float = Field(
        30, gt=0, le=300, description="Time a sender has to send a whole body; beyond it 408."
    )
    raw_retention_days: float = Field(
        14,
        ge=1,
        le=3650,
        description="How long published raw messages are kept. Unpublished ones always are.",
    )
    prune_interval_seconds: float = Field(
        300, gt=0, le=86_400, description="How often messages beyond their retention are looked for."
    )
