"""D1–D19: DKIM over the exact bytes, checked by another reading of what a real SMTP server received."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import dkim  # type: ignore[import-untyped]
import pytest
from adf_mailer import signing
from adf_mailer.domain.letter import Written, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import Route
from adf_mailer.signing import DkimSigner, is_aligned
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from leadbus.contracts import Lead
from leadbus_devstack.smtp import SmtpServer
from pydantic import SecretStr

Mailer = Any
Scripted = Any
Connect = Any
Leads = Callable[..., Lead]
Routes = Callable[..., Route]

DOMAIN, SELECTOR, SENDER = "leadbus.example", "s2026a", "leads@leadbus.example"
DATE = datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC)


def pem(key: Any, form: Any = serialization.PrivateFormat.PKCS8) -> str:
    made: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return made.decode()


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def signer(rsa_key: rsa.RSAPrivateKey) -> DkimSigner:
    return DkimSigner(DOMAIN, SELECTOR, SecretStr(pem(rsa_key)))


@pytest.fixture
def is_signed(rsa_key: rsa.RSAPrivateKey) -> Callable[[bytes], bool]:
    """Whether the mail verifies with the key that DNS has."""
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def look_up(name: bytes, **_: Any) -> bytes | None:
        return record if name == f"{SELECTOR}._domainkey.{DOMAIN}.".encode() else None

    def check(raw: bytes) -> bool:
        return bool(dkim.verify(raw, dnsfunc=look_up))

    return check


@pytest.fixture
def letter(golden_lead: Leads, make_route: Routes, signer: DkimSigner) -> Callable[..., Written]:
    """`letter("chat", from_display="Grüße")`: a signed mail about a golden lead."""

    def make(
        kind: str = "chat", *, date: datetime = DATE, references: str | None = None, **spec: Any
    ) -> Written:
        return write(
            golden_lead(kind),
            make_route(**spec),
            status="new",
            date=date,
            letterhead=Letterhead(SENDER, signer=signer),
            key="key",
            references=references,
        )

    return make


def tags(raw: bytes) -> dict[str, str]:
    value = str(message_from_bytes(raw, policy=policy.default)["DKIM-Signature"])
    return {
        name.strip(): re.sub(r"\s", "", text)
        for name, _, text in (tag.partition("=") for tag in value.split(";") if tag.strip())
    }


@pytest.mark.parametrize("kind", ["chat", "tracked_call", "text_to_chat", "click_for_call_back"])
def test_d1_every_kind_of_mail_verifies(letter: Any, is_signed: Any, kind: str) -> None:
    raw = letter(kind).mail.raw
    assert raw.startswith(b"DKIM-Signature: ")
    assert is_signed(raw)


def test_d2_what_is_said_of_the_signature(letter: Any) -> None:
    said = tags(letter(references="<first@leadbus.example>").mail.raw)
    assert {name: said[name] for name in ("v", "a", "c", "d", "s", "t", "q")} == {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": DOMAIN,
        "s": SELECTOR,
        "t": str(int(DATE.timestamp())),
        "q": "dns/txt",
    }
    assert "l" not in said
    assert said["h"].split(":") == [
        *("from", "to", "subject", "date", "message-id", "references", "mime-version", "content-type"),
        *("content-transfer-encoding", "auto-submitted", "from"),
    ]


def test_d3_the_same_mail_has_the_same_bytes(letter: Any) -> None:
    assert letter().mail == letter().mail
    assert letter().mail.sha256 != letter(date=DATE + timedelta(seconds=1)).mail.sha256


def test_d4_the_mail_itself_is_untouched(letter: Any, golden_lead: Leads, make_route: Routes) -> None:
    unsigned = write(
        golden_lead(), make_route(), status="new", date=DATE, letterhead=Letterhead(SENDER), key="key"
    )
    signed = letter().mail
    assert signed.raw.endswith(unsigned.mail.raw)
    head = signed.raw.removesuffix(unsigned.mail.raw)
    assert head.endswith(b"\r\n")
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))
    assert signed.message_id == unsigned.mail.message_id


@pytest.mark.parametrize(
    "display",
    [
        pytest.param("Grüße an alle, die hier einen Wagen suchen, “Söhne” <GmbH>", id="D5-folded-words"),
        pytest.param('Smith, "Bob" \\ Sons', id="D6-quoted"),
        pytest.param("x" * 100, id="D7-long"),
    ],
)
def test_a_sender_of_any_form_verifies(letter: Any, is_signed: Any, display: str) -> None:
    assert is_signed(letter(from_display=display, subject="車" * 60).mail.raw)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param(b"Subject: ", b"Subject: x", id="D8-subject"),
        pytest.param(b"To: ", b"To: x", id="D9-recipient"),
        pytest.param(b"</adf>", b"<x/></adf>", id="D10-document"),
        pytest.param(b"Content-Type: text/plain", b"Content-Type: text/html", id="D11-type"),
        pytest.param(b"\r\nTo: ", b"\r\nFrom: evil@x.example\r\nTo: ", id="D12-a-second-sender"),
        pytest.param(b"</adf>\r\n", b"</adf>\r\nmore\r\n", id="D13-text-behind-it"),
    ],
)
def test_what_is_changed_on_the_way_does_not_verify(
    letter: Any, is_signed: Any, was: bytes, becomes: bytes
) -> None:
    raw = letter().mail.raw
    assert raw.count(was) >= 1
    assert is_signed(raw)
    assert not is_signed(raw.replace(was, becomes, 1))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param(b"Subject: ", b"subject:   ", id="D14-blanks-and-case"),
        pytest.param(b"\r\nTo: ", b"\r\nReceived: from x\r\nTo: ", id="D15-a-trace"),
        pytest.param(b"</adf>\r\n", b"</adf>\r\n\r\n", id="D16-an-empty-line-at-the-end"),
    ],
)
def test_what_relays_do_to_mails_does_no_harm(
    letter: Any, is_signed: Any, was: bytes, becomes: bytes
) -> None:
    assert is_signed(letter().mail.raw.replace(was, becomes, 1))


async def test_d17_a_signed_mail_arrives_as_it_was_signed(
    scripted: Scripted, connect: Connect, letter: Any, is_signed: Any
) -> None:
    """Over the wire, lines that begin with a dot among them."""
    server = await scripted()
    pool = connect(server)
    raw = letter().mail.raw
    await pool.send(replace(pool.MAIL, raw=raw))
    await pool.close()

    (received,) = server.mails
    assert is_signed(re.sub(rb"(?m)^\.", b"", received))


async def test_d18_every_try_sends_the_bytes_that_were_signed_once(
    mailer: Mailer, smtp: SmtpServer, golden_lead: Leads, signer: DkimSigner, is_signed: Any
) -> None:
    planner = mailer.engine._acting._sink._desk._planner
    object.__setattr__(planner, "letterhead", Letterhead(SENDER, signer=signer))
    await mailer.route()
    smtp.control(drop_after_dot="stored", times=1)
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
    await mailer.work()
    await mailer.later(3600)

    first, second = smtp.messages()
    assert first.content == second.content
    assert is_signed(first.content)
    (row,) = await mailer.rows("SELECT raw, sha256 FROM mail")
    assert row["raw"] == first.content


def test_d19_lines_that_begin_with_a_dot_are_signed_as_they_are_read(
    signer: DkimSigner, is_signed: Any
) -> None:
    raw = signer.sign(b"From: a@leadbus.example\r\nTo: b@x.example\r\n\r\n.\r\n..two\r\n", date=DATE)
    assert is_signed(raw)


@pytest.mark.parametrize(
    ("domain", "selector", "key", "why"),
    [
        pytest.param(DOMAIN, SELECTOR, lambda: "no key", "no RSA private key in PEM", id="D20-no-pem"),
        pytest.param(
            DOMAIN, SELECTOR, lambda: pem(ec.generate_private_key(ec.SECP256R1())), "no RSA", id="D21-no-rsa"
        ),
        pytest.param(
            DOMAIN,
            SELECTOR,
            lambda: pem(rsa.generate_private_key(65537, 1024)),
            "has 1024 bits",
            id="D22-short",
        ),
        pytest.param("local", SELECTOR, lambda: "", "DKIM_DOMAIN has no dot", id="D23-no-domain"),
        pytest.param("a b.example", SELECTOR, lambda: "", "DKIM_DOMAIN is no name", id="D24-no-name"),
        pytest.param(DOMAIN, "s;d=x", lambda: "", "DKIM_SELECTOR is no name", id="D25-no-selector"),
    ],
)
def test_what_cannot_sign_is_said_at_once(
    domain: str, selector: str, key: Callable[[], str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        DkimSigner(domain, selector, SecretStr(key()))


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_d26_a_key_of_either_form_and_line_end(
    rsa_key: rsa.RSAPrivateKey, is_signed: Any, form: Any, line_end: str
) -> None:
    key = pem(rsa_key, form).replace("\n", line_end)
    signed = DkimSigner(DOMAIN, SELECTOR, SecretStr(key)).sign(b"From: a@x.example\r\n\r\nx\r\n", date=DATE)
    assert is_signed(signed)


def test_d27_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dkim", None)
    with pytest.raises(ValueError, match=r"install adf-mailer\[dkim\]"):
        signing.DkimSigner(DOMAIN, SELECTOR, SecretStr(""))


@pytest.mark.parametrize(
    ("address", "domain", "aligned"),
    [
        pytest.param("a@leadbus.example", "leadbus.example", True, id="D28-same"),
        pytest.param("a@mail.leadbus.example", "leadbus.example", True, id="D29-below"),
        pytest.param("a@LEADBUS.example", "leadbus.EXAMPLE", True, id="D30-case"),
        pytest.param("a@leadbus.example", "mail.leadbus.example", False, id="D31-above"),
        pytest.param("a@notleadbus.example", "leadbus.example", False, id="D32-alike"),
        pytest.param("a@other.example", "leadbus.example", False, id="D33-other"),
    ],
)
def test_alignment(address: str, domain: str, aligned: bool) -> None:
    assert is_aligned(address, domain) is aligned
