"""VirtualExpo: the vendor's tables case by case, and what a lead of it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.lead import Dealer, Lead
from leadbus.contracts.virtualexpo import MARKETPLACES
from leadbus.contracts.virtualexpo_document import split
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.sources.virtualexpo import read
from normalizer.sources.virtualexpo_codes import packaged

from tests.support.virtualexpo import document

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
XML = "application/xml"
DEALER = Dealer(dealer_id="hoffmann", name="Hoffmann", country="DE", time_zone="Europe/Berlin")
LEADS = [lead.data for lead in split(VIRTUALEXPO_XML.encode()).leads]


def tell(*args: Any, **told: Any) -> Draft:
    return read(document(*args, **told), XML)


def lead_of(draft: Draft) -> Lead:
    return place(draft, Origin("virtualexpo", "directindustry", AT), DEALER)


def warned(draft: Draft) -> set[tuple[str, str]]:
    return {(warning.code, warning.field) for warning in draft.warnings}


@pytest.mark.parametrize(
    ("case", "category", "written", "answer_expected", "basis", "purposes", "intents"),
    [
        ("VX-7.1", "request", "Documentation", True, "form", "reply sales", "documentation"),
        ("VX-7.2", "request", "Quote", True, "form", "reply sales", "quote"),
        ("VX-7.3", "request", "Documentation / Quote", True, "form", "reply sales", "documentation quote"),
        ("VX-7.4", "request", "Price Options", True, "form", "reply sales", "price"),
        (
            *("VX-7.5", "request", "Documentation / Price options"),
            *(True, "form", "reply sales", "documentation price"),
        ),
        ("VX-8.1", "prospect", "Price options", False, "form", "sales", "price"),
        ("VX-9.1", "visit", None, False, "none", "nurture", "nurture"),
    ],
)
def test_category_and_type(
    case: str,
    category: str,
    written: str | None,
    answer_expected: bool,
    basis: str,
    purposes: str,
    intents: str,
) -> None:
    draft = tell(category, type=written)
    assert draft.answer_expected is answer_expected
    assert (draft.consent.basis, draft.consent.purposes) == (basis, tuple(purposes.split()))
    assert draft.intents == tuple(intents.split())
    assert draft.channel == ("visit" if category == "visit" else "portal")
    assert draft.extras.get("type") == written
    assert draft.warnings == ()


@pytest.mark.parametrize(
    ("category", "written", "source_type", "intents", "warning"),
    [
        ("request", "Documentation", "request/documentation", "documentation", None),
        ("request", "Documentation / Price Options", None, "documentation price", None),
        ("request", "QUOTE/documentation", "request/documentation/quote", "documentation quote", None),
        ("request", "Quote / quote /", "request/quote", "quote", None),
        ("prospect", "Price  options", "prospect/price options", "price", None),
        ("visit", None, "visit", "nurture", None),
        # What no button of a stand makes.
        ("request", "Documentation / Quote / Price options", None, "documentation quote price", "unexpected"),
        ("request", None, "request", "inquiry", "unexpected"),
        ("prospect", "Quote", "prospect/quote", "quote", "unexpected"),
        ("prospect", None, "prospect", "inquiry", "unexpected"),
        ("visit", "Quote", "visit/quote", "nurture", "unexpected"),
        ("request", "Sample", "request/sample", "inquiry", "unknown"),
        ("request", "Sample / Quote", "request/quote/sample", "quote", "unknown"),
    ],
)
def test_a_type_is_a_set(
    category: str, written: str | None, source_type: str | None, intents: str, warning: str | None
) -> None:
    draft = tell(category, type=written)
    assert source_type in (None, draft.source_type)
    assert draft.intents == tuple(intents.split())
    assert warned(draft) == ({(f"type_{warning}", "source_type")} if warning else set())
    assert draft.answer_expected is (category == "request")


@pytest.mark.parametrize("written", ["Requests", " request ", "REQUEST"])
def test_a_category_is_read_in_any_case_and_number(written: str) -> None:
    assert tell(written, type="Quote").source_type == "request/quote"


OWN_FIELDS = {
    "AeroExpo": {"businessCompanyType", "businessSector"},
    "AgriExpo": {"businessCompanyType", "businessSector"},
    "ArchiExpo": {"businessCompanyType"},
    "DirectIndustry": {"businessCompanyType", "businessSector"},
    "MedicalExpo": {"businessCompanyType", "employeePosition"},
    "NauticExpo": {"businessCompanyType", "businessSector"},
}


def with_own_fields(marketplace: str, **words: str) -> bytes:
    return document(
        "visit",
        marketplace,
        buyer={"employeePosition": words.get("employeePosition", "Surgery")},
        company={
            "businessCompanyType": words.get("businessCompanyType", "Hospital"),
            "businessSector": words.get("businessSector", "Health"),
        },
        address={"country": "France"},
    )


@pytest.mark.parametrize("case", ["VX-11"])
@pytest.mark.parametrize("marketplace", MARKETPLACES)
def test_fields_of_a_marketplace(case: str, marketplace: str) -> None:
    draft = read(with_own_fields(marketplace), XML)
    position = "extras.buyer.medicalSpeciality" if marketplace == "MedicalExpo" else "customer.position"
    places = {
        "businessCompanyType": "customer.company.kind",
        "businessSector": "customer.company.sector",
        "employeePosition": position,
    }
    assert draft.company is not None
    assert (draft.company.kind, draft.company.sector) == ("Hospital", "Health")
    assert (draft.extras.get("buyer.medicalSpeciality") or draft.position) == "Surgery"
    assert (draft.position is None) is (marketplace == "MedicalExpo")
    assert (draft.extras["address.country"], draft.addresses[0].country) == ("France", "FR")
    assert draft.extras["marketplace"] == marketplace
    assert warned(draft) == {
        ("code_unlisted" if field in OWN_FIELDS[marketplace] else "field_outside_marketplace", path)
        for field, path in places.items()
    }


def test_a_listed_word_is_not_doubted_and_another_list_does_not_list_it() -> None:
    codes = packaged().extended({"AeroExpo": {"businessCompanyType": ["Air line "]}})
    told = {"businessCompanyType": "AIR  LINE"}
    listed = read(with_own_fields("AeroExpo", **told), XML, codes)
    assert listed.company is not None
    assert listed.company.kind == "AIR LINE"
    assert ("code_unlisted", "customer.company.kind") not in warned(listed)
    elsewhere = read(with_own_fields("AgriExpo", **told), XML, codes)
    assert ("code_unlisted", "customer.company.kind") in warned(elsewhere)
    assert ("code_unlisted", "customer.company.kind") in warned(
        read(with_own_fields("AeroExpo", **told), XML)
    )


@pytest.mark.parametrize("written", ["TruckExpo", "", None])
def test_a_marketplace_that_nobody_knows_costs_nothing(written: str | None) -> None:
    draft = read(document("request", written, type="Quote", company={"businessSector": "Mines"}), XML)
    assert draft.company is not None
    assert draft.company.sector == "Mines"
    assert draft.extras.get("marketplace") == (written or None)
    assert warned(draft) == {("marketplace_unknown", "extras.marketplace")}


@pytest.mark.parametrize("case", ["VX-10"])
@pytest.mark.parametrize("name", MARKETPLACES)
def test_a_marketplace_is_read_as_people_write_it(case: str, name: str) -> None:
    for written in (name, name.lower(), name.replace("Expo", " EXPO")):
        draft = tell("visit", written)
        assert (draft.extras["marketplace"], draft.warnings) == (name, ())


@pytest.mark.parametrize("marketplace", MARKETPLACES)
@pytest.mark.parametrize(
    ("case", "written", "code"), [("VX-12", "Allemagne", "DE"), ("VX-12", "it", "IT"), ("VX-12", "?", None)]
)
def test_a_country_of_any_marketplace(case: str, written: str, code: str | None, marketplace: str) -> None:
    draft = tell("visit", marketplace, address={"country": written})
    assert draft.extras["address.country"] == written
    assert [address.country for address in draft.addresses] == ([code] if code else [])
    assert warned(draft) == (set() if code else {("country_unknown", "customer.addresses.0.country")})


@pytest.mark.parametrize(
    ("case", "category", "given", "basis", "purposes", "warning"),
    [
        ("request-yes", "request", "true", "form", ("reply", "sales"), None),
        ("request-no", "request", "false", "withdrawn", (), "consent_contradicts_category"),
        ("request-unread", "request", "peut-être", "form", ("reply", "sales"), "consent_unread"),
        ("request-silent", "request", "", "form", ("reply", "sales"), None),
        ("prospect-yes", "prospect", "1", "form", ("sales",), None),
        ("prospect-no", "prospect", "0", "withdrawn", (), "consent_contradicts_category"),
        ("visit-yes", "visit", "true", "granted", ("nurture",), None),
        ("visit-no", "visit", "false", "withdrawn", (), None),
        ("visit-unread", "visit", "?", "none", ("nurture",), "consent_unread"),
    ],
)
def test_consent_that_is_told_goes_before_the_category(
    case: str, category: str, given: str, basis: str, purposes: tuple[str, ...], warning: str | None
) -> None:
    told = {"given": given, "text": "I agree.", "at": "2026-04-14T10:22:30Z"}
    draft = tell(category, type={"request": "Quote", "prospect": "Price options"}.get(category), consent=told)
    assert (draft.consent.basis, draft.consent.purposes) == (basis, purposes)
    assert draft.consent.text == "I agree."
    assert draft.consent.at == datetime(2026, 4, 14, 10, 22, 30, tzinfo=UTC)
    assert draft.answer_expected is (category == "request")
    assert warned(draft) == ({(warning, "consent")} if warning else set())
    assert draft.extras.get("consent.given") == (given if warning else None)


def test_consent_of_a_form_was_given_when_it_was_filled_in_and_of_a_visit_never() -> None:
    form, visit = tell(type="Quote"), tell("visit")
    assert form.consent.at == form.occurred_at == datetime(2026, 4, 14, 10, 22, 31, tzinfo=UTC)
    assert visit.consent.at is None


def test_the_whole_example_arrives() -> None:
    draft = read(LEADS[0], XML)
    lead = lead_of(draft)
    assert (draft.location, draft.location_field) == ("18822", "stand.exhibitorId")
    assert (lead.ids[0].source, lead.ids[0].value) == ("VirtualExpo", "VX-5501873")
    name = lead.customer.name
    assert (name.salutation, name.first, name.last, name.full) == (
        "Mme",
        "Claire",
        "Le Goff",
        "Claire Le Goff",
    )
    assert lead.customer.type == "business"
    assert [email.address for email in lead.customer.emails] == ["claire.legoff@transports-legoff.example"]
    assert [(phone.raw, phone.type) for phone in lead.customer.phones] == [
        ("02 98 55 01 00", "unknown"),
        ("+33 6 39 98 01 23", "cellphone"),
    ]
    assert lead.customer.language == "fr"
    company = lead.customer.company
    assert company is not None
    assert (company.name, company.size) == ("Transports Le Goff", "20-49")
    assert company.website == "https://www.transports-legoff.example"
    assert [(product.id, product.name, product.category) for product in lead.products] == [
        ("P-20931", "Refrigerated body KB 7", "Vehicle bodies"),
        ("P-20944", "Tail lift TL 2000", None),
    ]
    assert lead.message == "Merci d'envoyer la fiche technique & un prix pour 3 véhicules."
    assert lead.extras == {
        "type": "Documentation / Quote",
        "marketplace": "DirectIndustry",
        "stand.exhibitorName": "Hoffmann Nutzfahrzeuge",
        "address.country": "France",
    }
    (address,) = lead.customer.addresses
    assert (address.street, address.postal_code) == (("4 quai de l'Odet",), "29000")
    assert (address.city, address.country) == ("Quimper", "FR")
    assert [phone.e164 for phone in lead.customer.phones] == ["+33298550100", "+33639980123"]


def test_one_number_told_twice_is_one_and_a_mobile_phone() -> None:
    phones = tell(type="Quote", buyer={"phone": "+33 6 39 98 01 23", "mobile": "+33 6 39 98  01 23"}).phones
    assert [(phone.raw, phone.type) for phone in phones] == [("+33 6 39 98 01 23", "cellphone")]


def test_a_moment_without_offset_is_the_vendors_clock_and_told() -> None:
    draft = read(LEADS[1], XML)
    assert draft.occurred_at == datetime(2026, 4, 14, 8, 41, 7, tzinfo=UTC)
    assert ("time_zone_assumed", "occurred_at") in warned(draft)
    assert draft.extras["createdAt"] == "2026-04-14T10:41:07"


def test_a_visit_may_name_nobody() -> None:
    lead = lead_of(read(LEADS[2], XML))
    assert (lead.customer.name.full, lead.customer.emails, lead.customer.phones) == (None, (), ())
    assert lead.customer.company is not None
    assert lead.customer.company.name == "Autotrasporti Rossi"


def test_without_an_id_the_circumstances_are_the_lead() -> None:
    told = {"type": "Quote", "buyer": {"email": "A@b.example"}, "product": {"productId": "P-1"}}
    draft = tell(at_id=None, **told)
    assert (draft.external_id, draft.ids) == (None, ())
    same = lead_of(tell(at_id=None, **told | {"message": "Hello"}))
    assert lead_of(draft).lead_id == same.lead_id
    assert same.lead_id != lead_of(tell(at_id=None, **told | {"product": {"productId": "P-2"}})).lead_id


def test_without_a_stand_the_marketplace_is_the_place() -> None:
    draft = tell("visit", stand=None)
    assert draft.location == "DirectIndustry"
    assert warned(draft) == {("stand_missing", "dealer")}
    assert read(document("visit", None, stand=None), XML).location == "VirtualExpo"
