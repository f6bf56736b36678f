"""Inbound mails that are no ADF: the E cases."""

from __future__ import annotations

import pytest
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf.letter import read_letter
from normalizer.sources.adf.mail import read_mail

SENT_BY = {"mail.from": "Zoe Rivers <Zoe@EXAMPLE.org>"}
HEAD = b"From: Zoe Rivers <Zoe@EXAMPLE.org>\r\nSubject: The Ram\r\nMessage-ID: <1@example.org>\r\n"


def test_a_letter_is_a_lead_of_its_sender() -> None:
    draft = read_letter(read_mail(HEAD + b"\r\nStill there?\r\n"), "D-1", "location")
    assert (draft.location, draft.location_field) == ("D-1", "location")
    assert (draft.channel, draft.intents, draft.source_type) == ("email", ("inquiry",), "mail")
    assert (draft.name.first, draft.name.last) == ("Zoe", "Rivers")
    assert [one.address for one in draft.emails] == ["Zoe@example.org"]
    assert (draft.subject, draft.message) == ("The Ram", "Still there?")
    assert (draft.issuer, draft.external_id) == ("Message-ID", "1@example.org")
    assert draft.warnings == ()


def test_a_letter_without_a_sender_is_said_so() -> None:
    draft = read_letter(read_mail(b"Subject: x\r\n\r\nHello"), "D-1", "location")
    assert [one.code for one in draft.warnings] == ["contact_missing"]
    assert draft.external_id is None


@pytest.mark.parametrize(
    ("reply_to", "email", "last", "extras"),
    [
        (
            b"Ann Mills <ann@example.net>",
            "ann@example.net",
            "Mills",
            SENT_BY,
        ),
        (b"ann@example.net", "ann@example.net", None, SENT_BY),
        (b"<zoe@example.ORG>", "Zoe@example.org", "Rivers", {}),
        (b"", "Zoe@example.org", "Rivers", {}),
        (b"nobody", "Zoe@example.org", "Rivers", {}),
    ],
)
def test_the_writer_is_who_an_answer_goes_to(
    reply_to: bytes, email: str, last: str | None, extras: dict[str, str]
) -> None:
    mail = read_mail(HEAD + b"Reply-To: " + reply_to + b"\r\n\r\nHello")
    draft = read_letter(mail, "D-1", "location")
    assert [one.address or one.raw for one in draft.emails] == [email]
    assert (draft.name.last, dict(draft.extras)) == (last, extras)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("E1", HEAD + b"Auto-Submitted: auto-replied\r\n\r\nI am away."),
        ("E2", HEAD + b"\r\n<adf><prospect><customer>x</customer></prospect></adf>"),
        ("E3", b"From: a@example.org\r\n\r\n \r\n"),
    ],
)
def test_what_is_no_letter(case: str, message: bytes) -> None:
    with pytest.raises(Rejection) as caught:
        read_letter(read_mail(message), "D-1", "location")
    assert caught.value.reason == "not_a_lead"
