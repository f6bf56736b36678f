"""What the head of a mail tells: the same mail by another way, circles, answers of machines, tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.mailin.head import Head, read_head

MAIL = b"From: a@b.example\r\nMessage-ID: <1@b.example>\r\nSubject: Lead\r\n\r\n<adf/>\r\n"


def digest(mail: bytes) -> str:
    return read_head(mail).digest


@pytest.mark.parametrize(
    "added",
    [
        b"Received: from x by y;\r\n\tSat, 21 Nov 2026 13:00:00 +0100\r\n",
        b"RETURN-PATH: <a@b.example>\r\n",
        b"Delivered-To: d@leads.example\r\nX-Original-To: d@leads.example\r\n",
        b"Authentication-Results: mx; spf=pass\r\nReceived-SPF: pass\r\n",
        b"ARC-Seal: i=1;\r\n cv=none\r\nDKIM-Signature: v=1;\r\n b=abc\r\n",
    ],
)
def test_the_same_mail_by_another_way_is_the_same(added: bytes) -> None:
    head, text = MAIL.split(b"\r\n\r\n")
    assert digest(added + MAIL) == digest(MAIL)
    assert digest(head + b"\r\n" + added + b"\r\n" + text) == digest(MAIL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<1@b.example>", b"<2@b.example>"),
        (b"Subject: Lead", b"Subject: lead"),
        (b"<adf/>", b"<adf />"),
        (b"\r\nMessage-ID:", b"\r\nX-Message-ID:"),
    ],
    ids=["Message-ID", "value", "text", "name"],
)
def test_another_mail_is_another(old: bytes, new: bytes) -> None:
    assert digest(MAIL.replace(old, new)) != digest(MAIL)


def test_what_stands_in_the_text_is_no_header() -> None:
    mail = MAIL.replace(b"<adf/>", b"Auto-Submitted: auto-replied\r\n\r\nReceived: x\r\nX-Leadbus-Test: yes")
    assert read_head(mail) == Head(digest=digest(mail))
    assert digest(mail) != digest(mail.replace(b"Received: x\r\n", b""))
    assert read_head(b"\r\nReceived: x\r\n").hops == 0


@pytest.mark.parametrize("count", [0, 1, 51])
def test_hops(count: int) -> None:
    assert read_head(b"Received: by x;\r\n today\r\n" * count + MAIL).hops == count


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (b"Auto-Submitted: auto-replied", True),
        (b"auto-submitted: Auto-Replied (vacation)", True),
        (b"Content-Type: multipart/report;\r\n report-type=delivery-status", True),
        (b"Content-Type:\r\n multipart/report; report-type=delivery-status", True),
        # Whatever makes ADF says so of its mails, Leadbus too.
        (b"Auto-Submitted: auto-generated", False),
        (b"Auto-Submitted: no", False),
        (b"Content-Type: multipart/mixed; boundary=multipart/report", False),
        (b"X-Auto-Submitted: auto-replied", False),
    ],
)
def test_answers_of_machines(header: bytes, answer: bool) -> None:
    assert read_head(header + b"\r\n" + MAIL).answer is answer
    assert read_head((header + b"\r\n" + MAIL).replace(b"\r\n", b"\n")).answer is answer


@pytest.mark.parametrize(
    ("header", "test"),
    [(b"X-Leadbus-Test: yes", True), (b"x-leadbus-test:YES", True), (b"X-Leadbus-Test: no", False)],
)
def test_the_mark_of_another_leadbus(header: bytes, test: bool) -> None:
    assert read_head(header + b"\r\n" + MAIL).test is test


def test_a_head_without_an_end_is_read_no_further_than_heads_go() -> None:
    endless = b"Received: x\r\n" * 1_000_000
    assert 0 < read_head(endless).hops < 20_000
    assert digest(endless) != digest(endless + b"Received: x\r\n")


@given(st.lists(st.sampled_from([b"Received:", b" ", b"\r", b"\n", b"\r\n", b":", b"\x00"]) | st.binary()))
def test_any_bytes_are_a_mail(pieces: list[bytes]) -> None:
    mail = b"".join(pieces)
    assert len(read_head(mail).digest) == 64
