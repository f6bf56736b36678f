"""Settings from environment variables: read once at start, frozen, secrets as secrets."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as NotJsonError

FILE_SUFFIX = "_FILE"
REDACTED = "[redacted]"
MIN_TOKEN_KEY_BYTES = 32
MIN_JOB_LEASE_SECONDS = 30.0
"""Well above what one batch may wait for a database that is away (`leadbus.parked.kinds`: 20 s)."""


class SettingsError(Exception):
    """A setting is missing, wrong or unknown. The text names variables, never their values."""


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as people see it. `value` is redacted for secrets; None where none is set."""

    variable: str
    value: str | None
    default: str | None
    required: bool
    secret: bool
    help: str


class ServiceSettings(BaseSettings):
    """What every service reads. A service subclasses it and sets `env_prefix`:

        class IngestSettings(ServiceSettings):
            model_config = SettingsConfigDict(env_prefix="INGEST_")

    A secret `INGEST_DATABASE_URL` may instead be named by file: `INGEST_DATABASE_URL_FILE=/run/secrets/db`.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, env_ignore_empty=True
    )

    http_host: str = Field("127.0.0.1", description="Address the HTTP server listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP server; 0 takes a free one.")
    http_body_limit_bytes: int = Field(
        1_048_576, ge=1024, le=8_388_608, description="Largest request body taken; beyond it 413."
    )
    amqp_url: SecretStr = Field(description="RabbitMQ, amqp://user:password@host:5672/vhost.")
    database_url: SecretStr = Field(description="Postgres, postgresql://user:password@host:5432/database.")
    database_max_connections: int = Field(10, ge=2, le=100, description="Connections the pool may open.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    token_key: SecretStr | None = Field(
        None, description="Key of HS256 bearer tokens, at least 32 bytes. This or JWKS_URL."
    )
    jwks_url: str | None = Field(None, description="Where the OIDC provider publishes its keys.")
    token_issuer: str | None = Field(
        None, description="The `iss` a token must carry; required with JWKS_URL."
    )
    token_audience: str | None = Field(
        None, description="The `aud` a token must name; required with JWKS_URL."
    )
    token_role_claim: str = Field("role", description="Claim with the role; dots go into nested objects.")
    token_dealers_claim: str = Field("dealers", description="Claim with the dealers a token is limited to.")
    outbox_hold_seconds: float = Field(
        10,
        ge=0,
        le=120,
        description="How long messages that a killed process had in hand wait for another one; "
        "0: every message is claimed from the table before it is published.",
    )
    drain_seconds: float = Field(25, gt=0, le=600, description="Time given to work in hand on SIGTERM.")
    grace_seconds: float = Field(
        45,
        gt=0,
        le=900,
        description="When the platform kills the process after SIGTERM; above DRAIN_SECONDS.",
    )
    job_lease_seconds: float = Field(
        60,
        ge=MIN_JOB_LEASE_SECONDS,
        le=600,
        description="How long the job of a process that was killed waits for another one.",
    )

    _documented: ClassVar[Mapping[str, Any]] = {
        "amqp_url": "amqp://localhost",
        "database_url": "postgresql://localhost/none",
        "token_key": "-" * MIN_TOKEN_KEY_BYTES,
    }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.token_key is None) == (self.jwks_url is None):
            raise ValueError("set exactly one of TOKEN_KEY and JWKS_URL")
        if self.token_key and len(self.token_key.get_secret_value().encode()) < MIN_TOKEN_KEY_BYTES:
            raise ValueError(f"TOKEN_KEY has less than {MIN_TOKEN_KEY_BYTES} bytes")
        if self.jwks_url and not (self.token_issuer and self.token_audience):
            raise ValueError("JWKS_URL needs TOKEN_ISSUER and TOKEN_AUDIENCE")
        if self.drain_seconds >= self.grace_seconds:
            raise ValueError("DRAIN_SECONDS must be below GRACE_SECONDS")
        return self

    @classmethod
    def load(cls) -> Self:
        """Settings from the process environment.

        Raises SettingsError naming every variable that is missing, wrong or unknown.
        """
        complaints = _unknown(cls, os.environ)
        try:
            settings = cls()
        except ValidationError as error:
            raise SettingsError("; ".join([*complaints, *_complaints(cls, error)])) from None
        except SettingsError as error:
            raise SettingsError("; ".join([*complaints, str(error)])) from None
        except NotJsonError as error:
            # It names the field in quotes, and nothing that was in it.
            fields = [variable_of(cls, name) for name in cls.model_fields if f'"{name}"' in str(error)]
            raise SettingsError("; ".join([*complaints, f"{' '.join(fields)} has to be JSON"])) from None
        if complaints:
            raise SettingsError("; ".join(complaints))
        return settings

    @classmethod
    def for_documents(cls) -> Self:
        """Settings that connect to nothing, to build a service whose OpenAPI document is wanted."""
        needed = {
            name: field.examples[0]
            for name, field in cls.model_fields.items()
            if field.is_required() and field.examples
        }
        return cls.model_validate({**needed, **cls._documented})

    @classmethod
    def reference(cls) -> list[Described]:
        """Every variable of this service, without values."""
        return [_described(cls, name, field, None) for name, field in cls.model_fields.items()]

    def describe(self) -> list[Described]:
        """Every variable with the value in force, secrets redacted."""
        return [
            _described(type(self), name, field, getattr(self, name))
            for name, field in type(self).model_fields.items()
        ]


class _SecretFiles(PydanticBaseSettingsSource):
    """`X_FILE` gives the secret `X` by the name of a file that holds it."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if not _is_secret(field):
            return None, field_name, False
        variable = variable_of(self.settings_cls, field_name)
        path = os.environ.get(variable + FILE_SUFFIX)
        if not path:
            return None, field_name, False
        if os.environ.get(variable):
            raise SettingsError(f"{variable} and {variable}{FILE_SUFFIX} are both set")
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{variable}{FILE_SUFFIX} names a file that cannot be read") from None

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found


