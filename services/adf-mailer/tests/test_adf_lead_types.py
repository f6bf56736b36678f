"""LT1–LT18: provider name and service, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from adf_mailer.domain import text
from adf_mailer.domain.letter import delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import AdfRoute, Route
from leadbus.contracts import Lead
from pydantic import ValidationError

SPEC = {"dealer": "prairie-motors", "address": "leads@prairie.example"}


def provider(lead: Lead, route: Route) -> tuple[str, str]:
    """The provider element of the mail's bytes without its indentation, and the mail's head."""
    raw = write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    ).mail.raw.decode("ascii")
    head, _, body = raw.partition("\r\n\r\n")
    inner = body.partition("<provider>")[2].partition("</provider>")[0]
    return "".join(line.strip() for line in inner.splitlines()), head


def element(name: str, service: str | None, url: str | None = None) -> str:
    said = f'<name part="full" type="business">{name}</name>'
    said += f"<service>{service}</service>" if service else ""
    return said + (f"<url>{url}</url>" if url else "")


FOUR = [
    pytest.param("click_for_call_back", "ClickForCallBack", id="LT1"),
    pytest.param("chat", "Chat", id="LT2"),
    pytest.param("text_to_chat", "TextToChat", id="LT3"),
    pytest.param("tracked_call", "TrackedCall", id="LT4"),
]


@pytest.mark.parametrize(("kind", "service"), FOUR)
def test_the_four_types_of_contactatonce(
    kind: str, service: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    told, head = provider(golden_lead(kind), make_route())

    assert told == element("ContactAtOnce!", service)
    assert f"ContactAtOnce! {service} lead" in head
    assert 'From: "ContactAtOnce!" <' in head


@pytest.mark.parametrize(("kind", "service"), FOUR)
def test_a_route_may_call_one_type_otherwise(
    kind: str, service: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    """LT5: and the others stay as they are."""
    route = make_route(lead_types={service: {"provider_name": "C@O & Co", "service": "Type-" + service}})
    told, head = provider(golden_lead(kind), route)
    assert told == element("C@O &amp; Co", "Type-" + service)
    assert f"C@O & Co Type-{service} lead" in head
    assert 'From: "C@O & Co" <' in head

    told, _ = provider(golden_lead(kind, source_type="Other"), route)
    assert told == element("ContactAtOnce!", "Other")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"lead_types": {"Chat": {"service": "IM"}}}, ("ContactAtOnce!", "IM"), id="LT6-service"),
        pytest.param({"lead_types": {"Chat": {"provider_name": "C"}}}, ("C", "Chat"), id="LT7-name"),
        pytest.param({"provider_name": "All"}, ("All", "Chat"), id="LT8-of-all-types"),
        pytest.param(
            {"provider_name": "All", "lead_types": {"Chat": {"provider_name": "C"}}},
            ("C", "Chat"),
            id="LT9-the-type-before-all",
        ),
        pytest.param(
            {"lead_types": {"chat": {"service": "IM"}, "Chat ": {"service": "IM"}}},
            ("ContactAtOnce!", "Chat"),
            id="LT10-types-are-compared-byte-for-byte",
        ),
    ],
)
def test_what_a_route_says(
    spec: dict[str, Any],
    expected: tuple[str, str],
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
) -> None:
    assert provider(golden_lead("chat"), make_route(**spec))[0] == element(*expected)


ORIGINAL = {"provider.name": "Cars Direct!", "provider.url": "https://cars.example/?a=1&b=2"}
URL = "https://cars.example/?a=1&amp;b=2"


@pytest.mark.parametrize(
    ("source", "extras", "spec", "expected"),
    [
        pytest.param("adf", ORIGINAL, {}, ("Cars Direct!", "e Price", URL), id="LT11-as-the-document-said"),
        pytest.param("adf", {}, {}, ("ADF", "e Price", None), id="LT12-nobody-said"),
        pytest.param(
            "adf", {"provider.name": "\x0b"}, {}, ("ADF", "e Price", None), id="LT13-nothing-to-read"
        ),
        pytest.param(
            "adf", ORIGINAL, {"provider_name": "Ours"}, ("Ours", "e Price", None), id="LT14-the-route-first"
        ),
        pytest.param(
            "adf",
            ORIGINAL | {"provider.url": "javascript:alert(1)"},
            {},
            ("Cars Direct!", "e Price", None),
            id="LT15-no-link",
        ),
        pytest.param(
            "contactatonce", ORIGINAL, {}, ("ContactAtOnce!", "e Price", None), id="LT16-only-of-adf"
        ),
    ],
)
def test_leads_that_came_as_adf_keep_their_provider(
    source: str,
    extras: dict[str, str],
    spec: dict[str, Any],
    expected: tuple[str, str, str | None],
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
) -> None:
    lead = golden_lead("chat", source=source, source_type="e Price", extras=extras)
    assert provider(lead, make_route(**spec))[0] == element(*expected)


@pytest.mark.parametrize("field", ["provider_name", "service"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("", "at least 1", id="LT17-empty"),
        pytest.param(" ", "blanks around", id="blank"),
        pytest.param("Chat ", "blanks around", id="blank-at-the-end"),
        pytest.param("Live  Chat", "several together", id="two-blanks"),
        pytest.param("Live\nChat", "one line", id="two-lines"),
        pytest.param("Live\u00a0Chat", "one line", id="blank-of-another-kind"),
        pytest.param("Chat\u200b\u202e", "one line", id="invisible"),
        pytest.param("車" * 100, "too long", id="too-many-bytes"),
        pytest.param("a" * 101, "at most 100", id="too-many-characters"),
    ],
)
def test_what_would_not_go_out_byte_for_byte_is_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate(SPEC | {"lead_types": {"Chat": {field: value}}})

    (error,) = refused.value.errors()
    assert error["loc"] == ("lead_types", "Chat", field)
    assert message in error["msg"]


@pytest.mark.parametrize("name", ["", "a\nb", "a" * 201])
def test_lt18_a_type_is_a_line(name: str) -> None:
    with pytest.raises(ValidationError):
        AdfRoute.model_validate(SPEC | {"lead_types": {name: {"service": "x"}}})


@pytest.mark.parametrize("value", ["Chat", "C@O! & <Co> \"x\" 'y'", "Prüfung 車", "]]>", "=?utf-8?q?x?="])
def test_what_is_taken_goes_out_as_it_was_set(
    value: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    route = make_route(lead_types={"Chat": {"provider_name": value, "service": value}})
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.encode("ascii", "xmlcharrefreplace").decode()
    assert provider(golden_lead("chat"), route)[0] == element(escaped, escaped)
    assert text.line(value) == value


async def test_a_wrong_type_is_refused_with_its_place(mailer: Any) -> None:
    spec = SPEC | {"lead_types": {"request/quote": {"service": ""}}}
    answer = await mailer.http.put(
        "/v1/settings/AdfRoute/odd", headers=mailer.token("admin"), json={"spec": spec}
    )
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/spec/lead_types/request~1quote/service"]
