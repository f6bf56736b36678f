"""Environment variables of ingest, beside those every service has."""

from typing import Annotated

from leadbus.retention import Days, RetentionSettings, at_least
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from ingest.sources.setting import KIB, MAX_BODY_BYTES, MIB

_LONGEST_WINDOW_DAYS = 1
"""Within a source's duplicate window a body is known again only while its message is kept."""


class IngestSettings(RetentionSettings):
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
    retention_raw_days: Annotated[Days, at_least(_LONGEST_WINDOW_DAYS)] = Field(
        14,
        description="How long published raw messages and their Idempotency-Keys are kept, 0 for ever. "
        "Unpublished ones always are.",
    )
    partners_over_http: bool = Field(
        False,
        description="Whether partners may be asked over plain http; for development, where sandboxes have no "
        "certificate. Else https only.",
    )
