"""MT30–MT42: TLS and login with a real mail server. Table: rules/real-mta.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from adf_mailer.delivery import TlsMode
from leadbus.delivery import Delivered, Suspended, Transient
from leadbus_devstack import private_servers
from leadbus_devstack.certificates import CertificateAuthority
from leadbus_devstack.postfix import NativePostfix, To
from leadbus_devstack.pytest_plugin import private
from pydantic import SecretStr

from tests.support.postfix_client import send_once

USER = "leadbus"

implicit_tls = pytest.mark.skipif(
    "implicit" not in get_args(TlsMode), reason="adf-mailer has no TLS mode `implicit` yet"
)


def received_with(postfix: NativePostfix) -> str:
    """The protocol that the one mail came by, as Postfix wrote it into its Received header."""
    (mail,) = postfix.wait_for_mails(1)
    words = str(mail.message["Received"]).split()
    return words[words.index("with") + 1]


@pytest.fixture
def ca_file(certificate_authority: CertificateAuthority) -> str:
    return str(certificate_authority.ca_file)


@pytest.fixture
def foreign_ca_file(tmp_path: Path) -> str:
    return str(CertificateAuthority(tmp_path).ca_file)


async def test_mt30_starttls_with_a_certificate_that_is_proven(postfix: NativePostfix, ca_file: str) -> None:
    assert isinstance(await send_once(postfix, To.MAILBOX, tls="required", ca_file=ca_file), Delivered)
    assert received_with(postfix) == "ESMTPS"


async def test_mt31_a_certificate_of_somebody_elses_authority(
    postfix: NativePostfix, foreign_ca_file: str
) -> None:
    got = await send_once(postfix, To.MAILBOX, tls="required", ca_file=foreign_ca_file)
    assert got == Suspended("certificate_untrusted")
    assert await send_once(postfix, To.MAILBOX, tls="required") == Suspended("certificate_untrusted")
    assert postfix.mails() == []


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
UNPROVEN = {
    "MT32": {"address": "mx.elsewhere.example"},
    "MT33": {"valid_until": YESTERDAY},
}


@pytest.mark.parametrize("issued", UNPROVEN.values(), ids=UNPROVEN)
async def test_a_certificate_for_another_name_or_another_time(
    issued: dict[str, Any], certificate_authority: CertificateAuthority, ca_file: str
) -> None:
    certificate = certificate_authority.issue(**issued)
    with private(private_servers.private_postfix(certificate=certificate)) as postfix:
        got = await send_once(postfix, To.MAILBOX, tls="required", ca_file=ca_file)
        assert got == Suspended("certificate_untrusted")
        assert postfix.mails() == []


async def test_mt34_tls_that_is_required_and_not_offered(postfix: NativePostfix, ca_file: str) -> None:
    got = await send_once(postfix, To.MAILBOX, "no_tls", tls="required", ca_file=ca_file)
    assert got == Suspended("tls_not_offered")


async def test_mt35_a_host_that_insists_on_tls(postfix: NativePostfix) -> None:
    got = await send_once(postfix, To.MAILBOX, "tls_only", tls="off")
    assert got == Suspended("auth_required", "530 5.7.0 Must issue a STARTTLS command first")


async def test_mt36_opportunistic_hides_what_it_cannot_prove(
    postfix: NativePostfix, foreign_ca_file: str
) -> None:
    got = await send_once(postfix, To.MAILBOX, tls="opportunistic", ca_file=foreign_ca_file)
    assert isinstance(got, Delivered)
    assert received_with(postfix) == "ESMTPS"


@implicit_tls
async def test_mt37_tls_from_the_first_byte(
    postfix: NativePostfix, ca_file: str, foreign_ca_file: str
) -> None:
    got = await send_once(postfix, To.MAILBOX, "smtps", tls="implicit", ca_file=foreign_ca_file)
    assert got == Suspended("certificate_untrusted")
    assert isinstance(
        await send_once(postfix, To.MAILBOX, "smtps", tls="implicit", ca_file=ca_file), Delivered
    )
    assert received_with(postfix) == "ESMTPS"


@pytest.mark.parametrize(
    ("listener", "tls"),
    [
        pytest.param("smtp", "implicit", marks=implicit_tls),
        ("smtps", "required"),
    ],
)
async def test_mt38_the_one_way_of_tls_at_the_port_of_the_other(
    listener: str, tls: str, postfix: NativePostfix, ca_file: str
) -> None:
    """A wrong port is trouble of the host's: leads wait, whatever exactly breaks."""
    got = await send_once(postfix, To.MAILBOX, listener, tls=tls, ca_file=ca_file, step_timeout_seconds=2)
    assert isinstance(got, Suspended) or (isinstance(got, Transient) and got.destination_down)
    assert postfix.mails() == []


def login(password: str, ca_file: str) -> dict[str, Any]:
    return {"tls": "required", "ca_file": ca_file, "username": USER, "password": SecretStr(password)}


async def test_mt39_a_login_that_is_right(postfix: NativePostfix, ca_file: str) -> None:
    host = login(postfix.logins.passwords[USER], ca_file)
    assert isinstance(await send_once(postfix, To.MAILBOX, "login", **host), Delivered)
    assert received_with(postfix) == "ESMTPSA"


async def test_mt40_a_wrong_password(postfix: NativePostfix, ca_file: str) -> None:
    got = await send_once(postfix, To.MAILBOX, "login", **login("wrong", ca_file))
    assert isinstance(got, Suspended)
    assert (got.reason, got.answer[:9]) == ("auth_refused", "535 5.7.8")


async def test_mt41_nobody_there_who_knows_the_passwords(postfix: NativePostfix, ca_file: str) -> None:
    postfix.logins.away = True
    got = await send_once(postfix, To.MAILBOX, "login", **login(postfix.logins.passwords[USER], ca_file))
    assert isinstance(got, Transient)
    assert (got.reason, got.destination_down) == ("tls_or_auth_unavailable", True)
    assert got.answer[:9] == "454 4.7.0"


async def test_mt42_a_login_that_is_only_offered_under_tls(postfix: NativePostfix) -> None:
    got = await send_once(postfix, To.MAILBOX, "login", username=USER, password=SecretStr("x"))
    assert got == Suspended("auth_not_offered")
