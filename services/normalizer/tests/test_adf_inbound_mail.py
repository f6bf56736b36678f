"""Inbound ADF by mail: the M cases: body or attachment, any transfer encoding, charsets, what is no ADF."""

from __future__ import annotations

import base64
import quopri
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf import read_all
from normalizer.sources.adf.mail import Mail, read_mail

GOLDEN = sorted((Path(__file__).parents[2] / "adf-mailer" / "tests" / "golden").glob("*.eml"))
DOCUMENT = """<?xml version="1.0" encoding="utf-16"?>
<?adf version="1.0"?>
<adf><prospect><id source="Cars">77</id><customer><contact><name part="full">Zoë Rivers</name>
<email>zoe@example.org</email></contact></customer><vendor><vendorname>P</vendorname></vendor></prospect></adf>
"""
HEAD = (
    b"From: Cars <leads@cars.example>\r\nTo: dealer@leads.example\r\n"
    b"Subject: =?utf-8?q?Zo=C3=AB?=\r\nMIME-Version: 1.0\r\n"
)


def simple(body: bytes, headers: bytes = b"") -> bytes:
    return HEAD + headers + b"\r\n" + body


def names(mail: Mail) -> list[str | None]:
    outcomes = [one for part in mail.adf for one in read_all(part.body, part.content_type)]
    return [one.name.full if isinstance(one, Draft) else one.reason for one in outcomes]


def composed(*parts: tuple[str, str, str | None], text: str = "") -> bytes:
    """Parts as (type, text, file name); with `text` a body before them."""
    message = EmailMessage()
    message["Subject"] = "Lead"
    message.set_content(text or "See attachment.")
    for kind, content, name in parts:
        main, _, sub = kind.partition("/")
        if name is None:
            message.add_alternative(content, subtype=sub)
        else:
            message.add_attachment(content.encode(), maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


UTF8 = DOCUMENT.encode()
ESCAPED = "<html><body><p>" + DOCUMENT.replace("<", "&lt;").replace("\n", "<br>") + "</p></body></html>"
MAILS = [
    ("M1", simple(UTF8, b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")),
    (
        "M2",
        simple(
            quopri.encodestring(UTF8),
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        ),
    ),
    (
        "M3",
        simple(
            base64.encodebytes(UTF8),
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
        ),
    ),
    ("M4", simple(DOCUMENT.encode("latin-1"), b"Content-Type: text/plain; charset=iso-8859-1\r\n")),
    ("M5", simple(UTF8)),
    ("M6", simple(UTF8, b"Content-Type: text/plain; charset=us-ascii\r\n")),
    ("M7", simple(UTF8, b"Content-Type: application/x-adf+xml\r\n")),
    ("M8", simple(UTF8, b"Content-Type: application/xhtml+xml; charset=utf-8\r\n")),
    ("M9", composed(("application/xml", DOCUMENT, "lead.xml"))),
    ("M10", composed(("application/octet-stream", DOCUMENT, "LEAD.XML"))),
    ("M11", composed(("application/octet-stream", DOCUMENT, "lead.bin"))),
    ("M12", composed(("application/xml", DOCUMENT, "lead.xml"), text=DOCUMENT)),
    ("M13", composed(("text/html", ESCAPED, None), text=DOCUMENT)),
    ("M14", composed(("text/html", ESCAPED, None), text="Please use another mail program.")),
    (
        "M15",
        simple(quopri.encodestring(UTF8, quotetabs=True), b"Content-Type: text/plain; charset=utf-8\r\n"),
    ),
    ("M16", simple(DOCUMENT.encode("utf-16"), b"Content-Type: text/plain; charset=utf-16\r\n")),
    ("M17", simple(UTF8, b'Content-Type: text/plain; charset="no such thing"\r\n')),
    ("M18", simple(UTF8, b"Content-Type: text\r\nContent-Transfer-Encoding: x-unheard-of\r\n")),
    ("M19", simple(UTF8.replace(b"\n", b"\r\n") + b"\r\n-- \r\nSent from my phone\r\n")),
    ("M20", simple(ESCAPED.encode(), b"Content-Type: text/html; charset=utf-8\r\n")),
]


@pytest.mark.parametrize(("case", "message"), MAILS, ids=[row[0] for row in MAILS])
def test_wherever_the_document_is(case: str, message: bytes) -> None:
    mail = read_mail(message)
    assert names(mail) == ["Zoë Rivers"]
    (draft,) = read_all(message, "message/rfc822")
    assert isinstance(draft, Draft)
    assert draft.external_id == "77"


def test_a_forwarded_mail() -> None:
    inner = EmailMessage()
    inner.set_content(DOCUMENT)
    outer = EmailMessage()
    outer.set_content("Fwd")
    outer.add_attachment(inner)
    assert names(read_mail(outer.as_bytes())) == ["Zoë Rivers"]


def test_two_leads_attached_are_two() -> None:
    other = DOCUMENT.replace("77", "78")
    mail = read_mail(composed(("application/xml", DOCUMENT, "1.xml"), ("application/xml", other, "2.xml")))
    assert len(mail.adf) == 2


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: str(path.stem))
def test_our_own_mails_come_back(golden: Path) -> None:
    mail = read_mail(golden.read_bytes())
    assert mail.subject is not None
    assert mail.sender == '"ContactAtOnce!" <leads@leadbus.example>'
    (draft,) = read_all(golden.read_bytes(), "message/rfc822")
    assert isinstance(draft, Draft)
    assert draft.issuer == "ContactAtOnce!"
    assert draft.ids[-1].source == "leadbus"
    # Each lead type of the source is mailed as JSON beside it tells; one lead in the form of each profile.
    of_a_kind = golden.with_suffix(".json").exists()
    assert draft.location == ("Prairie Motors" if of_a_kind else "Autohaus Prärie & Söhne")
    assert draft.extras["provider.name"] == "ContactAtOnce!"


def test_what_is_no_adf_is_told_as_text() -> None:
    mail = read_mail(
        simple("Grüße, is the Ram still there?".encode(), b"Content-Type: text/plain; charset=utf-8\r\n")
    )
    assert not mail.is_adf
    assert (mail.text, mail.subject) == ("Grüße, is the Ram still there?", "Zoë")
    assert mail.sender == "Cars <leads@cars.example>"
    with pytest.raises(Rejection) as caught:
        read_all(simple(b"Hello"), "message/rfc822")
    assert caught.value.reason == "not_a_lead"


def test_text_goes_before_html_and_html_without_its_marks() -> None:
    page = "<html><style>p {x: y}</style><p>One &amp; two</p><script>alert('<p>')</script><p>three</p></html>"
    assert read_mail(composed(("text/html", page, None), text="plain")).text == "plain"
    assert read_mail(simple(page.encode(), b"Content-Type: text/html\r\n")).text == "One & two\nthree"


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        (b"Auto-Submitted: auto-replied\r\n", True),
        (b"Auto-Submitted: auto-generated\r\n", False),
        (b"Return-Path: <>\r\n", True),
        (b"Content-Type: multipart/report; boundary=x\r\n", True),
        (b"", False),
    ],
)
def test_what_must_not_be_answered(headers: bytes, automatic: bool) -> None:
    assert read_mail(simple(b"Hello", headers)).automatic is automatic