def variable_of(settings: type[BaseSettings], field: str) -> str:
    """The environment variable of a field."""
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()


def _known_variables(settings: type[BaseSettings]) -> set[str]:
    known = {variable_of(settings, name) for name in settings.model_fields}
    return known | {
        variable_of(settings, name) + FILE_SUFFIX
        for name, field in settings.model_fields.items()
        if _is_secret(field)
    }


def _unknown(settings: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    prefix = str(settings.model_config.get("env_prefix", "")).upper()
    if not prefix:
        raise TypeError(f"{settings.__name__} sets no env_prefix")
    known = _known_variables(settings)
    complaints = []
    for variable in sorted(environment):
        if variable.upper().startswith(prefix) and variable.upper() not in known:
            nearest = difflib.get_close_matches(variable.upper(), known, n=1, cutoff=0.6)
            hint = f", did you mean {nearest[0]}?" if nearest else ""
            complaints.append(f"{variable} is not a setting{hint}")
    return complaints


def _complaints(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    complaints = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        location = item["loc"]
        if item["type"] == "missing":
            complaints.append(f"{variable_of(settings, str(location[0]))} is missing")
        elif location:
            complaints.append(f"{variable_of(settings, str(location[0]))}: {item['msg']}")
        else:
            complaints.append(item["msg"].removeprefix("Value error, "))
    return complaints


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))


def _described(settings: type[BaseSettings], name: str, field: FieldInfo, value: Any) -> Described:
    secret = _is_secret(field)
    shown = None if value is None else REDACTED if secret else str(value)
    default = None if field.is_required() or field.default is None else str(field.default)
    return Described(
        variable=variable_of(settings, name),
        value=shown,
        default=default,
        required=field.is_required(),
        secret=secret,
        help=field.description or "",
    )
