"""SG200–SG207, SG300, SG305, SG307, `hold`: where it is looked for, and what a route does with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain.fixed_texts import LANGUAGES, Language, fixed_texts
from adf_mailer.domain.guard import PRINTED_EXTRAS, guarded
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.recipients import Recipient, first
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.routing import Deliver, Skip, decide
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts import Lead
from lxml import etree
from pydantic import ValidationError

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

CARD = "4242 4242 4242 4242"
CHAT = json.loads((Path(__file__).parent / "golden" / "chat.json").read_text())


def written(lead: Lead, route: Route, **options: Any) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 15, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
        **options,
    )


def comments(mail: Written) -> str:
    body = mail.mail.raw.partition(b"\r\n\r\n")[2]
    return str(etree.fromstring(body).findtext("prospect/customer/comments")).replace("\r\n", "\n")


def placed(where: str, text: str) -> Lead:
    """The golden chat with `text` at one place."""
    lead = json.loads(json.dumps(CHAT))
    *way, last = where.split("/")
    part: Any = lead
    for step in way:
        part = part[int(step) if step.isdigit() else step]
    if last.isdigit():
        part.append(text)
    else:
        part[last] = text
    return Lead.model_validate(lead)


CHAT["customer"] |= {"company": {"name": "ACME"}, "addresses": [{"street": ["2 Elm St"], "city": "Aurora"}]}
CHAT["vehicles"][0] |= {"colours": [{"exterior": "blue"}], "options": [{"name": "roof"}], "comments": "new"}
CHAT["products"] = [{"name": "tyres"}]
CHAT["contract"] = {"kind": "leasing"}
PLACES = [
    *("message", "subject", "transcript/1/text", "transcript/1/name"),
    *(f"customer/name/{part}" for part in ("full", "first", "middle", "last", "suffix", "salutation")),
    *("customer/company/name", "customer/position", "customer/language"),
    *("customer/addresses/0/street/1", "customer/addresses/0/apartment", "customer/addresses/0/city"),
    *("customer/addresses/0/region", "customer/addresses/0/postal_code"),
    *(f"vehicles/0/{part}" for part in ("year", "make", "model", "trim", "body", "transmission", "comments")),
    *("vehicles/0/vin_warning", "vehicles/0/colours/0/exterior", "vehicles/0/colours/0/interior"),
    *("vehicles/0/options/0/name", "vehicles/0/options/0/code", "products/0/name", "products/0/category"),
    *("contract/kind", "extras/lead_source", "extras/vehicles.0.vin", "extras/call"),
]


def place_of(where: str) -> str:
    return "transcript" if where.startswith("transcript") else re.sub(r"/\d+(?=/|$)", "", where)


@pytest.mark.parametrize("where", PLACES, ids=lambda where: f"SG200-{where}")
def test_every_text_of_a_lead_is_looked_at(where: str) -> None:
    lead = placed(where, f"pay by {CARD} today")

    mail = written(lead, Route("r", AdfRoute(dealer="prairie-motors", address="a@x.example")))
    assert "4242424242424242" not in re.sub(rb"\D", b"", mail.mail.raw).decode()
    assert b"4242 4242" not in mail.mail.raw
    assert {"card"} == mail.masked
    (warning,) = [one for one in mail.warnings if one.code == "sensitive_masked"]
    assert warning.field == ("extras" if where.startswith("extras") else place_of(where))


@pytest.mark.parametrize(
    ("customer", "shown"),
    [
        pytest.param({"phones": [{"raw": CARD}]}, "Phone as given: [card number", id="SG201-phone"),
        pytest.param({"emails": [{"raw": f"x {CARD}"}]}, "E-mail as given: x [card", id="SG201-e-mail"),
        pytest.param({"phones": [{"raw": "321 65 4321"}]}, "", id="SG201-phone-like-an-ssn"),
        pytest.param(
            {"phones": [{"raw": "1", "e164": "+13125550191", "extension": CARD}]},
            "Extension of +13125550191: [card",
            id="SG201-extension",
        ),
    ],
)
def test_contact_data_that_could_not_be_read(
    golden_lead: Leads, make_route: Routes, customer: Any, shown: str
) -> None:
    mail = written(golden_lead(customer=customer), make_route())

    assert CARD.encode() not in mail.mail.raw
    assert shown in comments(mail)
    if not shown:
        assert b">321 65 4321</phone>" in mail.mail.raw


def test_sg202_what_is_no_free_text_is_never_touched(golden_lead: Leads) -> None:
    number = CARD.replace(" ", "")
    link = f"https://cdn.example/{number}"
    lead = golden_lead(
        ids=[{"source": "x", "value": number}],
        vehicles=[{"stock": number, "vin": "1M8GDM9AXKP042788", "url": link, "image": link}],
        contract={"number": number},
        call={"recording_url": link, "tracking_number": number},
        customer={
            "emails": [{"address": f"{number}@x.example", "raw": number}],
            "phones": [{"e164": "+13125550191", "raw": number}],
            "company": {"name": "a", "website": link},
        },
        message=f"see {link}",
    )

    assert guarded(lead).lead is lead


def said(*texts: str) -> list[dict[str, str]]:
    speakers = ("agent", "customer")
    return [{"speaker": speakers[index % 2], "text": text} for index, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        pytest.param(
            ["And your SSN?", "123456789", "Thanks"], ["And your SSN?", "[SSN removed]", "Thanks"], id="SG203"
        ),
        pytest.param(
            ["date of birth?", "1/2/1980"], ["date of birth?", "[date of birth removed]"], id="SG203-birth"
        ),
        pytest.param(
            ["it is 4242 4242", "4242 4242 ok?", "yes"],
            [
                "it is [card number ending 4242 removed]",
                "[card number ending 4242 removed] ok?",
                "yes",
            ],
            id="SG204",
        ),
        pytest.param(
            ["a 123-45-6789 b 123-45-6780", "x", "", "321-65-4321"],
            ["a [SSN removed] b [SSN removed]", "x", "", "[SSN removed]"],
            id="SG204-several",
        ),
        pytest.param(["call 312-555", "0191"], ["call 312-555", "0191"], id="SG204-phone"),
    ],
)
def test_a_transcript_is_read_as_one(golden_lead: Leads, told: list[str], shown: list[str]) -> None:
    guard = guarded(golden_lead(transcript=said(*told)))

    assert [line.text for line in guard.lead.transcript] == shown


def test_sg205_a_lead_without_any_is_the_same_object(golden_lead: Leads) -> None:
    for kind in ("chat", "click_for_call_back", "text_to_chat", "tracked_call"):
        lead = golden_lead(kind)
        assert guarded(lead).lead is lead
    # Worth a look, and nothing in it after all.
    lead = golden_lead(message="income tax 2025", transcript=said("Your income?", "no, thanks", "2025?"))
    assert (guarded(lead).lead, guarded(lead).found) == (lead, {})


def test_sg207_what_no_mail_shows_holds_nothing_back(golden_lead: Leads, make_route: Routes) -> None:
    lead = golden_lead(extras={"network.form_id": CARD, "lead_source": "autos.example"})
    guard, route = guarded(lead), make_route(sensitive="hold")

    assert guard.lead.extras["network.form_id"] == "[card number ending 4242 removed]"
    assert guard.found == {}
    assert decide(lead, None, [route], set()) == [Deliver(route, "new", first(route.spec))]


def test_sg207_every_key_that_is_read_for_a_mail_counts_as_shown(
    golden_lead: Leads, make_route: Routes
) -> None:
    class Recorder(dict[str, str]):
        read: set[str] = set()  # noqa: RUF012 -- one lead, one test

        def get(self, key: str, default: Any = None) -> Any:
            self.read.add(key)
            return super().get(key, default)

    # With one that nobody reads: else nothing more is looked for than the source.
    extras = Recorder({"lead_source": "autos.example", "network.form_id": "7"})
    bare = golden_lead(customer={}, vehicles=[{}], transcript=[], occurred_at=None, call={})
    written(bare.model_copy(update={"extras": extras}), make_route(sensitive="send"))

    assert len(extras.read) > 20
    assert {key.partition(".")[0] for key in extras.read} <= PRINTED_EXTRAS


def test_sg206_only_the_kinds_of_the_route(golden_lead: Leads, make_route: Routes) -> None:
    lead = golden_lead(message=f"DOB 1/2/1980, {CARD}")

    mail = written(lead, make_route(sensitive_kinds=["card"]))
    assert "DOB 1/2/1980, [card number" in comments(mail)
    assert mail.masked == {"card"}


def test_sg300_masked_by_default_and_only_then_another_mail(golden_lead: Leads, make_route: Routes) -> None:
    plain, lead = golden_lead(), golden_lead(message="my SSN is 123-45-6789")

    mail = written(lead, make_route())
    assert "my SSN is [SSN removed]" in comments(mail)
    assert [(one.code, one.field) for one in mail.warnings] == [("sensitive_masked", "message")]
    for sensitive in ("mask", "hold", "send"):
        assert written(plain, make_route(sensitive=sensitive)) == written(plain, make_route())
    assert written(lead, make_route(sensitive="hold")).mail == mail.mail


def test_sg300_the_subject_line_too(make_route: Routes) -> None:
    mail = written(placed("vehicles/0/model", f"Civic {CARD}"), make_route(subject="{vehicle}"))

    assert b"Subject: 2026 Honda Civic [card number ending 4242 removed]\r\n" in mail.mail.raw


@pytest.mark.parametrize("by", ["route", "locale"])
@pytest.mark.parametrize("language", [pytest.param(one, id=f"SG307-{one}") for one in LANGUAGES])
def test_marks_are_in_the_mails_language(
    golden_lead: Leads, make_route: Routes, language: Language, by: str
) -> None:
    locale = language if by == "locale" else "ja-JP"
    route = make_route(subject="{vehicle}", **({"language": language} if by == "route" else {}))
    lead = golden_lead(
        dealer={"dealer_id": "prairie-motors", "name": "P", "locale": locale},
        message="SSN 123-45-6789, wage $9k, CVV 123",
        transcript=said("DL and DOB?", "DL D1234567", "DOB 1/2/1980, DE89370400440532013000"),
        vehicles=[{"wanted": True, "model": f"Civic {CARD}"}],
        extras={"lead_source": "SSN 123-45-6780"},
    )
    words = {key: text for key, text in fixed_texts()[language].items() if key.startswith("mask_")}
    card = words.pop("mask_card").format(ending="4242")
    marks = [text.format(ending="3000") for text in words.values()]

    mail = written(lead, route)
    shown = " ".join(comments(mail).split())
    assert [mark for mark in marks if mark not in shown] == []
    assert shown.count(words["mask_ssn"]) == 2
    heading = message_from_bytes(mail.mail.raw, policy=policy.default)["Subject"]
    assert heading == f"Civic {card}"
    notice = written(lead, route, recipient=Recipient("ann@prairie.example", "notice"))
    read = message_from_bytes(notice.mail.raw, policy=policy.default)
    assert isinstance(read, EmailMessage)
    told = " ".join(read.get_content().split())
    assert [mark for mark in (*marks, card) if mark not in told] == []


def test_sg305_sent_as_given(golden_lead: Leads, make_route: Routes) -> None:
    mail = written(golden_lead(message=f"my card {CARD}"), make_route(sensitive="send"))

    assert f"my card {CARD}" in comments(mail)
    assert (mail.warnings, mail.masked) == ((), frozenset())


@pytest.mark.parametrize(
    ("lead", "route", "reason"),
    [
        pytest.param({"message": CARD}, {"sensitive": "hold"}, "sensitive", id="SG301"),
        pytest.param({"message": "hello"}, {"sensitive": "hold"}, None, id="SG301-nothing"),
        pytest.param({"message": CARD}, {"sensitive": "mask"}, None, id="SG300"),
        pytest.param({"message": CARD}, {"sensitive": "send"}, None, id="SG305"),
        pytest.param(
            {"message": CARD}, {"sensitive": "hold", "sensitive_kinds": ["ssn"]}, None, id="SG301-other-kind"
        ),
        pytest.param(
            {"message": CARD, "consent": {"basis": "withdrawn"}}, {"sensitive": "hold"}, "consent", id="SG304"
        ),
        pytest.param({"message": CARD, "erased": True}, {"sensitive": "hold"}, "erased", id="SG304-erased"),
        pytest.param({"message": CARD, "test": True}, {"sensitive": "hold"}, "test_lead", id="SG304-test"),
    ],
)
def test_who_is_held(
    golden_lead: Leads, make_route: Routes, lead: dict[str, Any], route: dict[str, Any], reason: str | None
) -> None:
    chosen = make_route(**route)
    (decision,) = decide(golden_lead(**lead), None, [chosen], set())

    sent = Deliver(chosen, "new", first(chosen.spec))
    assert decision == (sent if reason is None else Skip(chosen, reason))  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [{"sensitive": "drop"}, {"sensitive_kinds": ["names"]}], ids=str)
def test_a_route_says_nothing_else(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate({"dealer": "d", "address": "a@x.example"} | spec)

    assert refused.value.errors()[0]["loc"][0] in spec


LAYOUTS = st.sampled_from(
    ["4242424242424242", CARD, "4242-4242-4242-4242", "4242 4242\n4242 4242", "42424242 42424242"]
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(PLACES),
    LAYOUTS,
    st.text(st.characters(exclude_characters="\0", categories=["L", "P", "Zs"])),
)
def test_a_masked_card_is_in_no_mail(where: str, card: str, words: str) -> None:
    lead = placed(where, f"{words} {card} {words}")
    mail = written(lead, Route("r", AdfRoute(dealer="prairie-motors", address="a@x.example")))

    # Words may say that it is an order number or a link; then it is none of a card's.
    if mail.masked:
        shown = etree.tostring(
            etree.fromstring(mail.mail.raw.partition(b"\r\n\r\n")[2]), method="text", encoding="unicode"
        )
        assert "42424242" not in re.sub(r"\D", "", shown)
    assert mail.masked or "://" in words or "www" in words or words[-1:].isalpha() or "@" in words


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(["SSN 123-45-6789", CARD, "DOB 1/2/1980", "income: $4,500"]))
def test_guarding_twice_changes_nothing(where: str, text: str) -> None:
    once = guarded(placed(where, text))

    assert once.found
    assert guarded(once.lead).lead is once.lead
