"""A1–A4: the mails of the four ContactAtOnce lead types, byte for byte.

`UPDATE_GOLDEN=1 pytest …` writes the files anew; the diff is then what a reviewer reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import Route
from leadbus.contracts import Lead
from lxml import etree

GOLDEN = Path(__file__).parent / "golden"
CASES = [
    pytest.param("click_for_call_back", "ClickForCallBack", id="A1"),
    pytest.param("chat", "Chat", id="A2"),
    pytest.param("text_to_chat", "TextToChat", id="A3"),
    pytest.param("tracked_call", "TrackedCall", id="A4"),
]


def written(lead: Lead, route: Route) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    )


@pytest.mark.parametrize(("kind", "service"), CASES)
def test_mail_is_the_golden_one(
    kind: str, service: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    mail = written(golden_lead(kind), make_route()).mail
    file = GOLDEN / f"{kind}.eml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(mail.raw)

    assert mail.raw == file.read_bytes()


@pytest.mark.parametrize(("kind", "service"), CASES)
def test_provider_says_name_and_service_byte_exactly(
    kind: str, service: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    result = written(golden_lead(kind), make_route())
    provider = (
        "    <provider>\r\n"
        '      <name part="full" type="business">ContactAtOnce!</name>\r\n'
        f"      <service>{service}</service>\r\n"
        "    </provider>\r\n"
    )

    assert provider.encode() in result.mail.raw
    assert not result.warnings or [one.code for one in result.warnings] == ["name_missing"]


@pytest.mark.parametrize(("kind", "service"), CASES)
def test_golden_body_is_valid_seven_bit_text(kind: str, service: str) -> None:
    head, _, body = (GOLDEN / f"{kind}.eml").read_bytes().partition(b"\r\n\r\n")

    assert b"Content-Transfer-Encoding: 7bit" in head
    assert b"Content-Type: text/plain; charset=us-ascii" in head
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\r\n<?adf version="1.0"?>\r\n<adf>\r\n')
    assert validation.problems(body) == []
    assert etree.fromstring(body).findtext("prospect/provider/service") == service
