"""PL1–PL6: what Python's own library makes of an ADF mail, and that ours is none of it.

What the library does differs between versions. A case says, in the report of the run, whether the trap is
there; a behaviour that is neither the trap nor its absence fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
from adf_mailer.domain.document import Form, render
from adf_mailer.domain.mail import Letter, compose
from leadbus.contracts import Lead
from lxml import etree

LONG = b'<adf><id sequence="1" source="a">' + b"word " * 20 + b"</id></adf>\n"
TOO_LONG = b"<adf>" + b"a" * 1200 + b"</adf>\n"
INJECTION = "=?utf-8?q?=0D=0ABcc:_all@evil.example?="
Report = Callable[..., None]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]) -> Report:
    """`report("PL1", sprung=True)`: a line that is shown whether the test passes or not."""

    def tell(trap: str, *, sprung: bool) -> None:
        version = ".".join(map(str, sys.version_info[:3]))
        told = "there" if sprung else "absent"
        record_property(trap, told)
        with capsys.disabled():
            print(f"\n{trap} on Python {version}: {told}")

    return tell


def ours(document: bytes = b"<adf/>\n", *, encoded: bool = False, **changes: Any) -> bytes:
    letter: dict[str, Any] = {
        "from_address": "leads@leadbus.example",
        "from_display": "x",
        "to_address": "leads@prairie.example",
        "subject": "x",
        "date": datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        "message_id": "<a@leadbus.example>",
        "lead_id": UUID(int=1),
        "revision": 1,
    }
    return compose(Letter(**letter | changes), document, encoded=encoded).raw


def librarys(text: str, policy_: Any = policy.SMTP, **content: Any) -> tuple[bytes, str]:
    """Bytes and transfer encoding of `set_content`."""
    message = EmailMessage(policy=policy_)
    message.set_content(text, **content)
    return message.as_bytes(), message["Content-Transfer-Encoding"]


def test_pl1_lines_over_78_characters_become_quoted_printable(report: Report) -> None:
    raw, encoding = librarys(LONG.decode())
    assert (encoding, b"=3D" in raw) in {("quoted-printable", True), ("7bit", False)}
    report("PL1 long lines are quoted-printable", sprung=encoding == "quoted-printable")

    mine = ours(LONG)
    assert b"Content-Transfer-Encoding: 7bit\r\n" in mine
    assert mine.endswith(b"\r\n\r\n" + LONG.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("typed", ["é" * 30, "é " * 60, "車" * 200])
def test_pl2_characters_outside_ascii_leave_seven_bit(
    typed: str, report: Report, golden_lead: Callable[..., Lead]
) -> None:
    raw, encoding = librarys(f"<adf>{typed}</adf>\n")
    assert encoding in {"base64", "8bit", "quoted-printable"}
    report(f"PL2 {len(typed.encode())} bytes of UTF-8 are {encoding}", sprung=True)
    assert b"<adf>&#" not in raw

    document = render(golden_lead(message=typed), Form("leads@prairie.example")).content
    mine = ours(document)
    assert b"Content-Transfer-Encoding: 7bit\r\n" in mine
    assert mine.isascii()
    (comments,) = etree.fromstring(mine.partition(b"\r\n\r\n")[2]).findall("prospect/customer/comments")
    assert typed.strip() in (comments.text or "").replace("\r", "").replace("\n", "")


def test_pl3_seven_bit_with_a_line_over_998_bytes_is_labelled_seven_bit(report: Report) -> None:
    raw, encoding = librarys(TOO_LONG.decode(), cte="7bit")
    longest = max(map(len, raw.split(b"\r\n")))
    assert (encoding, longest > 998) in {("7bit", True), ("quoted-printable", False), ("base64", False)}
    report("PL3 a line of 1,200 bytes is sent as 7bit", sprung=longest > 998)

    with pytest.raises(ValueError, match="998"):
        ours(TOO_LONG)
    mine = ours(TOO_LONG, encoded=True)
    assert max(map(len, mine.split(b"\r\n"))) <= 998
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in mine


def test_pl4_a_line_limit_turns_the_whole_body_quoted_printable(report: Report) -> None:
    limited = policy.SMTP.clone(max_line_length=998)
    _, fits = librarys(LONG.decode(), limited)
    assert fits == "7bit"
    raw, encoding = librarys(TOO_LONG.decode(), limited)
    assert encoding in {"quoted-printable", "base64", "7bit"}
    report("PL4 a limit of 998 bytes encodes the body", sprung=encoding != "7bit")
    assert max(map(len, raw.split(b"\r\n"))) <= 998 or encoding == "7bit"

    fitting = b"<adf>" + b"a" * 980 + b"</adf>\n"
    assert b"Content-Transfer-Encoding: 7bit\r\n" in ours(fitting)


@pytest.mark.parametrize("header", ["Subject", "From"])
def test_pl5_an_encoded_word_in_a_value_becomes_a_header(header: str, report: Report) -> None:
    written = None
    try:
        message = EmailMessage(policy=policy.SMTP)
        message[header] = INJECTION if header == "Subject" else f"{INJECTION} <a@leadbus.example>"
        written = message.as_bytes()
    except ValueError:
        pass  # refused while setting or writing: the trap is absent
    sprung = written is not None and "Bcc" in message_from_bytes(written, policy=policy.default)
    report(f"PL5 an encoded word in {header} injects a header", sprung=sprung)

    mine = ours(subject=INJECTION) if header == "Subject" else ours(from_display=INJECTION)
    assert message_from_bytes(mine, policy=policy.default)["Bcc"] is None
    assert b"=?" not in mine
    assert b"utf-8?q?" in mine


def test_pl6_element_tree_writes_characters_that_no_parser_takes(
    report: Report, golden_lead: Callable[..., Lead]
) -> None:
    element = ElementTree.Element("adf")
    element.text = "a\x0bb"
    try:
        written = ElementTree.tostring(element)
    except ValueError:
        sprung = False
    else:
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(written)
        sprung = True
    report("PL6 ElementTree writes control characters", sprung=sprung)

    document = render(golden_lead(message="a\x0bb\x01c"), Form("leads@prairie.example")).content
    said = etree.fromstring(document).findtext("prospect/customer/comments") or ""
    assert "a\nbc" in said
