"""CRM profiles: each is what its row says, and a rich lead's mail in it is the golden one.

`UPDATE_GOLDEN=1 pytest …` writes the files anew; the diff is then what a reviewer reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain import crm_vendors, validation
from adf_mailer.domain.crm_profiles import PROFILES, of_vendor
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.route_notices import notices
from leadbus.contracts import Lead

GOLDEN = Path(__file__).parent / "golden"
# (id, profile, known, what it says, vendors)
ROWS: list[tuple[str, str, str, dict[str, Any], list[str]]] = [
    ("CP1", "default", "told", {}, []),
    (
        "CP2",
        "elead",
        "told",
        {"layout": "body", "mime_type": "text/plain", "charset": "us-ascii"},
        ["eLead CRM"],
    ),
    ("CP3", "dealr-cloud", "told", {"layout": "body", "mime_type": "text/plain"}, ["dealr.cloud"]),
    ("CP4", "dx1", "told", {"layout": "body", "mime_type": "text/plain"}, ["DX1"]),
    ("CP5", "dealerteam", "told", {"layout": "body"}, ["DealerTeam"]),
    ("CP6", "dealercenter", "seen", {"layout": "body"}, ["DealerCenter"]),
    ("CP7", "adf-multipart", "told", {"layout": "multipart", "mime_type": "application/xml"}, []),
    ("CP8", "attachment", "seen", {"layout": "attachment"}, []),
    ("CP9", "body-and-attachment", "seen", {"layout": "both", "attachment_name": "lead.xml"}, []),
    ("CP10", "x-adf", "seen", {"mime_type": "application/x-adf+xml"}, []),
    ("CP11", "no-declaration", "seen", {"xml_declaration": False}, []),
    ("CP12", "cdata", "seen", {"cdata": True}, []),
    ("CP13", "extended", "seen", {"extensions": True}, []),
]
NAMES = [pytest.param(row[1], id=row[0]) for row in ROWS]


def written(lead: Lead, route: Route) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    )


def documents(raw: bytes) -> list[bytes]:
    """Every part of a mail that holds ADF, as a receiver's MIME library gives it."""
    message = message_from_bytes(raw, policy=policy.default)
    assert not message.defects
    leaves = [part for part in message.walk() if not part.is_multipart()]
    assert not any(part.defects for part in leaves)
    contents = [part.get_payload(decode=True) for part in leaves]
    return [content for content in contents if isinstance(content, bytes) and b"<adf>" in content]


@pytest.mark.parametrize(
    ("name", "known", "form", "vendors"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_a_profile_says_what_is_known(
    name: str, known: str, form: dict[str, Any], vendors: list[str]
) -> None:
    profile = PROFILES[name]
    assert (profile.known, profile.form.model_dump(exclude_none=True)) == (known, form)
    assert len(profile.why.split()) > 4
    for vendor in vendors:
        assert crm_vendors.find(vendor) is not None
        assert of_vendor(vendor) is profile
        assert of_vendor(vendor.upper()) is profile


def test_the_table_is_all_there_is() -> None:
    assert list(PROFILES) == [name for _, name, _, _, _ in ROWS]
    assert [list(one.vendors) for one in PROFILES.values()] == [vendors for *_, vendors in ROWS]
    assert of_vendor(None) is of_vendor("Acme") is of_vendor("Cobalt") is PROFILES["default"]


@pytest.mark.parametrize("name", NAMES)
def test_the_mail_is_the_golden_one(
    name: str, golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    result = written(golden_lead("rich"), make_route(form={"profile": name}))
    file = GOLDEN / f"{name}.eml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(result.mail.raw)

    assert result.mail.raw == file.read_bytes()
    assert result.warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_mail_is_adf_in_lines_of_seven_bit(name: str) -> None:
    raw = (GOLDEN / f"{name}.eml").read_bytes()

    assert raw.isascii()
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in raw.split(b"\r\n"))
    found = documents(raw)
    assert len(found) == (2 if name == "body-and-attachment" else 1)
    for document in found:
        assert validation.problems(document, extensions=name == "extended") == []
        assert bool(validation.problems(document)) == (name == "extended")


def test_a_vendors_routes_take_its_profile_and_what_they_say_themselves(
    golden_lead: Callable[..., Lead], make_route: Callable[..., Route]
) -> None:
    def raw(**spec: Any) -> bytes:
        return written(golden_lead("rich"), make_route(**spec)).mail.raw

    golden = {name: (GOLDEN / f"{name}.eml").read_bytes() for name in PROFILES}
    assert raw() == raw(crm="eLead CRM") == raw(crm="Acme") == golden["default"]
    assert raw(crm="eLead CRM", form={"profile": "adf-multipart"}) == golden["adf-multipart"]
    assert raw(form={"layout": "attachment"}) == golden["attachment"]
    assert raw(form={"profile": "attachment", "layout": "body"}) == golden["default"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({}, [], id="CP20-default"),
        pytest.param({"crm": "eLead CRM"}, [], id="CP21-the-default-subject-has-the-dealer"),
        pytest.param(
            {"crm": "eLead CRM", "subject": "Lead {lead_id}"},
            [("subject", "subject_unlike_profile")],
            id="CP22-subject-without-the-dealer",
        ),
        pytest.param(
            {"crm": "DealerTeam", "form": {"layout": "attachment"}},
            [("form/layout", "form_unlike_profile")],
            id="CP23-attachment-where-none-is-taken",
        ),
        pytest.param(
            {"crm": "DealerTeam", "form": {"profile": "attachment"}}, [], id="CP24-a-profile-of-ones-own"
        ),
        pytest.param({"form": {"profile": "elead", "layout": "body"}}, [], id="CP25-the-same-said-again"),
        pytest.param(
            {"form": {"profile": "no-declaration", "xml_declaration": True, "cdata": True}},
            [("form/xml_declaration", "form_unlike_profile")],
            id="CP26-only-what-the-profile-says",
        ),
    ],
)
def test_another_form_than_the_profile_knows_is_told(
    spec: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    address = "leads@crm.prairie.example"
    if spec.get("crm") == "eLead CRM":
        address = "prairie@eleadtrack.net"
    route = AdfRoute.model_validate({"dealer": "d", "address": address, **spec})
    assert [(one.field, one.code) for one in notices({"address": address}, route)] == told


async def test_profiles_are_served_and_a_name_unknown_is_refused(mailer: Any) -> None:
    viewer, admin = mailer.token("viewer"), mailer.token("admin")
    listed = (await mailer.http.get("/v1/crm-profiles", headers=viewer)).json()["items"]
    assert [(one["name"], one["known"], one["vendors"]) for one in listed] == [
        (name, known, vendors) for _, name, known, _, vendors in ROWS
    ]
    assert listed[1]["subject"] == ["dealer_name"]
    assert (await mailer.http.get("/v1/crm-profiles")).status_code == 401

    spec = {"dealer": "prairie-motors", "address": "a@crm.example", "form": {"profile": "eleads"}}
    put = "/v1/settings/AdfRoute/odd"
    answer = await mailer.http.put(put, headers=admin, json={"spec": spec})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/spec/form/profile"
    assert "default, elead, dealr-cloud" in error["detail"]
    assert (await mailer.http.get(put, headers=admin)).status_code == 404

    spec |= {"crm": "DealerTeam", "form": {"layout": "both"}}
    answer = await mailer.http.put(put, headers=admin, json={"spec": spec})
    assert [(one["pointer"], one["code"]) for one in answer.json()["notices"]] == [
        ("/form/layout", "form_unlike_profile")
    ]
    assert answer.json()["document"]["spec"]["form"]["layout"] == "both"
