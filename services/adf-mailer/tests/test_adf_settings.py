"""T1–T32: what the environment may say about sending, and what is refused at start."""

from __future__ import annotations

from typing import Any

import pytest
from adf_mailer import app
from adf_mailer.delivery import SmartHosts
from adf_mailer.settings import AdfMailerSettings
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from leadbus.settings.environment import SettingsError
from leadbus.settings.reference import markdown_table

NEEDED = {
    "ADF_MAILER_AMQP_URL": "amqp://localhost",
    "ADF_MAILER_DATABASE_URL": "postgresql://localhost/none",
    "ADF_MAILER_TOKEN_KEY": "-" * 32,
    "ADF_MAILER_SMTP_HOST": "smtp.example",
    "ADF_MAILER_FROM_ADDRESS": "leads@leadbus.example",
}
KEY = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    .decode()
)
DKIM = {"DKIM_DOMAIN": "leadbus.example", "DKIM_SELECTOR": "s1", "DKIM_KEY": KEY}
LOGIN = {"SMTP_USERNAME": "u", "SMTP_PASSWORD": "p"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`load(SMTP_TLS="off")`: the settings of a process with these variables."""

    def load(**variables: str) -> AdfMailerSettings:
        for name, value in (
            NEEDED | {f"ADF_MAILER_{name}": value for name, value in variables.items()}
        ).items():
            monkeypatch.setenv(name, value)
        return AdfMailerSettings.load()

    return load


@pytest.mark.parametrize(
    ("variables", "hosts"),
    [
        pytest.param({}, ["smtp.example:587"], id="T1-default-port"),
        pytest.param({"SMTP_TLS": "implicit"}, ["smtp.example:465"], id="T2-default-port-of-implicit-tls"),
        pytest.param({"SMTP_TLS": "implicit", "SMTP_PORT": "587"}, ["smtp.example:587"], id="T3-port-as-set"),
        pytest.param(
            {"SMTP_FAILOVER_HOSTS": '["b.example", "c.example:2525"]'},
            ["smtp.example:587", "b.example:587", "c.example:2525"],
            id="T4-failover-hosts",
        ),
        pytest.param(
            {"SMTP_PORT": "25", "SMTP_FAILOVER_HOSTS": '["[2001:db8::1]:26", "[2001:db8::2]"]'},
            ["smtp.example:25", "2001:db8::1:26", "2001:db8::2:25"],
            id="T5-addresses",
        ),
    ],
)
def test_hosts(load: Any, variables: dict[str, str], hosts: list[str]) -> None:
    assert [host.name for host in load(**variables).smart_hosts] == hosts


def test_t6_all_hosts_have_one_account_and_one_tls(load: Any) -> None:
    settings = load(SMTP_TLS="implicit", SMTP_FAILOVER_HOSTS='["b.example"]', SMTP_CA_FILE="/ca.pem", **LOGIN)
    said = [(host.username, host.tls, host.ca_file, host.sender) for host in settings.smart_hosts]
    assert said == [("u", "implicit", "/ca.pem", "leads@leadbus.example")] * 2


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        pytest.param({"SMTP_FAILOVER_HOSTS": '["smtp.example"]'}, "twice", id="T7-the-first-again"),
        pytest.param({"SMTP_FAILOVER_HOSTS": '["b.example", "b.example:587"]'}, "twice", id="T8-twice"),
        pytest.param({"SMTP_FAILOVER_HOSTS": '["b example"]'}, "host:port", id="T9-no-host"),
        pytest.param({"SMTP_FAILOVER_HOSTS": '["b.example:0"]'}, "host:port", id="T10-no-port"),
        pytest.param({"SMTP_FAILOVER_HOSTS": '["smtp://b.example"]'}, "host:port", id="T11-url"),
        pytest.param(
            {"SMTP_FAILOVER_HOSTS": "b.example"}, "SMTP_FAILOVER_HOSTS has to be JSON", id="T12-no-json"
        ),
        pytest.param({"SMTP_TLS": "opportunistic"} | LOGIN, "no password goes out", id="T13-login-unproven"),
        pytest.param({"SMTP_TLS": "off"} | LOGIN, "no password goes out", id="T14-login-in-clear"),
        pytest.param({"SMTP_TLS": "ssl"}, "SMTP_TLS", id="T15-unknown-tls"),
        pytest.param({"SMTP_MAX_PER_RECIPIENT_DOMAIN": "0"}, "SMTP_MAX_PER", id="T16-no-mail-at-all"),
        pytest.param({"SMTP_MAX_CONNECTIONS_PER_HOST": "0"}, "SMTP_MAX_CONN", id="T31-none-to-a-host"),
        pytest.param({"SMTP_HOST_MAILS_PER_MINUTE": "0"}, "SMTP_HOST_MAILS", id="T32-none-in-a-minute"),
        pytest.param({"DRAIN_SECONDS": "57"}, "58 s that sending may take", id="T17-times-do-not-nest"),
        pytest.param({"DKIM_DOMAIN": "leadbus.example"}, "set all of DKIM", id="T18-half-a-signature"),
        pytest.param(
            DKIM | {"DKIM_DOMAIN": "other.example"}, "FROM_ADDRESS is neither", id="T19-not-aligned"
        ),
        pytest.param(DKIM | {"DKIM_KEY": "none"}, "no RSA private key", id="T20-no-key"),
        pytest.param(DKIM | {"DKIM_SELECTOR": "a b"}, "DKIM_SELECTOR", id="T21-no-selector"),
    ],
)
def test_refused_at_start(load: Any, variables: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        load(**variables)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("tls", ["required", "implicit"])
def test_t22_a_login_goes_over_proven_tls(load: Any, tls: str) -> None:
    assert load(SMTP_TLS=tls, **LOGIN).smart_hosts[0].tls == tls


def test_t23_a_try_fits_into_its_time_on_however_many_hosts(load: Any) -> None:
    """Waiting for the domain, all hosts before the dot, the answer: the parts add up to the timeout."""
    alone, several = load(), load(SMTP_FAILOVER_HOSTS='["b.example", "c.example"]')
    assert alone.act_timeout_seconds == several.act_timeout_seconds == 5 + 1 + 20 + 30 + 2
    assert several.act_timeout_seconds < several.lease_seconds
    assert several.act_timeout_seconds <= several.drain_seconds < several.grace_seconds


def test_t24_half_of_the_connections_are_one_domains(load: Any) -> None:
    assert load().domain_gates()._full.most == 5
    assert load(SMTP_MAX_PER_RECIPIENT_DOMAIN="7").domain_gates()._full.most == 7
    assert load(SMTP_MAX_PER_RECIPIENT_DOMAIN="70").domain_gates()._full.most == 10
    assert load(SMTP_MAX_CONNECTIONS="3", SMTP_MAX_PER_RECIPIENT_DOMAIN="").domain_gates()._full.most == 1


def test_t25_a_signer_that_signs(load: Any) -> None:
    signer = load(**DKIM).letterhead.signer
    assert signer is not None
    settings = load()
    assert settings.letterhead.from_address == "leads@leadbus.example"


def test_t26_the_key_may_be_a_file(load: Any, tmp_path: Any) -> None:
    file = tmp_path / "dkim.pem"
    file.write_text(KEY)
    settings = load(DKIM_DOMAIN="leadbus.example", DKIM_SELECTOR="s1", DKIM_KEY_FILE=str(file))
    assert settings.letterhead.signer is not None
    assert KEY not in repr(settings)


def test_t27_waits_are_those_of_the_environment(load: Any) -> None:
    settings = load(
        RETRY_STEPS_SECONDS="[1]",
        RETRY_DEFERRED_STEPS_SECONDS="[2]",
        RETRY_OTHER_STEPS_SECONDS="[3]",
        RETRY_FULL_STEPS_SECONDS="[4]",
        RETRY_THEN_EVERY_SECONDS="5",
    )
    paces = (None, "deferred", "other", "full")
    lucky = [settings.schedule.wait_seconds(1, luck=0.5, pace=pace) for pace in paces]
    assert lucky == [1, pytest.approx(2.2), 3, 4]
    assert settings.schedule.wait_seconds(2, luck=0.5) == 5


def test_t28_a_host_that_is_away_is_probed_as_its_deliveries_wait(load: Any) -> None:
    settings = load()
    assert settings.breaker.probe_steps_seconds == settings.retry_steps_seconds == (30, 120, 300, 900, 1800)


def test_t30_each_host_takes_as_many_as_all_unless_said_otherwise(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int | None]] = []

    class Hosts(SmartHosts):
        def __init__(
            self, hosts: Any, *, size: int, mails_per_minute: int | None = None, **pool: Any
        ) -> None:
            made.append((size, mails_per_minute))
            super().__init__(hosts, size=size, mails_per_minute=mails_per_minute, **pool)

    monkeypatch.setattr(app, "SmartHosts", Hosts)
    app.build(load(SMTP_MAX_CONNECTIONS="12"))
    app.build(load(SMTP_MAX_CONNECTIONS_PER_HOST="3", SMTP_HOST_MAILS_PER_MINUTE="90"))
    assert made == [(12, None), (3, 90)]


def test_t29_every_variable_of_sending_is_explained() -> None:
    table = markdown_table(AdfMailerSettings)
    lines = [line for line in table.splitlines() if "`ADF_MAILER_SMTP_" in line or "RETRY_" in line]
    assert len(lines) > 20
    assert all(len(line.split("|")[3].strip()) > 5 for line in lines)
