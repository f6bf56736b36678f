"""Environment variables about sending: smart hosts, speed, retries, signature."""

from __future__ import annotations

from typing import Self

from leadbus.delivery import BreakerSettings, Pace, Schedule
from pydantic import Field, SecretStr, field_validator, model_validator

from adf_mailer.bounce_settings import BounceSettings
from adf_mailer.delivery import PREPARE_SECONDS, WAIT_SECONDS, DomainGates, Paces, SmartHost, TlsMode
from adf_mailer.domain.address import AddrSpec
from adf_mailer.domain.letterhead import Signer
from adf_mailer.host_names import host_and_port
from adf_mailer.signing import DkimSigner, is_aligned

_MARGIN_SECONDS = 2.0
_LEASE_PER_ACT = 1.5
_PROVEN = ("required", "implicit")


class SendingSettings(BounceSettings):
    """What sending a mail depends on, and what comes back of it."""

    from_address: AddrSpec = Field(
        description="Sender of all mails whose route names no other; of a domain of ours.",
        examples=["leads@leadbus.example"],
    )
    smtp_host: str = Field(description="Smart host that takes all mail.", examples=["smtp.leadbus.example"])
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port; without it 587, or 465 where TLS is `implicit`."
    )
    smtp_failover_hosts: tuple[str, ...] = Field(
        (),
        max_length=9,
        description="Further smart hosts, a JSON list of `host` or `host:port`, asked in this order within "
        "the same try when the one before fails; same account, same TLS.",
    )
    smtp_tls: TlsMode = Field(
        "required",
        description="`required`: STARTTLS with a proven certificate; `implicit`: TLS from the first byte, "
        "also proven; `opportunistic`: STARTTLS where offered; `off`.",
    )
    smtp_ca_file: str | None = Field(None, description="PEM file of CAs to trust instead of the system's.")
    smtp_username: str | None = Field(
        None, description="For AUTH; only together with SMTP_TLS=required or implicit."
    )
    smtp_password: SecretStr | None = Field(None, description="For AUTH.")
    smtp_ehlo_name: str | None = Field(None, description="Name said in EHLO; without it the host's own.")
    smtp_max_connections: int = Field(10, ge=2, le=200, description="Mails sent at the same time.")
    smtp_max_connections_per_host: int | None = Field(
        None,
        ge=1,
        le=200,
        description="Mails sent to one smart host at the same time, by this process; the next host takes "
        "what is more. Without it SMTP_MAX_CONNECTIONS.",
    )
    smtp_host_mails_per_minute: int | None = Field(
        None,
        ge=1,
        le=6000,
        description="Mails begun to one smart host in a minute, by this process; the next host takes what is "
        "more. Without it any number.",
    )
    smtp_max_mails_per_connection: int = Field(
        100, ge=1, le=10_000, description="After so many mails a connection is closed."
    )
    smtp_max_idle_seconds: float = Field(
        20, gt=0, le=600, description="A connection without work is closed after this."
    )
    smtp_max_per_recipient_domain: int | None = Field(
        None,
        ge=1,
        le=200,
        description="Mails sent to one recipient domain at the same time, by this process; without it half "
        "of SMTP_MAX_CONNECTIONS.",
    )
    smtp_domain_mails_per_minute: int | None = Field(
        None,
        ge=1,
        le=6000,
        description="Mails begun to one recipient domain in a minute, by this process; without it any "
        "number.",
    )
    smtp_step_timeout_seconds: float = Field(
        10, gt=0, le=60, description="Longest wait for the answer to one SMTP command."
    )
    smtp_before_dot_timeout_seconds: float = Field(
        20,
        gt=0,
        le=120,
        description="Longest time from choosing a smart host to the final dot, all of them together.",
    )
    smtp_answer_timeout_seconds: float = Field(
        30, gt=0, le=600, description="Longest wait for the answer to the final dot; then it is in doubt."
    )
    retry_steps_seconds: tuple[float, ...] = Field(
        (30, 120, 300, 900, 1800),
        description="Waits before the first retries when a connection failed or the host is away, as a JSON "
        "list.",
    )
    retry_deferred_steps_seconds: tuple[float, ...] = Field(
        (180, 300, 900, 1800),
        description="The same after 450, 451 and greylisting (4.7.1); never shortened by jitter.",
    )
    retry_other_steps_seconds: tuple[float, ...] = Field(
        (300, 900, 1800), description="The same after any other 4xx."
    )
    retry_full_steps_seconds: tuple[float, ...] = Field(
        (900, 1800, 3600), description="The same where the mailbox or the disk is full (452, 4.2.2, 4.5.3)."
    )
    retry_then_every_seconds: float = Field(3600, gt=0, description="Wait before every later retry.")
    retry_give_up_after_seconds: float = Field(
        259_200,
        ge=0,
        description="Retried no more when the waits would add up to more; waits for a host that is away or "
        "refuses us do not count.",
    )
    probe_steps_seconds: tuple[float, ...] = Field(
        (30, 120, 300, 900, 1800),
        min_length=1,
        description="Waits before a smart host that is away is tried again, as a JSON list.",
    )
    suspended_probe_steps_seconds: tuple[float, ...] = Field(
        (60, 300, 900),
        min_length=1,
        description="The same where it refuses us (login, certificate): slower, or it locks the account.",
    )
    dkim_domain: str | None = Field(
        None,
        description="Domain that signs all mails (`d=`), or none; FROM_ADDRESS must be of it or below it.",
    )
    dkim_selector: str | None = Field(None, description="Selector of the key in DNS (`s=`).")
    dkim_key: SecretStr | None = Field(None, description="RSA private key, PEM, at least 2048 bits.")

    @field_validator("smtp_failover_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            host_and_port(one)
        return value

    @model_validator(mode="after")
    def _speakable(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("set both of SMTP_USERNAME and SMTP_PASSWORD, or none")
        if self.smtp_username and self.smtp_tls not in _PROVEN:
            raise ValueError(
                "SMTP_USERNAME needs SMTP_TLS=required or implicit: no password goes out in clear"
            )
        names = [host.name for host in self.smart_hosts]
        if len(set(names)) < len(names):
            raise ValueError("SMTP_FAILOVER_HOSTS names a smart host twice, or that of SMTP_HOST again")
        if self.act_timeout_seconds > self.drain_seconds:
            raise ValueError(
                f"DRAIN_SECONDS is below the {self.act_timeout_seconds:g} s that sending may take"
            )
        return self

    @model_validator(mode="after")
    def _signable(self) -> Self:
        given = [value is not None for value in (self.dkim_domain, self.dkim_selector, self.dkim_key)]
        if any(given) and not all(given):
            raise ValueError("set all of DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY, or none")
        if self.dkim_domain and not is_aligned(self.from_address, self.dkim_domain):
            raise ValueError(
                "FROM_ADDRESS is neither of DKIM_DOMAIN nor below it: receivers would not count the signature"
            )
        # Raises with what to do where the key, the selector or the library is no good.
        _ = self.signer
        return self

    @property
    def act_timeout_seconds(self) -> float:
        """The longest a try can take when every step takes as long as it may, on however many hosts."""
        return (
            PREPARE_SECONDS
            + WAIT_SECONDS
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
            paces={
                Paces.DEFERRED: Pace(steps_seconds=self.retry_deferred_steps_seconds, never_early=True),
                Paces.OTHER: Pace(steps_seconds=self.retry_other_steps_seconds),
                Paces.FULL: Pace(steps_seconds=self.retry_full_steps_seconds),
            },
        )

    @property
    def breaker(self) -> BreakerSettings:
        return BreakerSettings(
            probe_steps_seconds=self.probe_steps_seconds,
            suspended_probe_steps_seconds=self.suspended_probe_steps_seconds,
        )

    @property
    def smart_hosts(self) -> list[SmartHost]:
        """The first is the one that the destination is named after."""
        default = self.smtp_port or (465 if self.smtp_tls == "implicit" else 587)
        further = (host_and_port(one) for one in self.smtp_failover_hosts)
        places = [(self.smtp_host, default), *((host, port or default) for host, port in further)]
        return [self._smart_host(host, port) for host, port in places]

    @property
    def connections_per_host(self) -> int:
        return self.smtp_max_connections_per_host or self.smtp_max_connections

    def domain_gates(self) -> DomainGates:
        """To be made once: the gates remember."""
        return DomainGates(
            capacity=self.smtp_max_connections,
            most=self.smtp_max_per_recipient_domain or max(1, self.smtp_max_connections // 2),
            per_minute=self.smtp_domain_mails_per_minute,
        )

    def _smart_host(self, host: str, port: int) -> SmartHost:
        return SmartHost(
            host=host,
            port=port,
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

    @property
    def signer(self) -> Signer | None:
        """Raises ValueError where key, selector or library are no good."""
        if self.dkim_domain is None or self.dkim_selector is None or self.dkim_key is None:
            return None
        return DkimSigner(self.dkim_domain, self.dkim_selector, self.dkim_key)
