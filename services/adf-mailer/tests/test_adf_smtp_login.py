"""S57–S62: login and TLS: what is not offered, refused or unproven, and that nothing leaks by it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from leadbus.delivery import Delivered, Suspended, Transient
from pydantic import SecretStr

Scripted = Any
Send = Any


async def test_s57_credentials_that_are_refused_let_leads_wait(scripted: Scripted, send: Send) -> None:
    server = await scripted(extensions=("AUTH PLAIN",), auth="535 5.7.8 wrong")

    outcome = await send(server, username="u", password=SecretStr("p"))
    assert outcome == Suspended("auth_refused", "535 5.7.8 wrong")


async def test_s58_auth_that_is_not_offered(scripted: Scripted, send: Send) -> None:
    assert await send(await scripted(), username="u", password=SecretStr("p")) == Suspended(
        "auth_not_offered"
    )


async def test_s59_tls_that_is_required_and_not_offered(scripted: Scripted, send: Send) -> None:
    server = await scripted()

    assert await send(server, tls="required") == Suspended("tls_not_offered")
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_s60_tls_refused_for_now_never_falls_back_to_clear(scripted: Scripted, send: Send) -> None:
    server = await scripted(extensions=("STARTTLS",), starttls="454 4.7.0 not now")

    assert await send(server, tls="opportunistic") == Transient(
        "tls_or_auth_unavailable", answer="454 4.7.0 not now", destination_down=True
    )
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_s61_opportunistic_without_an_offer_goes_in_clear(scripted: Scripted, send: Send) -> None:
    assert await send(await scripted(), tls="opportunistic") == Delivered("250 2.0.0 queued as 1")


async def test_s62_a_certificate_must_be_proven(
    scripted: Scripted, send: Send, certificate: tuple[Path, Path]
) -> None:
    pem, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = await scripted(extensions=("STARTTLS",), tls=context)

    # The port is free, the address is not in the system's trust: only our own CA file proves it.
    assert await send(server, tls="required") == Suspended("certificate_untrusted")
    assert server.mails == []
    assert isinstance(await send(server, tls="required", ca_file=str(pem)), Delivered)
    assert isinstance(await send(server, tls="opportunistic"), Delivered)
