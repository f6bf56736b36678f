"""What the way by which a message came tells of its lead: the W cases, over ADF, BDK's mails and letters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.parting import parted
from normalizer.receiving import Limits, receive, receive_again
from normalizer.sources import read as read_by_source
from pydantic import TypeAdapter

MAIL = "message/rfc822"
XML = "application/xml"
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PROSPECT = """<prospect><id source="Cars">{id}</id><customer><contact><name part="full">Zoe Rivers</name>
<email>zoe@example.org</email></contact></customer>{vendor}</prospect>"""
VENDOR = "<vendor><id>V-9</id><vendorname>AutoPortal</vendorname></vendor>"
PLACED = Way("main", location="D-1")
ALWAYS = Way("main", location="D-1", location_always=True)
LETTERS = Way("main", location="D-1", letters=True)


def read(source: str, body: bytes, content_type: str | None, way: Way) -> Draft:
    """What none of these sources tells is knowledge about another's lead."""
    told = read_by_source(source, body, content_type, way)
    assert isinstance(told, Draft)
    return told


def adf(vendor: str = "", *ids: str) -> bytes:
    prospects = (PROSPECT.format(id=id_, vendor=vendor) for id_ in ids or ("77",))
    return f"<adf>{''.join(prospects)}</adf>".encode()


def mail(
    text: str = "Is the Ram still there?", sender: str = "Zoe Rivers <zoe@example.org>", **headers: str
) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, "The Ram", "<1@example.org>"
    message["Date"] = "Sat, 21 Nov 2026 13:00:00 +0100"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


@pytest.mark.parametrize(
    ("case", "vendor", "way", "location", "field"),
    [
        ("W1", VENDOR, PLACED, "V-9", "vendor.id"),
        ("W2", "", PLACED, "D-1", "location"),
        ("W3", "<vendor><vendorname> </vendorname></vendor>", PLACED, "D-1", "location"),
        ("W4", "", Way("main"), "main", "account"),
        ("W5", VENDOR, ALWAYS, "D-1", "location"),
        ("W6", VENDOR, replace(ALWAYS, location=None), "V-9", "vendor.id"),
        ("W7", "", Way(""), "", "vendor"),
    ],
)
@pytest.mark.parametrize("as_mail", [False, True], ids=["xml", "mail"])
def test_the_dealer_of_adf(
    case: str, vendor: str, way: Way, location: str, field: str, as_mail: bool
) -> None:
    body = mail(adf(vendor).decode()) if as_mail else adf(vendor)
    draft = read("adf", body, MAIL if as_mail else XML, way)
    assert (draft.location, draft.location_field, draft.external_id) == (location, field, "77")
    # The dealer that does not count is still told.
    assert draft.extras.get("vendor.id") == ("V-9" if case == "W5" else None)


@pytest.mark.parametrize("source", ["adf", "bdk"])
def test_a_letter_is_a_lead_where_the_way_says_so(source: str) -> None:
    draft = read(source, mail(), MAIL, LETTERS)
    assert (draft.location, draft.location_field, draft.source_type) == ("D-1", "location", "mail")
    assert (draft.channel, draft.name.last, draft.subject) == ("email", "Rivers", "The Ram")
    assert (draft.message, draft.external_id) == ("Is the Ram still there?", "1@example.org")
    assert draft.occurred_at == draft.consent.at == AT
    assert read(source, mail(), MAIL, Way("main", letters=True)).location == "main"


@pytest.mark.parametrize(
    ("case", "source", "body", "way"),
    [
        ("W8", "adf", mail(), PLACED),
        ("W8", "bdk", mail(), PLACED),
        ("W9", "adf", mail(Auto_Submitted="auto-replied"), LETTERS),
        ("W9", "bdk", mail(Auto_Submitted="auto-replied"), LETTERS),
        ("W10", "adf", mail(adf(VENDOR).decode(), Auto_Submitted="auto-replied"), LETTERS),
        ("W10", "bdk", mail("juhu.auto Probefahrt", "noreply@juhu.auto", Return_Path="<>"), LETTERS),
        ("W11", "adf", b"\r\n\r\n", LETTERS),
        ("W11", "bdk", b"\r\n\r\n", LETTERS),
    ],
)
def test_mails_that_are_no_lead(case: str, source: str, body: bytes, way: Way) -> None:
    with pytest.raises(Rejection) as caught:
        read(source, body, MAIL, way)
    assert caught.value.reason == "not_a_lead"
    assert "Rivers" not in str(caught.value)


