"""VirtualExpo: what does not fit is told and kept, what cannot be read is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.lead import Dealer, Lead
from leadbus.contracts.virtualexpo_document import split
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.virtualexpo import read

from tests.support.virtualexpo import document

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
XML = "application/xml"
DEALER = Dealer(dealer_id="hoffmann", name="Hoffmann", country="DE", time_zone="Europe/Berlin")
LEADS = [lead.data for lead in split(VIRTUALEXPO_XML.encode()).leads]


def tell(**told: Any) -> Draft:
    return read(document(**told), XML)


def warned(draft: Draft) -> set[tuple[str, str]]:
    return {(warning.code, warning.field) for warning in draft.warnings}


@pytest.mark.parametrize(
    ("path", "told", "kept", "code", "field"),
    [
        ("createdAt", "yesterday", "yesterday", "value_unread", "occurred_at"),
        ("createdAt", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "time_implausible", "occurred_at"),
        ("buyer.email", "none", None, "email_invalid", "customer.emails.0"),
        ("buyer.email", ["a@b.example", "c@d.example"], '["c@d.example"]', "value_repeated", None),
        ("buyer.language", "français!", "français!", "value_unread", "customer.language"),
        ("buyer.firstName", "N/A", None, "name_placeholder", "customer.name"),
        ("buyer", "Claire", "Claire", "value_unread", "customer"),
        ("buyer", [{"phone": "1"}, {"phone": "2"}], '[{"phone": "2"}]', "value_repeated", "customer"),
        ("message", {"p": "Hi"}, '{"p": "Hi"}', "value_unread", "message"),
        ("product", "a body", None, "value_unread", "products.0"),
        ("company", "ACME", "ACME", "value_unread", "customer.company"),
        ("company.website", "file:///etc/passwd", "file:///etc/passwd", "link_unusable", None),
        ("address.country", "Atlantis", "Atlantis", "country_unknown", "customer.addresses.0.country"),
        ("address.country", {"iso": "FR"}, '{"iso": "FR"}', "value_unread", None),
        ("stand", "18822", "18822", "value_unread", "dealer"),
        ("consent.at", "noon", "noon", "value_unread", "consent.at"),
    ],
)
def test_a_doubtful_value_warns_and_stays(
    path: str, told: Any, kept: str | None, code: str, field: str | None
) -> None:
    name, _, inner = path.partition(".")
    draft = tell(**{"type": "Quote", name: {inner: told} if inner else told})
    assert code in {warning.code for warning in draft.warnings if field in (None, warning.field)}
    assert draft.extras.get(path) == kept
    assert draft.source_type == "request/quote"


def test_a_product_is_kept_whatever_it_holds() -> None:
    draft = tell(type="Quote", product=["a body", {"productId": "1", "productUrl": "javascript:alert(1)"}])
    assert [(product.id, product.url) for product in draft.products] == [("1", None)]
    assert (draft.extras["products.0"], draft.extras["products.0.url"]) == ("a body", "javascript:alert(1)")
    assert warned(draft) == {("value_unread", "products.0"), ("link_unusable", "products.0.url")}


def test_a_site_without_a_scheme_is_a_site() -> None:
    draft = tell(type="Quote", company={"website": "www.acme.example/fr"})
    assert draft.company is not None
    assert draft.company.website == "www.acme.example/fr"
    assert draft.warnings == ()


def test_a_language_tag_is_written_with_hyphens() -> None:
    assert tell(type="Quote", buyer={"language": "pt_BR"}).language == "pt-BR"


def test_a_whole_name_in_one_field_is_told_apart() -> None:
    name = tell(type="Quote", buyer={"firstName": "Dr. Anna van der Berg"}).name
    assert (name.salutation, name.first, name.last) == ("Dr.", "Anna", "van der Berg")


def test_what_has_no_field_is_kept() -> None:
    draft = tell(
        type="Quote",
        score="7",
        tags={"tag": ["a", "b"]},
        at_priority="high",
        buyer={"fax": "123", "email": "a@b.example"},
        product=[{"productId": "1", "ref": "x"}, {"productId": "2"}],
        stand={"exhibitorId": "9", "hall": "4"},
    )
    assert {
        "score": "7",
        "tags.tag.0": "a",
        "tags.tag.1": "b",
        "@priority": "high",
        "buyer.fax": "123",
        "products.0.ref": "x",
        "stand.hall": "4",
    }.items() <= draft.extras.items()


def test_an_addition_in_another_namespace_replaces_nothing() -> None:
    body = document(type="Quote", message="Ours").replace(
        b"</lead>", b'<message xmlns="x">Theirs</message></lead>'
    )
    draft = read(body, XML)
    assert (draft.message, draft.extras["message"]) == ("Ours", '["Theirs"]')


def test_a_hostile_lead_does_not_become_a_large_one() -> None:
    draft = tell(type="Quote", product=[{"productUrl": "x", "a": "b"}] * 20_000)
    assert len(draft.products) == 100
    assert len(draft.extras) < 250
    assert len(draft.warnings) < 250
    assert ("too_many", "products") in warned(draft)


@pytest.mark.parametrize(
    ("body", "content_type", "reason", "field", "kind"),
    [
        (document(None), XML, "payload_invalid", "@category", "missing"),
        (document("buyer@example.org"), XML, "payload_invalid", "@category", "string"),
        (document(stand={"exhibitorId": "9" * 201}), XML, "payload_invalid", "stand.exhibitorId", "string"),
        (b"<lead/>", XML, "payload_invalid", "@category", "missing"),
        (VIRTUALEXPO_XML.encode(), XML, "payload_invalid", None, "element"),
        (document()[:-3], XML, "undecodable", None, None),
        (b"", None, "undecodable", None, None),
        (b"{}", "application/json", "undecodable", None, None),
        (b"a,b", "text/csv", "unsupported_type", "content_type", None),
        (b'<!DOCTYPE lead [<!ENTITY a "b">]><lead>&a;</lead>', XML, "xml_forbidden", None, None),
        (b"<lead>&nbsp;</lead>", XML, "xml_forbidden", None, None),
        (b"<html>Sorry</html>", "text/html", "unsupported_type", "content_type", None),
        (document(message="\xe9").decode().encode("latin-1"), XML, "undecodable", None, None),
    ],
)
def test_what_is_refused_says_where_and_nothing_of_what(
    body: bytes, content_type: str | None, reason: str, field: str | None, kind: str | None
) -> None:
    with pytest.raises(Rejection) as caught:
        read(body, content_type)
    refused = caught.value
    assert (refused.reason, refused.field, refused.kind) == (reason, field, kind)
    assert "buyer@" not in str(refused)


WORDS_OF_A_LEAD = """
    type createdAt stand exhibitorId product productUrl buyer firstName email mobile language
    employeePosition company website businessSector address country message consent given at x
