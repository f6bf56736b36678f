"""What a viewer is shown of a lead: of the customer and of the visit only what was decided to be shown."""

from __future__ import annotations

from typing import Any

from leadbus.contracts.attribution import Attribution
from leadbus.contracts.customer import Address, Company, Customer, Email, Name, Phone
from normalizer.domain.masking import masked
from pydantic import BaseModel

HIDDEN = "•••"


def told(model: type[BaseModel], **others: Any) -> dict[str, Any]:
    """Each field holds its own name, as if it were the most personal thing there is."""
    return {name: f"<{name}>" for name in model.model_fields} | others


CUSTOMER = told(
    Customer,
    name=told(Name),
    company=told(Company),
    emails=[told(Email, address="<local>@example.org")],
    phones=[told(Phone, e164="+13125550191")],
    addresses=[told(Address)],
)


def kept(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys(), "a viewer sees that there is something"
    return {name for name in before if before[name] == after[name]}


def test_of_the_visit_nothing_that_follows_a_person_around() -> None:
    visit = {name: {"value": f"<{name}>", "raw_id": "raw-1"} for name in Attribution.model_fields}
    shown = masked({"attribution": visit})["attribution"]
    assert visit.keys() - kept(visit, shown) == {
        "ip",
        "ga_client_id",
        "ym_client_id",
        "at_client_id",
        "full_referral_path",
        "page_path",
        "mailbox_address",
    }
    assert shown["ga_client_id"] == HIDDEN
    assert masked({"attribution": {"of_a_later_release": "x"}}) == {
        "attribution": {"of_a_later_release": HIDDEN}
    }


def test_of_the_customer_what_names_nobody() -> None:
    shown = masked({"customer": CUSTOMER})["customer"]
    assert kept(CUSTOMER, shown) == {"type", "language"}
    assert (shown["position"], shown["company"]["size"]) == (HIDDEN, HIDDEN)
    for part, names in (
        ("emails", {"primary"}),
        ("phones", {"type", "best_time", "primary"}),
        ("addresses", {"city", "region", "country", "type"}),
    ):
        assert kept(CUSTOMER[part][0], shown[part][0]) == names
    assert shown["emails"][0]["address"] == f"<{HIDDEN}@example.org"
    assert shown["phones"][0]["e164"] == f"{HIDDEN}91"
    assert kept(CUSTOMER["name"], shown["name"]) == set()


def test_a_warning_keeps_its_code_and_hides_its_words() -> None:
    warning = {"code": "vin_invalid", "field": "vehicles.0.vin", "detail": "Jane's car"}
    assert masked({"warnings": [warning]}) == {"warnings": [{**warning, "detail": "[10 characters]"}]}
