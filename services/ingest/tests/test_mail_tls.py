"""STARTTLS of the mail listener: offered, required, renewed, and files that are no certificate."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ingest.mail.recipient import MailRecipient, Recipient
from leadbus.mailin.certificate import Certificate
from leadbus.mailin.listener import Listener, Rules
from leadbus.mailin.room import Mail, Taken
from leadbus.settings.environment import SettingsError

ADDRESS = "k7@leads.example"


class FakeMailroom:
    def __init__(self) -> None:
        self.mails: list[Mail[Recipient]] = []

    async def recipient(self, address: str) -> Recipient:
        return Recipient("k7", MailRecipient(address=address))

    async def take(self, mail: Mail[Recipient]) -> Taken:
        self.mails.append(mail)
        return Taken("taken")


def issue(folder: Path, number: int) -> tuple[Path, Path]:
    """A self-signed certificate with that serial number and its key, in the same two files each time."""
    pem, key = folder / "cert.pem", folder / "key.pem"
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, address = datetime.now(UTC), x509.IPAddress(IPv4Address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(number)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    # Files that were written within one tick of the clock differ all the same.
    os.utime(pem, ns=(number, number))
    return pem, key


@asynccontextmanager
async def listening(folder: Path, *, required: bool = False) -> AsyncIterator[tuple[Listener, FakeMailroom]]:
    mailroom: Any = FakeMailroom()
    rules = Rules("mx.leads.example", 10_000, 100_000, 10, 60, 60, tls_required=required)
    certificate = Certificate(folder / "cert.pem", folder / "key.pem", "the files")
    listener = Listener(mailroom, rules, host="127.0.0.1", ports={"smtp": 0}, certificate=certificate)
    await listener.open()
    yield listener, mailroom
    listener.close()


def send(port: int, *, encrypted: bool = True) -> int:
    """Send one mail; the serial number of the certificate that was shown."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="c.example", timeout=20) as client:
        serial = 0
        if encrypted:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.starttls(context=context)
            sock: Any = client.sock
            serial = x509.load_der_x509_certificate(sock.getpeercert(True)).serial_number
        client.sendmail("a@b.example", [ADDRESS], b"Subject: x\r\n\r\nHello\r\n")
    return serial


async def test_a_mail_comes_encrypted(tmp_path: Path) -> None:
    issue(tmp_path, 1)
    async with listening(tmp_path) as (listener, mailroom):
        assert await asyncio.to_thread(send, listener.port("smtp")) == 1
        assert await asyncio.to_thread(send, listener.port("smtp"), encrypted=False) == 0
    assert [mail.body for mail in mailroom.mails] == [b"Subject: x\r\n\r\nHello\r\n"] * 2


async def test_sm12_in_clear_where_tls_is_required(tmp_path: Path) -> None:
    issue(tmp_path, 1)
    async with listening(tmp_path, required=True) as (listener, mailroom):
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            await asyncio.to_thread(send, listener.port("smtp"), encrypted=False)
        assert caught.value.smtp_code == 530
        assert mailroom.mails == []
        assert await asyncio.to_thread(send, listener.port("smtp")) == 1
        assert len(mailroom.mails) == 1


async def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(tmp_path: Path) -> None:
    pem, _ = issue(tmp_path, 1)
    async with listening(tmp_path) as (listener, _mailroom):
        port = listener.port("smtp")
        assert await asyncio.to_thread(send, port) == 1
        issue(tmp_path, 2)
        assert await asyncio.to_thread(send, port) == 2
        pem.write_text("no certificate")
        assert await asyncio.to_thread(send, port) == 2
        pem.unlink()
        assert await asyncio.to_thread(send, port) == 2
        issue(tmp_path, 3)
        assert await asyncio.to_thread(send, port) == 3


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\n"])
def test_files_that_are_no_certificate(tmp_path: Path, content: str | None) -> None:
    pem, key = issue(tmp_path, 1)
    if content is None:
        key.unlink()
    else:
        pem.write_text(content)
    with pytest.raises(SettingsError, match="A and B do not name"):
        Certificate(pem, key, "A and B")
