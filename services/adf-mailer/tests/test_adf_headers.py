"""PF35–PF51: headers of mails, whatever stands in the lead; what a subject can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from adf_mailer.domain.letter import delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import Route
from leadbus.contracts import Lead
from lxml import etree


def sent(lead: Lead, route: Route) -> bytes:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    ).mail.raw


HOSTILE = [
    pytest.param("x\r\nBcc: all@evil.example", id="PF35-crlf"),
    pytest.param("x\nBcc: all@evil.example\n\nbody", id="PF36-lf"),
    pytest.param("x\rBcc: all@evil.example\u2028Bcc: b\x85Bcc: c", id="PF37-other-line-ends"),
    pytest.param("=?utf-8?q?=0D=0ABcc:_all@evil.example?=", id="PF38-encoded-word"),
    pytest.param("é =?utf-8?b?DQpCY2M6IGFsbEBldmlsLmV4YW1wbGU=?=", id="PF39-encoded-word-among-others"),
    pytest.param("x" * 3000, id="PF40-long"),
    pytest.param("長い名前" * 300, id="PF41-long-in-another-alphabet"),
    pytest.param("\u202eזה שם\u202c مرحبا", id="PF42-right-to-left"),
    pytest.param("👩🏽‍🚀🚗 Motors", id="PF43-emoji"),
    pytest.param('" <all@evil.example>, "', id="PF44-quotes-and-addresses"),
    pytest.param("{lead_id} {0} %s", id="PF45-placeholders-within"),
    pytest.param("\x00\x08\ufffe", id="PF46-nothing-that-may-be-said"),
]
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"),
    *("Content-Transfer-Encoding", "Auto-Submitted", "X-Leadbus-Lead", "X-Leadbus-Revision"),
]
EVERYTHING = "{dealer_name}|{provider}|{service}|{lead_ref}|{vehicle}|{lead_id}"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["dealer", "service", "id", "vehicle", "provider"])
def test_headers_are_safe_whatever_the_lead_says(
    value: str, field: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    def said() -> Iterator[tuple[str, Any]]:
        told = value.replace("\x00", "")
        dealer = {"dealer_id": "prairie-motors", "name": told if field == "dealer" else "Prairie"}
        yield "dealer", dealer
        yield "source_type", told if field == "service" else "Chat"
        yield "ids", [{"source": "x", "value": told}] if field == "id" else []
        yield "vehicles", [{"wanted": True, "make": told if field == "vehicle" else "Ford"}]
        if field == "provider":
            yield "source", "adf"
            yield "extras", {"provider.name": told}

    lead = golden_lead(**dict(said()))
    raw = sent(lead, make_route(subject=EVERYTHING))
    message = message_from_bytes(raw, policy=policy.default)

    assert list(message.keys()) == HEADERS
    assert not message.defects
    assert [one.addr_spec for one in message["From"].addresses] == ["leads@leadbus.example"]
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(re.fullmatch(rb"[ -~]{1,998}", line) for line in head)
    subject = str(message["Subject"])
    assert 0 < len(subject) <= 150
    if field != "dealer" or len(value) < 100:
        assert "|" in subject
    assert etree.fromstring(raw.partition(b"\r\n\r\n")[2]).tag == "adf"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param("{dealer_name}", "Prairie Motors", id="PF47-dealer"),
        pytest.param("{provider}", "ContactAtOnce!", id="PF48-provider"),
        pytest.param("{lead_id}", "1586dad4-3e14-5e4e-b8ee-e461c31b8481", id="PF49-lead"),
        pytest.param("{lead_ref}", "CAO-88120977", id="PF50-the-sources-own-id"),
        pytest.param("{service} {channel}: {vehicle}", "Chat chat: 2026 Honda CR-V", id="PF51-others"),
    ],
)
def test_placeholders_of_the_subject(
    subject: str, expected: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    raw = sent(golden_lead("chat"), make_route(subject=subject))
    assert f"\r\nSubject: {expected}\r\n".encode() in raw
