"""SP: a message of several leads becomes one raw message for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html import escape

import pytest
from leadbus.envelope import Envelope, encode
from leadbus.messages import IncomingMessage
from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.parting import parted
from normalizer.reading import read_raw
from normalizer.receiving import Limits, receive, receive_again
from normalizer.sources import adf
from normalizer.sources.adf import MOST_PROSPECTS, split
from normalizer.sources.adf.mail import Part

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LIMITS = Limits(body_bytes=1_000_000)
XML = "application/xml"


def prospect(number: int) -> str:
    return (
        f"<prospect><id source='P'>{number}</id><customer><contact><name part='full'>Nia Nr{number}</name>"
        f"<email>n{number}@example.org</email></contact></customer>"
        "<vendor><vendorname>Prairie</vendorname></vendor></prospect>"
    )


def document(*numbers: int, before: str = '<?xml version="1.0"?>\n<?adf version="1.0"?>') -> str:
    return f"{before}<adf>{''.join(map(prospect, numbers))}</adf>"


def mail(*bodies: str) -> bytes:
    parts = "".join(
        f"--b\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
        for body in bodies
    )
    head = "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return f"{head}{parts}--b--\r\n".encode()


def ids(*parts: Part) -> list[str | None]:
    return [adf.read(part.body, part.content_type).external_id for part in parts]


SEVERAL = [
    ("SP1", document(1, 2, 3).encode(), XML),
    ("SP2", document(1, 2, 3).encode("utf-16"), XML),
    ("SP3", document(1, 2, 3, before='<?xml version="1.0" encoding="utf-16"?>').encode(), XML),
    ("SP4", document(1, 2, 3).replace("Nia", "Nia & Bo").encode(), XML),
    ("SP5", document(1, 2, 3).replace("prospect", "PROSPECT").encode(), XML),
    ("SP6", f"<html><pre>{escape(document(1, 2, 3))}</pre></html>".encode(), XML),
    ("SP7", (document(1, 2) + document(3)).encode(), XML),
    ("SP8", document(1, 2, 3).replace("<adf>", "<adf><!-- <prospect> -->").encode(), XML),
    ("SP9", mail(document(1, 2), document(3)), "message/rfc822"),
    ("SP10", mail(document(1), document(2), document(3)), "message/rfc822"),
]


@pytest.mark.parametrize(("case", "body", "content_type"), SEVERAL, ids=[case[0] for case in SEVERAL])
def test_each_prospect_has_bytes_of_its_own(case: str, body: bytes, content_type: str) -> None:
    parts = split(body, content_type)
    assert ids(*parts) == ["1", "2", "3"]
    for number, part in enumerate(parts, start=1):
        words = part.body.decode()
        assert [f"Nr{other}" in words for other in (1, 2, 3)] == [other == number for other in (1, 2, 3)]


def test_a_part_is_what_came_without_the_others() -> None:
    first, second = split(document(1, 2).encode(), XML)
    assert first.body.decode() == document(1)
    assert second.body.decode() == document(2)


ONE = [
    ("SP11", document(1).encode(), XML),
    ("SP12", mail(document(1)), "message/rfc822"),
    ("SP13", mail("no lead at all, prospect prospect prospect"), "message/rfc822"),
    ("SP14", b"prospect prospect prospect", XML),
    ("SP15", b"", None),
    ("SP16", document(1).replace("Nia", "prospect prospect").encode(), XML),
    ("SP17", b"<!DOCTYPE adf [<!ENTITY x 'y'>]>" + document(1, 2).encode(), XML),
]


@pytest.mark.parametrize(("case", "body", "content_type"), ONE, ids=[case[0] for case in ONE])
def test_what_holds_one_or_none_stays_whole(case: str, body: bytes, content_type: str) -> None:
    assert split(body, content_type) == ()


def test_sp18_more_than_a_message_may_hold() -> None:
    with pytest.raises(Rejection, match="too_large"):
        split(document(*range(MOST_PROSPECTS + 1)).encode(), XML)


def test_sp19_what_prospects_share_is_bounded() -> None:
    shared = document(*range(900)).replace("<adf>", f"<adf><note>{'x' * 200_000}</note>")
    with pytest.raises(Rejection, match="too_large"):
        split(shared.encode(), XML)


def message(body: bytes, content_type: str = XML) -> IncomingMessage:
    headers, properties = encode(
        Envelope(
            id="m-1",
            source="/provider",
            type="raw.received.v1",
            time=NOW,
            datacontenttype=content_type,
            extensions={"account": "main"},
            data=body,
        )
    )
    return IncomingMessage(
        body=body,
        exchange="leadbus.raw",
        routing_key="raw.adf",
        headers=dict(headers),
        properties=properties,
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


def test_sp20_raw_messages_are_numbered_and_told_apart() -> None:
    raws = parted(receive(message(document(1, 2, 3).encode()), LIMITS, NOW))
    assert [raw.wire_id for raw in raws] == ["m-1", "m-1#2", "m-1#3"]
    assert len({raw.key for raw in raws} | {raw.digest for raw in raws}) == 6
    assert {raw.rejection for raw in raws} == {None}
    assert [raw.body == raw.data for raw in raws] == [True] * 3


@pytest.mark.parametrize("body", [document(1, 2).encode(), document(1, 2).encode("utf-16")])
def test_sp21_kept_and_read_again_a_part_says_the_same(body: bytes) -> None:
    for raw in parted(receive(message(body), LIMITS, NOW)):
        kept = replace(raw, data=raw.body, content_type=raw.content_type)
        again = receive_again(kept, LIMITS)
        assert (again.data, again.content_type) == (raw.data, raw.content_type)
        draft = read_raw(again).draft
        assert isinstance(draft, Draft)
        assert draft == read_raw(raw).draft


def test_sp22_a_message_of_one_lead_is_itself() -> None:
    raw = receive(message(document(1).encode()), LIMITS, NOW)
    assert parted(raw) == (raw,)


def test_sp23_too_many_reject_the_message_as_a_whole() -> None:
    body = document(*range(MOST_PROSPECTS + 1)).encode()
    (raw,) = parted(receive(message(body), LIMITS, NOW))
    assert raw.rejection is not None
    assert (raw.rejection.reason, raw.body) == ("too_large", body)


def test_an_attribute_that_xml_has_not_costs_no_lead() -> None:
    """Found by the fuzzer: mending leaves an attribute that lxml itself takes for none."""
    parts = split(b"<adf a:b:c='1'><prospect><id>1</id></prospect><prospect><id>2</id></adf>", None)
    assert [b"<id>1</id>" in part.body for part in parts] == [True, False]
    assert len(parts) == 2
