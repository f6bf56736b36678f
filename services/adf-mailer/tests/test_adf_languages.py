"""LG1–LG8: the words we add, in which language; and that the table of them is whole."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import adf_mailer.domain
import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.document import Form, render
from adf_mailer.domain.fixed_texts import LANGUAGES, fixed_texts
from adf_mailer.domain.money import METHODS
from adf_mailer.domain.route import AdfRoute
from leadbus.contracts import Lead
from leadbus.contracts.vocabulary import Intent, PriceKind, Speaker, Urgency
from lxml import etree
from pydantic import ValidationError

ADDRESS = "leads@prairie.dealercrm.example"
RULES = Path(__file__).parents[1] / "rules" / "document.md"
ROWS = re.findall(r"^\| (LG\d+) \| (.+?) \| (.+?) \| (.+?) \|$", RULES.read_text("utf-8"), re.MULTILINE)
TABLE = fixed_texts()

RICH: dict[str, Any] = {
    "test": True,
    "intents": ["test_drive", "callback"],
    "urgency": "highest",
    "subject": "S",
    "message": "M",
    "transcript": [{"speaker": "customer", "text": "Hi"}, {"speaker": "agent", "text": "Hello"}],
    "contract": {"number": "C1", "ends_on": "2026-05-01"},
    "products": [{"name": "P"}],
    "call": {
        "recording_url": "https://calls.example/1",
        "duration_seconds": 73,
        "answered": False,
        "tracking_number": "+13125550100",
    },
    "customer": {
        "name": {"full": "D", "salutation": "Dr."},
        "position": "CEO",
        "company": {"name": "A", "kind": "B", "sector": "C", "size": "D", "website": "E"},
        "language": "en",
        "emails": [
            {"address": "a@x.example", "raw": ""},
            {"address": "b@x.example", "raw": ""},
            {"raw": "c"},
        ],
        "phones": [{"raw": "ask Bob"}, {"e164": "+13125550148", "raw": "", "extension": "ask"}],
        "addresses": [{"city": "Elgin", "country": "QZ"}, {"city": "Aurora"}],
    },
    "vehicles": [
        {
            "wanted": True,
            "make": "Ford",
            "prices": [
                {"amount": "1"},
                {"kind": "asking", "amount": "2"},
                {"kind": "msrp", "amount": "3"},
                {"kind": "call"},
            ],
            "options": [{"name": "Hitch", "price": {"amount": "5", "currency": "DOL"}}],
            "url": "ftp://x.example",
            "image": "file:///1.jpg",
            "vin_warning": "check_digit",
        },
        {"interest": "trade_in", "make": "Opel"},
    ],
    "finance": {"product": "leasing", "term_months": 36, "distance_per_year": {"value": 9, "units": "km"}},
    "extras": {"lead_source": "x.example", "vehicles.0.vin": "short", "call": "a call", "customer": "who"},
}


def comments(lead: Lead, form: Form) -> str:
    document = render(lead, form)
    assert validation.problems(document.content) == []
    assert document.content.isascii()
    assert "degraded" not in {one.code for one in document.warnings}
    prospect = etree.fromstring(document.content)[0]
    vehicle = prospect.findtext("vehicle/comments") or "", prospect.findtext("vehicle/pricecomments") or ""
    return "\n".join([str(prospect.findtext("customer/comments")), *vehicle])


@pytest.mark.parametrize(
    ("route", "locale", "language"), [pytest.param(*row, id=case) for case, *row in ROWS]
)
def test_which_language(golden_lead: Callable[..., Lead], route: str, locale: str, language: str) -> None:
    told = {"dealer": "d", "address": ADDRESS} | ({} if route == "–" else {"language": route.strip("`")})
    if language.startswith("refused"):
        with pytest.raises(ValidationError) as refused:
            AdfRoute.model_validate(told)
        assert refused.value.errors()[0]["loc"] == ("language",)
        return
    spec = AdfRoute.model_validate(told)
    dealer = {"dealer_id": "d", "name": "D"} | ({} if locale == "–" else {"locale": locale})
    said = comments(golden_lead("chat", dealer=dealer), Form(ADDRESS, language=spec.language))

    assert f"\n{TABLE[language]['transcript']}:\n" in said  # type: ignore[index] # from the table for people


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lead_in_every_language(golden_lead: Callable[..., Lead], language: Any) -> None:
    """No English label is left in another one, but those that are the same words."""
    said = comments(golden_lead(**RICH), Form(ADDRESS, language=language))
    words = TABLE[language]
    labels = {line.partition(":")[0] for line in said.split("\n") if ":" in line}
    strange = {
        TABLE["en"][key]
        for key in words
        if words[key] != TABLE["en"][key] and TABLE["en"][key] not in words.values()
    }

    assert len(labels) > 30
    assert language == "en" or not labels & strange
    for key in ("test_lead", "lead_source", "asks_for", "call_recording", "payment_term", "company_sector"):
        assert words[key] in labels


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_is_whole(language: Any) -> None:
    english, words = TABLE["en"], TABLE[language]

    assert words.keys() == english.keys()
    for key, text in words.items():
        assert text == text.strip() != ""
        assert text.isprintable()
        # A label gets its colon where it is used.
        assert ":" not in text or key in ("note_lead", "note_test")
        assert places(text) == places(english[key])


def places(text: str) -> set[str | None]:
    return {place for _, place, _, _ in string.Formatter().parse(text) if place}


def test_a_key_for_every_word_of_the_lead() -> None:
    expected = {
        *(f"intent_{word}" for word in get_args(Intent)),
        *(f"urgency_{word}" for word in get_args(Urgency) if word != "normal"),
        *(f"speaker_{word}" for word in get_args(Speaker)),
        *(f"price_{word}" for word in get_args(PriceKind) if word != "unknown"),
        *(f"method_{word}" for word in METHODS.values()),
        *(f"payment_{word}" for word in ("downpayment", "monthly", "total")),
    }
    assert expected <= TABLE["en"].keys()


def constants() -> Iterator[tuple[str, bool]]:
    """Every text in the code of the document, and whether it is asked for as a key of the table."""
    for file in Path(adf_mailer.domain.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                asked = [node.args[0]] if name in ("say", "note", "label") else []
            elif (
                isinstance(node, ast.Yield)
                and isinstance(node.value, ast.Tuple)
                and file.stem in ("as_given", "comments")
            ):
                asked = node.value.elts[:1]
            else:
                asked = [node] if isinstance(node, ast.Constant) else []
            for one in asked:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value, one is not node


def test_every_key_that_is_asked_for_is_there_and_no_other() -> None:
    told = set(constants())
    words_of_the_lead = ("intent_", "urgency_", "speaker_", "price_", "method_", "payment_", "status_")
    built = ("earliest_date", "latest_date")
    unused = {key for key in TABLE["en"] if (key, False) not in told and key not in built}

    assert len({value for value, asked in told if asked}) > 50
    assert {value for value, asked in told if asked} <= TABLE["en"].keys()
    assert {key for key in unused if not key.startswith(words_of_the_lead)} == set()


def test_a_link_that_had_to_be_cut_says_so_in_the_same_language(golden_lead: Callable[..., Lead]) -> None:
    link = "https://t.example/" + "a" * 2000
    assert "... [Link gekürzt]" in comments(golden_lead(message=link), Form(ADDRESS, language="de"))
