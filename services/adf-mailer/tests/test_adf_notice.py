"""RT90–RT99: the mail for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from adf_mailer.domain import notice
from adf_mailer.domain.letter import Order, Written, delivery_key, write, write_each
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.recipients import Recipient
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.vehicle import add_vehicles
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts import Lead

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=1500)
PEOPLE = Recipient("people@x.example", "notice")
WHEN = datetime(2026, 4, 15, 16, 0, tzinfo=UTC)
LETTERHEAD = Letterhead("leads@leadbus.example")


def written(lead: Lead, route: Route, status: Any = "new") -> Written:
    return write(
        lead,
        route,
        status=status,
        date=WHEN,
        letterhead=LETTERHEAD,
        key=delivery_key(lead, route, PEOPLE),
        recipient=PEOPLE,
    )


def read(one: Written) -> Any:
    return message_from_bytes(one.mail.raw, policy=policy.default)


def text_of(lead: Lead, status: Any = "new") -> str:
    return notice.render(lead, status, provider="P", time_zone=None).content.decode()


def test_rt90_what_is_needed_first_stands_first(golden_lead: Leads, make_route: Routes) -> None:
    lead = golden_lead(intents=["callback", "test_drive"], message="Is it still there?")
    mail = read(written(lead, make_route(notify=[PEOPLE.address])))
    words = mail.get_content()
    order = [
        "Name: ",
        "Phone: ",
        "E-mail: ",
        "Vehicle: new ",
        "Asks for: ",
        "Is it still there?",
        "Transcript:",
    ]
    order += [
        "Dealer: Prairie Motors",
        "From: ContactAtOnce!, Chat, chat",
        "Received: ",
        f"Lead: {lead.lead_id}",
    ]
    places = [words.find(one) for one in order]

    assert -1 not in places, words
    assert places == sorted(places)
    assert lead.customer.phones[0].e164 in words
    assert lead.customer.emails[0].address in words
    assert lead.transcript[-1].text in words


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"test": True}, "TEST LEAD", id="RT91-a-test"),
        pytest.param({"customer": {}}, "neither phone nor e-mail is known", id="RT92-no-way-to-reach"),
        pytest.param({"customer": {"name": {"first": "Ann", "last": "Lee"}}}, "Name: Ann Lee", id="RT93"),
        pytest.param(
            {"customer": {"phones": [{"raw": "1"}, {"raw": "2", "primary": True, "best_time": "evening"}]}},
            "Phone: 2 (best time: evening, preferred)\nPhone: 1\n",
            id="RT94-the-preferred-way-first",
        ),
        pytest.param(
            {"vehicles": [{"model": "Old", "interest": "trade_in"}, {"model": "Civic", "wanted": True}]},
            "Vehicle: Civic\nTrade-in: Old\n",
            id="RT95",
        ),
        pytest.param(
            {
                "finance": {
                    "product": "leasing",
                    "monthly": "199.00",
                    "currency": "EUR",
                    "precheck": "negative",
                }
            },
            "Payment: leasing, monthly 199.00 EUR\n",
            id="RT96-never-a-credit-check",
        ),
        pytest.param(
            {"vehicles": [{"model": "X", "wanted": True, "url": "javascript:alert(1)"}]},
            "Vehicle: X\n",
            id="RT97-no-link-but-web-links",
        ),
    ],
)
def test_what_it_says(golden_lead: Leads, changes: dict[str, Any], says: str) -> None:
    said = text_of(golden_lead(**changes))

    assert says in said
    assert "negative" not in said


def test_several_mails_written_together_are_what_each_is_alone(
    golden_lead: Leads, make_route: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect_of_one(draft: Any, prospect: Any, vehicles: Any, *others: Any) -> None:
        if vehicles and vehicles[0].model == "Broken":
            raise ZeroDivisionError
        add_vehicles(draft, prospect, vehicles, *others)

    monkeypatch.setattr("adf_mailer.domain.document.add_vehicles", defect_of_one)
    route, tight = make_route(), make_route(document_bytes=8_000)
    broken = golden_lead(vehicles=[{"model": "Broken", "wanted": True}])
    wordy = golden_lead(message="What else I wanted to know. " * 1_000)
    asked: list[tuple[Lead, Route, Recipient | None]] = [
        (golden_lead(), route, None),
        (broken, route, None),
        (wordy, tight, None),
        (golden_lead(), route, PEOPLE),
        (golden_lead("tracked_call"), route, None),
    ]
    orders = [
        Order(lead, on, "new", WHEN, f"key {n}", recipient=to) for n, (lead, on, to) in enumerate(asked)
    ]

    together = write_each(orders, LETTERHEAD)

    assert together == [one for order in orders for one in write_each([order], LETTERHEAD)]
    degraded = [any(warning.code == "degraded" for warning in one.warnings) for one in together]
    assert degraded == [False, True, False, False, False]
    assert len({one.mail.raw for one in together}) == len(orders)


def test_rt90_it_is_in_one_language(golden_lead: Leads) -> None:
    lead = golden_lead(vehicles=[{"make": "Honda", "status": "used", "wanted": True}])
    told = notice.render(lead, "new", provider="P", time_zone=None, language="de")
    assert "Fahrzeug: gebraucht Honda" in told.content.decode()


def test_rt98_an_update_and_a_test_are_told_first(golden_lead: Leads) -> None:
    first, second, *_ = text_of(golden_lead(test=True), "resend").split("\n")
    assert (first[:9], second[:9]) == ("TEST LEAD", "Update of")


@pytest.mark.parametrize(
    ("message", "charset", "encoding"),
    [
        ("Plain words", "us-ascii", "7bit"),
        ("x" * 2000, "us-ascii", "quoted-printable"),
        ("Grüße, 東京", "utf-8", "quoted-printable"),
    ],
)
def test_rt99_people_read_what_was_written(
    golden_lead: Leads, make_route: Routes, message: str, charset: str, encoding: str
) -> None:
    lead = golden_lead(
        message=message,
        customer={"name": {"full": "Ann"}},
        transcript=[],
        dealer={"dealer_id": "d", "name": "D"},
    )
    one = written(lead, make_route(notify=[PEOPLE.address]))
    mail = read(one)

    assert one.mail.raw.isascii()
    assert max(map(len, one.mail.raw.split(b"\r\n"))) <= 998
    assert (mail.get_content_charset(), mail["Content-Transfer-Encoding"]) == (charset, encoding)
    assert message in mail.get_content()
    assert (one.role, one.recipient, mail["To"]) == ("notice", PEOPLE.address, PEOPLE.address)


@settings(max_examples=150, deadline=None)
@given(anything, anything, anything)
def test_whatever_a_lead_says_is_one_safe_mail(name: str, phone: str, message: str) -> None:
    lead = Lead.model_validate(
        {
            "lead_id": "0190b5a5-0000-7000-8000-000000000000",
            "revision": 1,
            "source": "adf",
            "account": "main",
            "source_type": "form",
            "channel": "form",
            "received_at": "2026-04-15T16:00:00Z",
            "dealer": {"dealer_id": "d", "name": name},
            "customer": {"name": {"full": name}, "phones": [{"raw": phone}]},
            "message": message,
        }
    )
    route = Route("main", AdfRoute(dealer="d", address="crm@x.example", notify=(PEOPLE.address,)))
    raw = written(lead, route).mail.raw

    head, _, body = raw.partition(b"\r\n\r\n")
    assert raw.isascii()
    assert body
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert head.count(b"\r\nX-Leadbus-Lead: ") == 1
