"""AT1–AT27: every attribute of ADF 1.0: what is legal, what is not, what we write for what a lead tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain.document import Document, Form, render
from adf_mailer.domain.validation import Problem, problems
from leadbus.contracts import Lead
from lxml import etree

from tests.support.adf_document import WHOLE

RULES = Path(__file__).parents[1] / "rules" / "document.md"
ADDRESS = "leads@prairie.dealercrm.example"
DTD = Problem("dtd", "DTD_ATTRIBUTE_VALUE")
UNDECLARED = Problem("dtd", "DTD_UNKNOWN_ATTRIBUTE")
CAR, CONTACT = "prospect/vehicle", "prospect/customer/contact"
FREE = ("", "anything at all", "12")

# id, attribute, its element in WHOLE, legal values, an illegal one, what is found then
VALUES: list[tuple[str, str, str, tuple[str, ...], str, Problem]] = [
    ("AT1", "status", "prospect", ("new", "resend"), "again", DTD),
    ("AT2", "interest", CAR, ("buy", "lease", "sell", "trade-in", "test-drive"), "trade_in", DTD),
    ("AT3", "status", CAR, ("new", "used"), "cpo", DTD),
    (
        "AT4",
        "status",
        f"{CAR}[2]/odometer",
        ("unknown", "rolledover", "replaced", "original"),
        "rolled over",
        DTD,
    ),
    ("AT5", "units", f"{CAR}[2]/odometer", ("km", "mi"), "miles", DTD),
    ("AT6", "width", f"{CAR}[2]/imagetag", FREE, "", UNDECLARED),
    ("AT6", "height", f"{CAR}[2]/imagetag", FREE, "", UNDECLARED),
    ("AT6", "alttext", f"{CAR}[2]/imagetag", FREE, "", UNDECLARED),
    (
        "AT7",
        "type",
        f"{CAR}[2]/price",
        ("quote", "offer", "msrp", "invoice", "call", "appraisal", "asking"),
        "list",
        DTD,
    ),
    ("AT8", "currency", f"{CAR}[2]/price", ("USD", "EUR", "CAD"), "DOL", Problem("value", "price@currency")),
    ("AT8", "currency", f"{CAR}[2]/price", ("JPY",), "usd", Problem("value", "price@currency")),
    ("AT9", "delta", f"{CAR}[2]/price", ("absolute", "relative", "percentage"), "percent", DTD),
    ("AT10", "relativeto", f"{CAR}[2]/price", ("msrp", "invoice"), "asking", DTD),
    ("AT11", "source", f"{CAR}[2]/price", FREE, "", UNDECLARED),
    ("AT12", "type", f"{CAR}[2]/finance/amount", ("downpayment", "monthly", "total"), "rebate", DTD),
    ("AT13", "limit", f"{CAR}[2]/finance/amount", ("maximum", "minimum", "exact"), "about", DTD),
    ("AT14", "currency", f"{CAR}[2]/finance/amount", ("USD",), "$", Problem("value", "amount@currency")),
    ("AT15", "type", f"{CAR}[2]/finance/balance", ("finance", "residual"), "payoff", DTD),
    ("AT16", "currency", f"{CAR}[2]/finance/balance", ("EUR",), "", Problem("value", "balance@currency")),
    ("AT17", "primarycontact", CONTACT, ("0", "1"), "yes", DTD),
    (
        "AT18",
        "part",
        f"{CONTACT}/name",
        ("full", "first", "middle", "last", "surname", "suffix"),
        "nick",
        DTD,
    ),
    ("AT19", "type", f"{CONTACT}/name", ("individual", "business"), "company", DTD),
    ("AT20", "preferredcontact", f"{CONTACT}/email", ("0", "1"), "true", DTD),
    ("AT21", "type", f"{CONTACT}/phone", ("voice", "phone", "fax", "cellphone", "pager"), "home", DTD),
    (
        "AT22",
        "time",
        f"{CONTACT}/phone",
        ("morning", "afternoon", "evening", "nopreference", "day"),
        "no_preference",
        DTD,
    ),
    ("AT23", "preferredcontact", f"{CONTACT}/phone", ("0", "1"), "2", DTD),
    ("AT24", "type", f"{CONTACT}/address", ("work", "home", "delivery"), "billing", DTD),
    ("AT25", "line", f"{CONTACT}/address/street", ("1", "3", "4", "5"), "6", DTD),
    ("AT25", "line", f"{CONTACT}/address/street", ("1",), "2", Problem("street_lines", "address")),
    ("AT26", "sequence", "prospect/id", ("1", "0", "999999999"), "first", Problem("value", "id@sequence")),
    ("AT27", "source", "prospect/id", FREE, "", UNDECLARED),
]


@pytest.mark.parametrize(
    ("attribute", "path", "legal", "illegal", "problem"),
    [pytest.param(*told, id=f"{case}-{told[0]}-{number}") for number, (case, *told) in enumerate(VALUES)],
)
def test_the_validator_takes_what_is_legal_and_nothing_else(
    attribute: str, path: str, legal: tuple[str, ...], illegal: str, problem: Problem
) -> None:
    """What is free has no illegal value: it is refused on an element that has no such attribute."""
    for value in legal:
        root = etree.fromstring(WHOLE.encode())
        element = root.find(path)
        assert element is not None
        element.set(attribute, value)
        assert problems(etree.tostring(root)) == []
    root = etree.fromstring(WHOLE.encode())
    element = root.find("prospect/requestdate" if problem == UNDECLARED else path)
    assert element is not None
    element.set(attribute, illegal)

    assert problem in problems(etree.tostring(root))


def car(**told: Any) -> dict[str, Any]:
    return {"vehicles": [{"wanted": True, "make": "Ford"} | told]}


def adf(extras: dict[str, str], **told: Any) -> dict[str, Any]:
    return {"source": "adf", "extras": extras} | car() | told


def who(**told: Any) -> dict[str, Any]:
    return {"customer": {"name": {"first": "D", "last": "W"}} | told}


def phone(**told: Any) -> dict[str, Any]:
    return who(phones=[{"e164": "+13125550148", "raw": "x"} | told])


def priced(**told: Any) -> dict[str, Any]:
    return car(prices=[{"kind": "asking", "amount": "27995", "currency": "USD"} | told])


def paid(**told: Any) -> dict[str, Any]:
    return {"finance": {"product": "leasing", "currency": "USD"} | told}


def named(**name: str) -> dict[str, Any]:
    return {"customer": {"name": name}}


KILOMETRES = {"value": 5, "units": "km"}
PICTURE = "https://x.example/1.jpg"
MAIL = {"address": "d@x.example", "raw": ""}
DELTA = {"vehicle.price": "2", "vehicle.price@delta": "percentage", "vehicle.price@relativeto": "invoice"}
LIMIT = {"vehicle.finance.amount@limit": "exact"}
BALANCE = {"vehicle.finance.balance": "9000"}
ACME = {"company": {"name": "ACME"}}
HOUSE = {"street": ["a", "b", "c", "d", "e", "f"], "type": "home"}

# id, what the lead tells, its element, the attribute as written: None left out, ... no such element
WRITTEN: list[tuple[str, dict[str, Any], str, str, Any]] = [
    ("AT1-new", {}, "prospect", "status", "new"),
    *(
        (f"AT2-{told}", car(interest=told), CAR, "interest", told.replace("_", "-"))
        for told in ("buy", "lease", "sell", "trade_in", "test_drive")
    ),
    ("AT3-new", car(status="new"), CAR, "status", "new"),
    ("AT3-used", car(status="used"), CAR, "status", "used"),
    ("AT3-unknown", car(status="unknown"), CAR, "status", "new"),
    ("AT3-unknown-given-away", car(status="unknown", interest="trade_in"), CAR, "status", "used"),
    *(
        (
            f"AT4-{told}",
            adf({"vehicle.odometer@status": told}, **car(odometer=KILOMETRES)),
            f"{CAR}/odometer",
            "status",
            told,
        )
        for told in ("unknown", "rolledover", "replaced", "original")
    ),
    (
        "AT4-a-word-of-theirs",
        adf({"vehicle.odometer@status": "broken"}, **car(odometer=KILOMETRES)),
        f"{CAR}/odometer",
        "status",
        None,
    ),
    ("AT4-not-in-the-lead", car(odometer=KILOMETRES), f"{CAR}/odometer", "status", None),
    ("AT5-km", car(odometer=KILOMETRES), f"{CAR}/odometer", "units", "km"),
    ("AT5-mi", car(odometer={"value": 5, "units": "mi"}), f"{CAR}/odometer", "units", "mi"),
    ("AT5-unknown", car(odometer={"value": 5, "units": "unknown"}), f"{CAR}/odometer", "units", None),
    *(
        (
            f"AT6-{name}",
            adf({f"vehicle.imagetag@{name}": "40"}, **car(image=PICTURE)),
            f"{CAR}/imagetag",
            name,
            "40",
        )
        for name in ("width", "height", "alttext")
    ),
    *(
        (f"AT6-{name}-not-in-the-lead", car(image=PICTURE), f"{CAR}/imagetag", name, None)
        for name in ("width", "height", "alttext")
    ),
    *(
        (f"AT7-{kind}", priced(kind=kind), f"{CAR}/price", "type", kind)
        for kind in ("quote", "offer", "msrp", "invoice", "call", "appraisal", "asking")
    ),
    ("AT7-unknown", priced(kind="unknown"), f"{CAR}/price", "type", ...),
    ("AT8-told", priced(), f"{CAR}/price", "currency", "USD"),
    ("AT8-untold", priced(currency=None), f"{CAR}/price", "currency", None),
    ("AT8-not-ISO", priced(currency="DOL"), f"{CAR}/price", "currency", None),
    ("AT9-percentage", adf(DELTA), f"{CAR}/price", "delta", "percentage"),
    ("AT9-relative", adf(DELTA | {"vehicle.price@delta": "relative"}), f"{CAR}/price", "delta", "relative"),
    ("AT9-absolute-is-no-word", priced(), f"{CAR}/price", "delta", None),
    ("AT9-another-source", {"extras": DELTA} | car(), f"{CAR}/price", "delta", ...),
    ("AT10-invoice", adf(DELTA), f"{CAR}/price", "relativeto", "invoice"),
    ("AT10-msrp", adf(DELTA | {"vehicle.price@relativeto": "msrp"}), f"{CAR}/price", "relativeto", "msrp"),
    ("AT10-to-nothing", adf(DELTA | {"vehicle.price@relativeto": "x"}), f"{CAR}/price", "relativeto", ...),
    ("AT11-told", adf({"vehicle.price@source": "KBB"}, **priced()), f"{CAR}/price", "source", "KBB"),
    ("AT11-not-in-the-lead", priced(), f"{CAR}/price", "source", None),
    ("AT12-downpayment", paid(down_payment="1"), f"{CAR}/finance/amount", "type", "downpayment"),
    ("AT12-monthly", paid(monthly="1"), f"{CAR}/finance/amount", "type", "monthly"),
    ("AT12-total", paid(total="1"), f"{CAR}/finance/amount", "type", "total"),
    ("AT13-exact", adf(LIMIT, **paid(total="1")), f"{CAR}/finance/amount", "limit", "exact"),
    (
        "AT13-minimum",
        adf({"vehicle.finance.amount@limit": "minimum"}, **paid(total="1")),
        f"{CAR}/finance/amount",
        "limit",
        "minimum",
    ),
    ("AT13-of-which-sum", adf(LIMIT, **paid(total="1", monthly="1")), f"{CAR}/finance/amount", "limit", None),
    ("AT13-maximum-is-the-default", paid(total="1"), f"{CAR}/finance/amount", "limit", None),
    ("AT14-told", paid(total="1"), f"{CAR}/finance/amount", "currency", "USD"),
    ("AT14-untold", paid(total="1", currency=None), f"{CAR}/finance/amount", "currency", None),
    ("AT14-not-ISO", paid(total="1", currency="DOL"), f"{CAR}/finance/amount", "currency", None),
    *(
        (
            f"AT15-{kind}",
            adf(BALANCE | {"vehicle.finance.balance@type": kind}, **paid(total="1")),
            f"{CAR}/finance/balance",
            "type",
            kind,
        )
        for kind in ("finance", "residual")
    ),
    ("AT15-not-in-the-lead", paid(total="1"), f"{CAR}/finance/balance", "type", ...),
    (
        "AT16-told",
        adf(BALANCE | {"vehicle.finance.balance@currency": "eur"}, **paid(total="1")),
        f"{CAR}/finance/balance",
        "currency",
        "EUR",
    ),
    ("AT16-untold", adf(BALANCE, **paid(total="1")), f"{CAR}/finance/balance", "currency", None),
    ("AT17-never", who(), CONTACT, "primarycontact", None),
    *(
        (
            f"AT18-{part}",
            named(first="A", last="B") | named(**{"first": "A", "last": "B", part: "C"}),
            f"{CONTACT}/name[@part='{part}']",
            "part",
            part,
        )
        for part in ("first", "middle", "last", "suffix")
    ),
    ("AT18-full", named(full="Cher"), f"{CONTACT}/name", "part", "full"),
    ("AT18-full-beside-parts", named(full="A B", first="A"), f"{CONTACT}/name[@part='full']", "part", ...),
    ("AT18-surname-is-last", named(last="B"), f"{CONTACT}/name[@part='surname']", "part", ...),
    ("AT19-individual-is-the-default", named(full="Cher"), f"{CONTACT}/name", "type", None),
    ("AT19-business", {"customer": ACME}, f"{CONTACT}/name", "type", "business"),
    ("AT19-a-person-of-it", {"customer": ACME | {"name": {"full": "D"}}}, f"{CONTACT}/name", "type", None),
    ("AT19-provider", {}, "prospect/provider/name", "type", "business"),
    ("AT20-preferred", who(emails=[MAIL | {"primary": True}]), f"{CONTACT}/email", "preferredcontact", "1"),
    ("AT20-0-is-the-default", who(emails=[MAIL]), f"{CONTACT}/email", "preferredcontact", None),
    *(
        (f"AT21-{kind}", phone(type=kind), f"{CONTACT}/phone", "type", kind)
        for kind in ("voice", "cellphone", "fax", "pager")
    ),
    ("AT21-unknown", phone(type="unknown"), f"{CONTACT}/phone", "type", None),
    ("AT21-the-dealer", {}, "prospect/vendor/contact/phone", "type", "voice"),
    *(
        (f"AT22-{time}", phone(best_time=time), f"{CONTACT}/phone", "time", time.replace("_", ""))
        for time in ("morning", "afternoon", "evening", "day", "no_preference")
    ),
    ("AT22-untold", phone(), f"{CONTACT}/phone", "time", None),
    ("AT23-preferred", phone(primary=True), f"{CONTACT}/phone", "preferredcontact", "1"),
    ("AT23-0-is-the-default", phone(), f"{CONTACT}/phone", "preferredcontact", None),
    (
        "AT23-one-way-is",
        who(emails=[MAIL | {"primary": True}], phones=[{"e164": "+13125550148", "raw": "", "primary": True}]),
        f"{CONTACT}/phone",
        "preferredcontact",
        None,
    ),
    *(
        (f"AT24-{kind}", who(addresses=[HOUSE | {"type": kind}]), f"{CONTACT}/address", "type", kind)
        for kind in ("work", "home", "delivery")
    ),
    ("AT24-untold", who(addresses=[{"city": "Elgin"}]), f"{CONTACT}/address", "type", None),
    *(
        (f"AT25-{line}", who(addresses=[HOUSE]), f"{CONTACT}/address/street[{line}]", "line", str(line))
        for line in range(1, 6)
    ),
    ("AT25-six", who(addresses=[HOUSE]), f"{CONTACT}/address/street[6]", "line", ...),
    (
        "AT26-as-it-came",
        {"ids": [{"source": "A", "value": "1", "sequence": 4}]},
        "prospect/id[1]",
        "sequence",
        "4",
    ),
    (
        "AT26-ours-last",
        {"ids": [{"source": "A", "value": "1", "sequence": 4}]},
        "prospect/id[2]",
        "sequence",
        "5",
    ),
    ("AT26-untold", {"ids": [{"source": "A", "value": "1"}]}, "prospect/id[1]", "sequence", "1"),
    ("AT27-as-it-came", {"ids": [{"source": "A", "value": "1"}]}, "prospect/id[1]", "source", "A"),
    ("AT27-ours", {"ids": []}, "prospect/id[1]", "source", "leadbus"),
]


def rendered(lead: Lead, status: Any = "new") -> tuple[Document, Any]:
    document = render(lead, Form(ADDRESS, status))
    assert problems(document.content) == []
    assert "degraded" not in {one.code for one in document.warnings}
    return document, etree.fromstring(document.content)


@pytest.mark.parametrize(
    ("changes", "path", "attribute", "expected"),
    [pytest.param(*told, id=case) for case, *told in WRITTEN],
)
def test_what_we_write(
    golden_lead: Callable[..., Lead], changes: dict[str, Any], path: str, attribute: str, expected: Any
) -> None:
    element = rendered(golden_lead(**changes))[1].find(path)

    if expected is ...:
        assert element is None
    else:
        assert element is not None
        assert element.get(attribute) == expected


def test_at1_a_repeat_says_so(golden_lead: Callable[..., Lead]) -> None:
    assert rendered(golden_lead(), "resend")[1].find("prospect").get("status") == "resend"


IN_WORDS = [
    ("AT4", adf({"vehicle.odometer@status": "broken"}), f"{CAR}/comments", "Odometer status: broken"),
    ("AT7", priced(kind="unknown"), f"{CAR}/pricecomments", "Price: 27995 USD"),
    ("AT8", priced(currency="DOL"), "prospect/customer/comments", "Currency as given: DOL"),
    (
        "AT9",
        adf({"vehicle.price.1": "2", "vehicle.price.1@delta": "percentage"}, **priced()),
        f"{CAR}/pricecomments",
        "Price difference (percentage): 2",
    ),
    (
        "AT10",
        adf(DELTA | {"vehicle.price@relativeto": "list"}),
        f"{CAR}/pricecomments",
        "Price difference (percentage, list): 2",
    ),
    (
        "AT11",
        adf({"vehicle.price.0@source": "KBB"}, **priced()),
        f"{CAR}/pricecomments",
        "Price told by: KBB",
    ),
    (
        "AT13",
        adf({"vehicle.finance.amount.0@limit": "exact"}, **paid(total="1", monthly="2")),
        "prospect/customer/comments",
        "Amount limit: exact",
    ),
    (
        "AT15",
        adf({"vehicle.finance.balance": "about 9,000"}, **paid(total="1")),
        "prospect/customer/comments",
        "Balance: about 9,000",
    ),
    ("AT19", {"customer": ACME | {"name": {"full": "D"}}}, "prospect/customer/comments", "Company: ACME"),
]


@pytest.mark.parametrize(
    ("changes", "path", "line"), [pytest.param(*told, id=case) for case, *told in IN_WORDS]
)
def test_what_has_no_place_is_said_in_words(
    golden_lead: Callable[..., Lead], changes: dict[str, Any], path: str, line: str
) -> None:
    assert line in (rendered(golden_lead(**changes))[1].findtext(path) or "").split("\n")


def test_every_attribute_has_its_rows() -> None:
    rows = re.findall(r"^\| (AT\d+) \| `(\w+)` \| `(\w+)`", RULES.read_text("utf-8"), re.MULTILINE)
    numbers = {f"AT{number}" for number in range(1, 28)}

    assert {case for case, *_ in rows} == {case for case, *_ in VALUES} == numbers
    assert {case.partition("-")[0] for case, *_ in WRITTEN} == numbers
    told = {(case, path.rpartition("/")[2].partition("[")[0]) for case, _, path, *_ in VALUES}
    assert {(case, element) for case, element, _ in rows} == told
