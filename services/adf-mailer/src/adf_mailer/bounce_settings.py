"""Environment variables about bounces: the return path, and where they come in."""

from pathlib import Path
from typing import Literal, Self

from leadbus.mailin.listener import Door, Rules
from leadbus.retention import Days, RetentionSettings
from pydantic import Field, SecretStr, model_validator

from adf_mailer.bounces.settling import Reopening
from adf_mailer.domain.address import AddrSpec
from adf_mailer.domain.return_path import ReturnPath

KIB, MIB = 1024, 1024 * 1024
_LEAST_KEY_BYTES = 32


class BounceSettings(RetentionSettings):
    """Without `RETURN_PATH` bounces go to the sender of the mail, and nobody reads them here."""

    return_path: AddrSpec | None = Field(
        None,
        description="Address that bounces come to, of a domain whose mail comes to BOUNCE_SMTP_PORT or "
        "BOUNCE_LMTP_PORT; each mail gets one of its own, with `+` and a token before the @.",
    )
    bounce_key: SecretStr | None = Field(
        None, description="Key of these tokens' checksums, at least 32 bytes; needed with RETURN_PATH."
    )
    bounce_key_before: SecretStr | None = Field(
        None, description="The key before a change of BOUNCE_KEY: known for as long as bounces of then come."
    )
    bounce_reopen: Literal["none", "transient"] = Field(
        "transient",
        description="What bounces are tried again, as a repeat that says so: `none`, or `transient` ones "
        "(mailbox full, given up after days).",
    )
    bounce_reopen_times: int = Field(2, ge=1, le=10, description="How often one delivery is, at most.")
    bounce_reopen_after_seconds: float = Field(
        900, ge=0, le=604_800, description="How long after the bounce it is."
    )
    bounce_smtp_port: int | None = Field(
        None, ge=0, le=65_535, description="Port on which bounces are taken by SMTP; not set: none."
    )
    bounce_lmtp_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port on which bounces are taken by LMTP, from a mail server of yours; not set: none.",
    )
    bounce_host: str = Field("127.0.0.1", description="Address these ports listen on.")
    bounce_hostname: str = Field(
        "leadbus.invalid",
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
        description="Name by which mail servers are greeted: what their DNS calls this host.",
    )
    bounce_size_limit_bytes: int = Field(
        10 * MIB, ge=KIB, le=64 * MIB, description="Largest bounce taken; beyond it 552."
    )
    bounce_held_bytes: int = Field(
        64 * MIB,
        ge=KIB,
        le=1024 * MIB,
        description="Bounces in memory while they come and are stored; beyond it senders are told to wait.",
    )
    bounce_max_connections: int = Field(
        50, ge=1, le=10_000, description="Connections of mail servers at once."
    )
    bounce_idle_seconds: float = Field(
        300, gt=0, le=3_600, description="How long a connection may say nothing; beyond it 421."
    )
    bounce_transfer_seconds: float = Field(
        600, gt=0, le=3_600, description="Time for the text of one bounce; beyond it 421."
    )
    bounce_tls_certificate_file: Path | None = Field(
        None,
        description="Certificate chain (PEM) for STARTTLS; with its key. Read again when it is replaced.",
    )
    bounce_tls_key_file: Path | None = Field(None, description="Key of the certificate (PEM), not encrypted.")
    bounce_tls_required: bool = Field(False, description="Whether bounces are taken over TLS only.")

    retention_bounces_days: Days = Field(
        90,
        description="How long bytes of bounces are kept, and bounces of no known mail; 0 for ever.",
    )

    @property
    def return_path_of_mails(self) -> ReturnPath | None:
        if self.return_path is None or self.bounce_key is None:
            return None
        keys = (self.bounce_key, self.bounce_key_before)
        return ReturnPath(self.return_path, tuple(key.get_secret_value().encode() for key in keys if key))

    @property
    def reopening(self) -> Reopening:
        return Reopening(self.bounce_reopen, self.bounce_reopen_times, self.bounce_reopen_after_seconds)

    @property
    def bounce_door(self) -> Door:
        """Where bounces are taken."""
        files = self.bounce_tls_certificate_file, self.bounce_tls_key_file
        return Door(
            host=self.bounce_host,
            ports={"smtp": self.bounce_smtp_port, "lmtp": self.bounce_lmtp_port},
            rules=Rules(
                hostname=self.bounce_hostname,
                size_limit_bytes=self.bounce_size_limit_bytes,
                held_bytes=self.bounce_held_bytes,
                most_connections=self.bounce_max_connections,
                idle_seconds=self.bounce_idle_seconds,
                transfer_seconds=self.bounce_transfer_seconds,
                tls_required=self.bounce_tls_required,
            ),
            certificate=(files[0], files[1]) if files[0] and files[1] else None,
            variables="BOUNCE_TLS_CERTIFICATE_FILE and BOUNCE_TLS_KEY_FILE",
        )

    @model_validator(mode="after")
    def _comes_back_to_us(self) -> Self:
        if self.return_path is not None and self.bounce_key is None:
            raise ValueError("RETURN_PATH needs BOUNCE_KEY")
        for name, key in (("BOUNCE_KEY", self.bounce_key), ("BOUNCE_KEY_BEFORE", self.bounce_key_before)):
            if key and len(key.get_secret_value().encode()) < _LEAST_KEY_BYTES:
                raise ValueError(f"{name} has less than {_LEAST_KEY_BYTES} bytes")
        listens = self.bounce_smtp_port is not None or self.bounce_lmtp_port is not None
        if listens and self.return_path is None:
            raise ValueError("BOUNCE_SMTP_PORT and BOUNCE_LMTP_PORT need RETURN_PATH")
        try:
            _ = self.return_path_of_mails
        except ValueError as error:
            raise ValueError(f"RETURN_PATH: {error}") from None
        return self

    @model_validator(mode="after")
    def _bounces_fit(self) -> Self:
        if (self.bounce_tls_certificate_file is None) != (self.bounce_tls_key_file is None):
            raise ValueError("set both of BOUNCE_TLS_CERTIFICATE_FILE and BOUNCE_TLS_KEY_FILE, or none")
        if self.bounce_tls_required and self.bounce_tls_certificate_file is None:
            raise ValueError("BOUNCE_TLS_REQUIRED needs BOUNCE_TLS_CERTIFICATE_FILE")
        if self.bounce_held_bytes < self.bounce_size_limit_bytes:
            raise ValueError("BOUNCE_HELD_BYTES must hold one bounce of BOUNCE_SIZE_LIMIT_BYTES")
        return self