@pytest.mark.parametrize(
    ("case", "text", "way", "location", "field"),
    [
        ("W12", "Lead-ID: LS-77\nPartnernummer: 0047110", PLACED, "0047110", "partnerNumber"),
        ("W13", "Lead-ID: LS-77", PLACED, "D-1", "location"),
        ("W14", "Lead-ID: LS-77", Way("main"), "main", "account"),
        ("W15", "Lead-ID: LS-77\nPartnernummer: 0047110", ALWAYS, "D-1", "location"),
        ("W16", "Lead-ID: LS-77", LETTERS, "D-1", "location"),
    ],
)
def test_the_dealer_of_bdks_mails(case: str, text: str, way: Way, location: str, field: str) -> None:
    draft = read("bdk", mail(text, "juhu.auto <noreply@juhu.auto>"), MAIL, way)
    assert (draft.location, draft.location_field) == (location, field)
    assert (draft.external_id, draft.channel) == ("LS-77", "portal")
    assert draft.extras.get("partnerNumber") == ("0047110" if case == "W15" else None)


def test_other_sources_are_not_read_as_mails() -> None:
    for source in ("contactatonce", "virtualexpo"):
        with pytest.raises(Rejection):
            read(source, mail(adf(VENDOR).decode()), MAIL, LETTERS)


WAYS = st.builds(
    Way,
    account=st.just("main"),
    location=st.none() | st.just("D-1"),
    location_always=st.booleans(),
    letters=st.booleans(),
)


@given(WAYS)
def test_a_way_is_told_and_read_back(way: Way) -> None:
    assert Way.told("main", way.extensions) == way


@pytest.mark.parametrize("mark", ["true", "True", "1", "yes", "ON"])
def test_a_mark_is_read_as_the_contract_reads_it(mark: str) -> None:
    told = Way.told("main", {"letters": mark, "locationalways": mark})
    assert (told.letters, told.location_always) == (True, True)
    assert TypeAdapter(bool).validate_python(mark) is True


@pytest.mark.parametrize(
    "told", [{"location": ""}, {"letters": "no"}, {"locationalways": "perhaps"}, {"other": "true"}]
)
def test_what_is_no_word_of_a_way(told: dict[str, str]) -> None:
    assert Way.told("main", told) == Way("main")


LIMITS = Limits(body_bytes=4_194_304)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(adf("", "77", "78"), XML), (mail(adf("", "77", "78").decode()), MAIL)],
    ids=["xml", "mail"],
)
def test_parts_came_by_the_way_of_the_whole(message: Any, body: bytes, content_type: str) -> None:
    whole = receive(
        message(
            body, "1", source="adf", account="main", content_type=content_type, location="D-1", letters="true"
        ),
        LIMITS,
        AT,
    )
    parts = parted(whole)
    assert len(parts) == 2
    for part, lead_id in zip(parts, ("77", "78"), strict=True):
        again = receive_again(part, LIMITS)
        assert part.way == again.way == Way("main", location="D-1", letters=True)
        draft = read("adf", again.data, again.content_type, again.way)
        assert (draft.external_id, draft.location) == (lead_id, "D-1")


def test_a_structured_events_parts_remember_its_way(message: Any, with_headers: Any) -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "x",
        "type": "raw.adf",
        "account": "main",
        "datacontenttype": XML,
        "location": "D-1",
        "data": adf("", "77", "78").decode(),
    }
    told = message(event, None, source="adf", account="main", content_type="application/cloudevents+json")
    for part in parted(receive(told, LIMITS, AT)):
        assert receive_again(part, LIMITS).way == Way("main", location="D-1")


def test_a_bounce_is_not_taken_apart_into_the_leads_that_it_brings_back(message: Any) -> None:
    body = mail(adf(VENDOR, "77", "78").decode(), Return_Path="<>")
    whole = receive(message(body, "1", source="adf", content_type=MAIL), LIMITS, AT)
    assert parted(whole) == (whole,)


@given(body=st.binary(max_size=300), source=st.sampled_from(["adf", "bdk"]), way=WAYS)
def test_any_mail_is_a_lead_or_a_rejection(body: bytes, source: str, way: Way) -> None:
    for message in (body, b"From: a@b.example\r\nSubject: x\r\n" + body):
        try:
            read(source, message, MAIL, way)
        except Rejection:
            continue
