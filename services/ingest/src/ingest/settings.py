"""Environment variables of ingest, beside those every service has."""

from pathlib import Path
from typing import Annotated, Self

from leadbus.mailin.listener import Door, Rules
from leadbus.retention import Days, RetentionSettings, at_least
from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from ingest.sources.setting import KIB, MAX_BODY_BYTES, MIB

_LONGEST_WINDOW_DAYS = 1
"""Within a source's duplicate window a body is known again only while its message is kept."""
_LONGEST_INTERVAL_DAYS = 1
"""Attempts say when a subscription may be asked again; two hours of it would do."""


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
    retention_bdk_days: Days = Field(
        30,
        description="How long it is kept which leads the BDK told of and what became of them, counted from "
        "the last word of each, 0 for ever. Those that are not fetched always are.",
    )
    partners_over_http: bool = Field(
        False,
        description="Whether partners may be asked over plain http; for development, where sandboxes have no "
        "certificate. Else https only.",
    )
    retention_quarantine_days: Days = Field(
        90, description="How long bodies are kept that could not be published, 0 for ever."
    )
    retention_attempts_days: Annotated[Days, at_least(_LONGEST_INTERVAL_DAYS)] = Field(
        180, description="How long it is kept what attempts to fetch from VirtualExpo came to, 0 for ever."
    )
    virtualexpo_connect_timeout_seconds: float = Field(
        10, gt=0, le=20, description="Time to connect to VirtualExpo, which is tried twice."
    )
    virtualexpo_idle_timeout_seconds: float = Field(
        30, gt=0, le=300, description="How long VirtualExpo may say nothing while its document comes."
    )
    virtualexpo_timeout_seconds: float = Field(
        300, gt=0, le=1800, description="Time for a whole document of VirtualExpo, however slowly it comes."
    )
    virtualexpo_document_limit_bytes: int = Field(
        16 * MIB,
        ge=KIB,
        le=64 * MIB,
        description="Largest document of VirtualExpo; the leads in so much of it are taken all the same.",
    )
    mail_smtp_port: int | None = Field(
        None, ge=0, le=65_535, description="Port on which mails are taken by SMTP; not set: none."
    )
    mail_lmtp_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port on which mails are taken by LMTP, from a mail server of yours; not set: none.",
    )
    mail_host: str = Field("127.0.0.1", description="Address the mail ports listen on.")
    mail_hostname: str = Field(
        "leadbus.invalid",
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
        description="Name by which mail servers are greeted: what their DNS calls this host.",
    )
    mail_size_limit_bytes: int = Field(
        10 * MIB,
        ge=KIB,
        le=64 * MIB,
        description="Largest mail taken; beyond it 552. What is too large for the normalizer is kept here.",
    )
    mail_held_bytes: int = Field(
        64 * MIB,
        ge=KIB,
        le=1024 * MIB,
        description="Mails in memory while they come and are stored; beyond it senders are told to wait.",
    )
    mail_max_connections: int = Field(
        100, ge=1, le=10_000, description="Connections of mail servers at once."
    )
    mail_idle_seconds: float = Field(
        300, gt=0, le=3_600, description="How long a connection may say nothing; beyond it 421."
    )
    mail_transfer_seconds: float = Field(
        600, gt=0, le=3_600, description="Time for the text of one mail; beyond it 421."
    )
    mail_tls_certificate_file: Path | None = Field(
        None,
        description="Certificate chain (PEM) for STARTTLS; with its key. Read again when it is replaced.",
    )
    mail_tls_key_file: Path | None = Field(None, description="Key of the certificate (PEM), not encrypted.")
    mail_tls_required: bool = Field(False, description="Whether mails are taken over TLS only.")

    @property
    def mail_door(self) -> Door:
        """Where mails are taken."""
        files = self.mail_tls_certificate_file, self.mail_tls_key_file
        return Door(
            host=self.mail_host,
            ports={"smtp": self.mail_smtp_port, "lmtp": self.mail_lmtp_port},
            rules=Rules(
                hostname=self.mail_hostname,
                size_limit_bytes=self.mail_size_limit_bytes,
                held_bytes=self.mail_held_bytes,
                most_connections=self.mail_max_connections,
                idle_seconds=self.mail_idle_seconds,
                transfer_seconds=self.mail_transfer_seconds,
                tls_required=self.mail_tls_required,
            ),
            certificate=(files[0], files[1]) if files[0] and files[1] else None,
            variables="MAIL_TLS_CERTIFICATE_FILE and MAIL_TLS_KEY_FILE",
        )

    @model_validator(mode="after")
    def _mail_fits(self) -> Self:
        if (self.mail_tls_certificate_file is None) != (self.mail_tls_key_file is None):
            raise ValueError("set both of MAIL_TLS_CERTIFICATE_FILE and MAIL_TLS_KEY_FILE, or none")
        if self.mail_tls_required and self.mail_tls_certificate_file is None:
            raise ValueError("MAIL_TLS_REQUIRED needs MAIL_TLS_CERTIFICATE_FILE")
        if self.mail_held_bytes < self.mail_size_limit_bytes:
            raise ValueError("MAIL_HELD_BYTES must hold one mail of MAIL_SIZE_LIMIT_BYTES")
        return self
