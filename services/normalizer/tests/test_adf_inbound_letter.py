"""Inbound mails that are no ADF: the E cases."""

from __future__ import annotations

import pytest
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf.letter import read_letter
from normalizer.sources.adf.mail import read_mail

HEAD = b"From: Zoe Rivers <Zoe@EXAMPLE.org>\r\nSubject: The Ram\r\nMessage-ID: <1@example.org>\r\n"
DATED = b"Date: Sat, 21 Nov 2026 13:00:00 +0100\r\n"


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
