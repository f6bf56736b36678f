"""M1–M39: the mail as bytes. Parsed by Python's `email` as a receiver would, and looked at as bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import UUID

import pytest
from adf_mailer.domain.mail import Letter, compose, message_id
from adf_mailer.domain.subject import fill

DOCUMENT = b'<?xml version="1.0"?>\n<adf>\n.\n..two dots\n</adf>\n'
LETTER = Letter(
    from_address="leads@leadbus.example",
    from_display="ContactAtOnce!",
    to_address="leads@prairie.example",
    subject="Prairie Motors: lead 1",
    date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
    message_id="<8a6e0804-2bd0-4672-b79d-d97027f9071a@leadbus.example>",
    lead_id=UUID("8a6e0804-2bd0-4672-b79d-d97027f9071a"),
    revision=3,
)
NAMES = [
    *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"),
    *("Content-Transfer-Encoding", "Auto-Submitted", "X-Leadbus-Lead", "X-Leadbus-Revision"),
]
INJECTIONS = [
    pytest.param("x\r\nBcc: all@evil.example", id="crlf"),
    pytest.param("x\nBcc: all@evil.example", id="lf"),
    pytest.param("x\rBcc: all@evil.example", id="cr"),
    pytest.param("x\r\n\r\nnew body", id="body"),
    pytest.param("x\u2028Bcc: all@evil.example\x0bBcc: a\x0cBcc: b\x85Bcc: c", id="other-line-ends"),
    pytest.param("=?utf-8?q?=0D=0ABcc:_all@evil.example?=", id="encoded-word-q"),
    pytest.param("=?utf-8?b?DQpCY2M6IGFsbEBldmlsLmV4YW1wbGU=?=", id="encoded-word-b"),
    pytest.param("é =?utf-8?q?=0D=0ABcc:_all@evil.example?=", id="encoded-word-in-unicode"),
    pytest.param("=\x00?utf-8?q?=0D=0ABcc:_x?=", id="encoded-word-put-together-by-cleaning"),
    pytest.param('"\r\n <all@evil.example>, "', id="quotes-and-commas"),
    pytest.param('evil@x.example>, "a\\" <b@c.example', id="second-mailbox"),
    pytest.param("x" * 5000, id="too-long"),
    pytest.param("\ud800\udfff surrogates", id="lone-surrogates"),
]


def headers(raw: bytes) -> list[tuple[str, str]]:
    message = message_from_bytes(raw, policy=policy.default)
    return [(name, str(value)) for name, value in message.items()]


def assert_safe(raw: bytes) -> None:
    """Exactly our headers, one sender, one recipient, and the body that was given."""
    assert [name for name, _ in headers(raw)] == NAMES
    message = message_from_bytes(raw, policy=policy.default)
    assert [one.addr_spec for one in message["From"].addresses] == [LETTER.from_address]
    assert [one.addr_spec for one in message["To"].addresses] == [LETTER.to_address]
    assert not message.defects
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == DOCUMENT.replace(b"\n", b"\r\n")
    for line in head.split(b"\r\n"):
        assert len(line) <= 998
        assert all(0x20 <= byte <= 0x7E for byte in line)


def test_m1_bytes() -> None:
    raw = compose(LETTER, DOCUMENT, encoded=False).raw

    assert raw == (
        b'From: "ContactAtOnce!" <leads@leadbus.example>\r\n'
        b"To: leads@prairie.example\r\n"
        b"Subject: Prairie Motors: lead 1\r\n"
        b"Date: Tue, 14 Apr 2026 16:03:09 +0000\r\n"
        b"Message-ID: <8a6e0804-2bd0-4672-b79d-d97027f9071a@leadbus.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"Auto-Submitted: auto-generated\r\n"
        b"X-Leadbus-Lead: 8a6e0804-2bd0-4672-b79d-d97027f9071a\r\n"
        b"X-Leadbus-Revision: 3\r\n"
        b"\r\n"
        b'<?xml version="1.0"?>\r\n<adf>\r\n.\r\n..two dots\r\n</adf>\r\n'
    )


@pytest.mark.parametrize("value", INJECTIONS)
def test_m2_subject_cannot_inject(value: str) -> None:
    assert_safe(compose(replace(LETTER, subject=value), DOCUMENT, encoded=False).raw)


@pytest.mark.parametrize("value", INJECTIONS)
def test_m3_sender_name_cannot_inject(value: str) -> None:
    assert_safe(compose(replace(LETTER, from_display=value), DOCUMENT, encoded=False).raw)


@pytest.mark.parametrize("value", INJECTIONS)
def test_m4_addresses_cannot_inject(value: str) -> None:
    address = f"{value}@x.example"
    for letter in (replace(LETTER, to_address=address), replace(LETTER, from_address=address)):
        with pytest.raises(ValueError):
            compose(letter, DOCUMENT, encoded=False)


def test_m5_a_forged_message_id_is_refused() -> None:
    with pytest.raises(ValueError):
        compose(replace(LETTER, message_id="<a@b>\r\nBcc: x"), DOCUMENT, encoded=False)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Autohaus Müller: Probefahrt", id="M6"),
        pytest.param("車" * 60, id="M7"),
        pytest.param("🚗 électrique " * 6, id="M8"),
    ],
)
def test_other_alphabets_are_encoded_words_that_read_back(subject: str) -> None:
    raw = compose(replace(LETTER, subject=subject), DOCUMENT, encoded=False).raw
    assert_safe(raw)

    assert dict(headers(raw))["Subject"] == subject.strip()
    folded = raw.partition(b"Date:")[0].partition(b"Subject:")[2]
    assert all(len(line) <= 76 for line in (b"Subject:" + folded).split(b"\r\n"))


def test_m9_sender_name_of_another_alphabet_reads_back() -> None:
    raw = compose(replace(LETTER, from_display="Grüße, “Söhne” <GmbH>"), DOCUMENT, encoded=False).raw
    assert_safe(raw)

    (sender,) = message_from_bytes(raw, policy=policy.default)["From"].addresses
    assert sender.display_name == "Grüße, “Söhne” <GmbH>"


def test_m10_quotes_and_commas_in_a_name_read_back() -> None:
    raw = compose(replace(LETTER, from_display='Smith, "Bob" \\ Sons'), DOCUMENT, encoded=False).raw
    assert_safe(raw)

    (sender,) = message_from_bytes(raw, policy=policy.default)["From"].addresses
    assert sender.display_name == 'Smith, "Bob" \\ Sons'


def test_m11_a_test_lead_is_marked_and_a_repeat_refers_to_the_first() -> None:
    raw = compose(
        replace(LETTER, test=True, references="<first@leadbus.example>"), DOCUMENT, encoded=False
    ).raw

    assert dict(headers(raw))["X-Leadbus-Test"] == "yes"
    assert dict(headers(raw))["References"] == "<first@leadbus.example>"


def test_m12_long_lines_are_refused_as_seven_bit_and_read_back_encoded() -> None:
    document = b"<adf>\n" + b"a" * 2000 + b"\n</adf>\n"
    with pytest.raises(ValueError):
        compose(LETTER, document, encoded=False)
    raw = compose(LETTER, document, encoded=True).raw

    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert message_from_bytes(raw).get_payload(decode=True) == document.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_m12b_a_line_of_998_bytes_is_the_longest_wherever_it_stands(place: int) -> None:
    lines = [b"<adf>", b"", b"</adf>"]
    lines[place] = b"a" * 998
    assert compose(LETTER, b"\n".join(lines), encoded=False).raw.endswith(b"\r\n".join([*lines, b""]))
    lines[place] += b"a"
    with pytest.raises(ValueError):
        compose(LETTER, b"\n".join(lines), encoded=False)


@pytest.mark.parametrize("body", [b"caf\xc3\xa9\n", b"\x00\n", b"a\rb\n", b"\t\n"])
def test_m13_a_body_that_is_not_seven_bit_text_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        compose(LETTER, body, encoded=False)


def test_m14_message_id_follows_from_the_key() -> None:
    first = message_id("key", "leads@leadbus.example")

    assert first == message_id("key", "other@leadbus.example")
    assert first.endswith("@leadbus.example>")
    assert (
        len({first, message_id("key2", "a@leadbus.example"), message_id("key", "a@leadbus.example", 1)}) == 3
    )
    assert message_id("key", "a@x.example", 1) != message_id("key", "a@x.example", 2)


def test_m15_a_filled_subject_is_one_line_and_never_empty() -> None:
    assert fill("{dealer_name}", {"dealer_name": " a\r\n b "}) == "a b"
    assert fill("{dealer_name}", {"dealer_name": "\n"}) == "Lead"
    assert fill("{dealer_name}", {"dealer_name": "{lead_id}"}) == "{lead_id}"
