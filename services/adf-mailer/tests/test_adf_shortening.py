"""TC1–TC52: what of a lead stays in a mail that has to be smaller, and where the whole of it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.document import Document, Form, render
from adf_mailer.domain.lead_link import check_template, filled
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import AdfRoute, Route
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus.contracts import Lead
from lxml import etree
from pydantic import ValidationError

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

LINK = "https://leadbus.example/leads/7"
LIMIT = 8000


def form(limit: int | None = LIMIT, link: str | None = LINK) -> Form:
    return Form("leads@prairie.dealercrm.example", document_bytes=limit, lead_link=link)


def prospect(document: Document) -> Any:
    assert validation.problems(document.content) == []
    return etree.fromstring(document.content)[0]


def comments(document: Document) -> str:
    return str(prospect(document).findtext("customer/comments"))


def codes(document: Document) -> list[str]:
    return [warning.code for warning in document.warnings]


def chat(*texts: str) -> list[dict[str, str]]:
    return [{"speaker": "customer", "text": text} for text in texts]


def numbered(count: int, words: str = "words " * 20) -> list[dict[str, str]]:
    return chat(*(f"line {number} {words}" for number in range(1, count + 1)))


def test_tc1_the_beginning_and_the_end_of_a_transcript_stay(golden_lead: Leads) -> None:
    document = render(golden_lead(transcript=numbered(100)), form())
    said = comments(document).partition("Transcript:\n")[2].split("\n")

    assert LIMIT * 0.9 < document.wire_bytes <= LIMIT
    (at,) = [place for place, line in enumerate(said) if "left out" in line]
    shown = [int(line.split()[2]) for line in said[:at] + said[at + 1 :]]
    assert shown == [*range(1, at + 1), *range(101 - (len(said) - at - 1), 101)]
    assert abs(at - (len(said) - at - 1)) <= 1
    missing = 100 - len(shown)
    assert said[at] == f"System: [{missing} of 100 lines are left out here; see {LINK} for the whole]"
    assert codes(document) == ["transcript_cut"]


def test_tc2_without_a_link_the_mark_names_the_lead(golden_lead: Leads) -> None:
    lead = golden_lead(transcript=numbered(100))
    document = render(lead, form(link=None))

    assert f"left out here; lead {lead.lead_id} has the whole]" in comments(document)


def test_tc3_of_one_line_that_takes_all_the_beginning_stays(golden_lead: Leads) -> None:
    document = render(golden_lead(transcript=chat("well " * 5000)), form())

    assert LIMIT * 0.4 < document.wire_bytes <= LIMIT
    assert comments(document).count("well ") > 300
    assert f"more characters are left out; see {LINK} for the whole]" in comments(document)
    assert "lines are left out" not in comments(document)
    assert codes(document) == ["transcript_cut"]


def test_tc3_a_long_line_first_and_others_behind_it(golden_lead: Leads) -> None:
    document = render(golden_lead(transcript=[*chat("well " * 5000), *numbered(30, "bye")]), form())

    assert document.wire_bytes <= LIMIT
    assert "Customer: well well" in comments(document)
    assert "Customer: line 30 bye" in comments(document)


def test_tc4_then_the_longest_texts_are_cut(golden_lead: Leads) -> None:
    vehicles = [
        {"model": "Civic", "wanted": True, "comments": "dents " * 900},
        {"model": "Fit", "comments": "short"},
    ]
    lead = golden_lead(message="please " * 2000, vehicles=vehicles, transcript=numbered(50))
    document = render(lead, form())
    found = prospect(document)

    assert LIMIT * 0.8 < document.wire_bytes <= LIMIT
    assert codes(document) == ["transcript_cut", "text_cut"]
    assert "[50 of 50 lines are left out here" in comments(document)
    message = comments(document).partition("please")[2].partition("[")[0]
    dents = found.findtext("vehicle/comments").partition("[")[0]
    assert 0.7 < len(message) / len(dents) < 1.4
    assert [one.findtext("comments") for one in found.findall("vehicle")][1] == "short"
    missing = 2000 * len("please ") - len("please" + message.rstrip())
    assert f"[{missing} more characters are left out; see {LINK} for the whole]" in comments(document)


def test_tc5_a_link_is_not_cut(golden_lead: Leads) -> None:
    links = [f"https://www.dealer.example/inventory/{'x' * 150}/{number}" for number in range(200)]
    document = render(golden_lead(transcript=[], message=" ".join(links)), form())

    shown = [word for word in comments(document).split() if word.startswith("https://www.")]
    assert len(shown) > 10
    assert shown == links[: len(shown)]
    assert document.wire_bytes <= LIMIT


def test_tc6_what_cannot_be_cut_goes_out(golden_lead: Leads) -> None:
    phones = [{"raw": f"+1312555{number:04}", "e164": f"+1312555{number:04}"} for number in range(300)]
    document = render(golden_lead(customer={"phones": phones}, message="hello " * 500), form())

    assert document.wire_bytes > LIMIT
    assert len(prospect(document).findall("customer/contact/phone")) == 300
    assert codes(document)[-3:] == ["transcript_cut", "text_cut", "limit_exceeded"]


@pytest.mark.parametrize("limit", [None, 10**9], ids=["TC7-no-limit", "TC7-not-over-it"])
def test_what_is_not_over_the_limit_is_whole(golden_lead: Leads, limit: int | None) -> None:
    lead = golden_lead(transcript=numbered(1000))

    assert render(lead, form(limit)) == render(lead, Form("leads@prairie.dealercrm.example"))
    exact = render(lead, form(None)).wire_bytes
    assert codes(render(lead, form(exact))) == []
    assert codes(render(lead, form(exact - 1))) == ["transcript_cut"]


def test_tc8_a_transcript_shorter_than_its_mark_stays(golden_lead: Leads) -> None:
    document = render(golden_lead(transcript=chat("hi", "bye"), message="please " * 2000), form())

    assert "Customer: hi\nCustomer: bye" in comments(document)
    assert codes(document) == ["text_cut"]


def test_tc9_text_of_references_is_cut_by_what_it_takes(golden_lead: Leads) -> None:
    document = render(golden_lead(transcript=chat(*["車" * 100] * 50), message="車" * 3000), form())

    assert LIMIT * 0.7 < document.wire_bytes <= LIMIT


def test_tc10_what_is_never_cut(golden_lead: Leads) -> None:
    recording = "https://calls.example/" + "r" * 700
    lead = golden_lead("click_for_call_back", call={"recording_url": recording}, transcript=numbered(500))
    whole = render(lead.model_copy(update={"transcript": ()}), form(None))
    document = render(lead, form())

    assert f"Call recording: {recording}\n" in comments(document)
    for path in ("id", "requestdate", "vehicle", "customer/contact", "vendor", "provider"):
        assert [etree.tostring(one) for one in prospect(document).findall(path)] == [
            etree.tostring(one) for one in prospect(whole).findall(path)
        ]


relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PIECE = st.sampled_from(
    ["a" * 300, "車" * 200, "& <b> " * 60, "https://t.example/" + "u" * 80, "word " * 70, "\n", "é"]
)
BIG = st.lists(PIECE, max_size=40).map(" ".join)


@relaxed
@given(st.lists(BIG, max_size=30), BIG, BIG, BIG)
def test_whatever_is_long_fits(transcript: list[str], message: str, subject: str, dents: str) -> None:
    lead = Lead.model_validate(
        {
            "lead_id": "1586dad4-3e14-5e4e-b8ee-e461c31b8481",
            "revision": 1,
            "source": "contactatonce",
            "account": "a",
            "source_type": "Chat",
            "channel": "chat",
            "received_at": "2026-04-14T11:03:07-05:00",
            "dealer": {"dealer_id": "d", "name": "D"},
            "vehicles": [{"model": "Civic", "comments": dents}],
            "transcript": chat(*transcript),
            "message": message,
            "subject": subject,
        }
    )
    document = render(lead, form())

    assert document.wire_bytes <= LIMIT
    assert "limit_exceeded" not in codes(document)
    prospect(document)


# The door for a mail that was refused as too large.


def mail(lead: Lead, route: Route, at_most_bytes: int | None = None) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 15, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example", "https://leadbus.example/leads/{lead_id}"),
        key=delivery_key(lead, route),
        at_most_bytes=at_most_bytes,
    )


@pytest.mark.parametrize("at_most_bytes", [60_000, 20_000, 8_000])
@pytest.mark.parametrize("link", ["", "https://calls.example/" + "é" * 900], ids=["7bit", "quoted-printable"])
def test_tc30_a_mail_no_larger_than_that(
    golden_lead: Leads, make_route: Routes, at_most_bytes: int, link: str
) -> None:
    lead = golden_lead(transcript=numbered(1000), call={"recording_url": link} if link else None)
    whole, short = mail(lead, make_route()), mail(lead, make_route(), at_most_bytes)

    assert len(whole.mail.raw) > 100_000
    assert at_most_bytes * 0.5 < len(short.mail.raw) <= at_most_bytes
    assert "transcript_cut" in {warning.code for warning in short.warnings}
    assert f"see https://leadbus.example/leads/{lead.lead_id} for".encode() in short.mail.raw.replace(
        b"=\r\n", b""
    )
    assert short.mail.message_id == whole.mail.message_id


def test_tc30_what_is_small_enough_is_the_same(golden_lead: Leads, make_route: Routes) -> None:
    lead = golden_lead(transcript=numbered(100))
    whole = mail(lead, make_route())

    assert mail(lead, make_route(), len(whole.mail.raw)) == whole


def test_tc31_nothing_left_to_cut(golden_lead: Leads, make_route: Routes) -> None:
    short = mail(golden_lead(transcript=numbered(100)), make_route(), 1500)

    assert len(short.mail.raw) > 1500
    assert "limit_exceeded" in {warning.code for warning in short.warnings}


@pytest.mark.parametrize("limit", [-1, 0, 7_999])
def test_tc20_a_limit_without_room_is_refused(limit: int) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate({"dealer": "d", "address": "a@x.example", "document_bytes": limit})

    (error,) = refused.value.errors()
    assert error["loc"] == ("document_bytes",)
    assert "below 8000 bytes there is no room" in error["msg"]


def test_tc20_the_limit_of_a_route(golden_lead: Leads, make_route: Routes) -> None:
    written = mail(golden_lead(transcript=numbered(100)), make_route(document_bytes=LIMIT))

    assert len(written.mail.raw.partition(b"\r\n\r\n")[2]) <= LIMIT


# Where the whole can be read.


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("https://leadbus.example/leads/{lead_id}", id="TC40"),
        pytest.param("http://localhost:8080/leads/{lead_id}", id="TC41"),
        pytest.param("https://leadbus.example/?id={lead_id}&from=mail#{lead_id}", id="TC40-parameter"),
    ],
)
def test_links_that_are_taken(template: str) -> None:
    assert check_template(template) == template
    assert filled(template, UUID(int=7)) == template.replace("{lead_id}", str(UUID(int=7)))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param("http://leadbus.example/leads/{lead_id}", "only https", id="TC42"),
        pytest.param("https://leadbus.example/leads", "is missing", id="TC43"),
        pytest.param("https://leadbus.example/{lead_id}/{dealer}", "unknown placeholder", id="TC44"),
        pytest.param(
            "https://leadbus.example/{lead_id.__class__}", "unknown placeholder", id="TC44-attribute"
        ),
        pytest.param("https://leadbus.example/{lead_id!r:>9}", "without format", id="TC45"),
        pytest.param("https://leadbus.example/{lead_id", "braces", id="TC46"),
        pytest.param("leadbus.example/{lead_id}", "no address", id="TC47"),
        pytest.param("https://[/{lead_id}", "no address", id="TC47-host"),
        pytest.param("https://{lead_id}.leadbus.example/", "not into the host", id="TC48"),
        pytest.param("https://me:pass@leadbus.example/{lead_id}", "no login", id="TC49"),
        pytest.param("https://leadbus.example/a b/{lead_id}", "without blanks", id="TC50"),
        pytest.param("https://leadbus.example/ü/{lead_id}", "ASCII", id="TC50-umlaut"),
        pytest.param("ftp://leadbus.example/{lead_id}", "no address", id="TC51"),
        pytest.param("https://leadbus.example/" + "a" * 300 + "{lead_id}", "longer than", id="TC52"),
    ],
)
def test_links_that_are_refused(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_template(template)