def nested(depth: int) -> bytes:
    heads = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(depth)
    )
    return heads + b"\r\nHello"


@pytest.mark.parametrize(
    "message",
    [
        nested(3_000),
        b"\r\n--x".join([b"Content-Type: multipart/mixed; boundary=x\r\n"] + [b"\r\n\r\n"] * 500),
    ],
)
def test_mails_built_to_hurt(message: bytes) -> None:
    with pytest.raises(Rejection) as caught:
        read_mail(message)
    assert caught.value.reason in ("undecodable", "too_large")


def test_parameters_without_end_are_not_read() -> None:
    written = composed(("application/xml", DOCUMENT, "1.xml"), text="One lead").replace(b"\r\n", b"\n")
    longer = written.replace(b"multipart/mixed;", b'multipart/mixed; x="' + b";" * 1_000 + b'";', 1)
    assert longer != written
    assert names(read_mail(written)) == ["Zoë Rivers"]
    # Without the boundary it has no parts.
    assert read_mail(longer).adf != read_mail(written).adf
    endless = simple(b"Hello", b'Content-Type: text/plain; "' + b";" * 1_000_000 + b"\r\n")
    assert read_mail(endless).text == "Hello"


@settings(max_examples=200, deadline=None)
@given(
    head=st.lists(
        st.sampled_from(
            [
                *(
                    b"Content-Type: text/plain; charset=",
                    b"utf-16",
                    b"Content-Transfer-Encoding: base64",
                    b"\r\n",
                ),
                *(
                    b"Content-Type: multipart/mixed; boundary=x",
                    b"--x",
                    b"\r\n\r\n",
                    b"Subject: =?utf-8?b?/w==?=",
                    b";",
                ),
                *(
                    b"Content-Disposition: attachment; filename*=utf-9''%ff",
                    b"\xff\xfe",
                    b"<adf>",
                    b"=3D",
                    b"From: =?x?q??=",
                ),
            ]
        )
        | st.binary(max_size=8),
        max_size=14,
    )
)
def test_any_mail_is_read_or_rejected(head: Any) -> None:
    try:
        mail = read_mail(b"".join(head) + UTF8)
    except Rejection:
        return
    assert "\x00" not in mail.text