"""
NAMES = st.sampled_from(WORDS_OF_A_LEAD.split())
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "So")), max_size=30)
ELEMENTS = st.recursive(
    WORDS,
    lambda inner: st.dictionaries(NAMES, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=15,
)


def outcome(body: bytes, content_type: str | None) -> None:
    """Either a draft that makes a lead which can be written down, or the named error."""
    try:
        draft = read(body, content_type)
    except Rejection:
        return
    lead = place(draft, Origin("virtualexpo", "directindustry", AT), DEALER)
    assert Lead.model_validate_json(lead.to_json()) == lead


@settings(max_examples=400, deadline=None)
@given(
    category=st.sampled_from(["request", "prospect", "visit"]),
    told=st.dictionaries(NAMES, ELEMENTS, max_size=8),
)
def test_nothing_but_category_and_exhibitor_can_cost_the_lead(category: str, told: dict[str, Any]) -> None:
    body = document(category, **told)
    assert read(body, XML).consent.basis in ("form", "none", "granted", "withdrawn")
    outcome(body, XML)


@settings(max_examples=400, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.tuples(st.sampled_from(LEADS), st.binary(max_size=20), st.integers(0, 1_500)).map(
        lambda cut: cut[0][: cut[2]] + cut[1] + cut[0][cut[2] :]
    ),
    content_type=st.sampled_from([None, XML, "text/xml; charset=latin-1", "text/plain", ";", "é"]),
)
def test_any_bytes_are_a_lead_or_a_rejection(body: bytes, content_type: str | None) -> None:
    outcome(body, content_type)
