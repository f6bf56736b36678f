"""Own readings of lead types: for all accounts or for one, refused where no type can have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from leadbus.web.problems import Problem
from normalizer.domain.draft import Draft
from normalizer.domain.way import Way
from normalizer.lead_types import LEAD_TYPE_OVERRIDE, LeadTypeOverrideSpec, tables_of
from normalizer.sources import read
from normalizer.sources.bdk_types import TYPES, LeadType, LeadTypes


def override(type_id: str, account: str | None = None, **fields: Any) -> LeadTypeOverrideSpec:
    return LeadTypeOverrideSpec.model_validate({"type_id": type_id, "account": account, **fields})


def draft(type_id: str, types: LeadTypes) -> Draft:
    body = json.dumps({"leadId": "LS-1", "partnerNumber": "0047110", "bdkLeadTypeId": type_id}).encode()
    told = read("bdk", body, "application/json", Way(account="bank"), types)
    assert isinstance(told, Draft)
    return told


def test_without_overrides_every_account_has_the_table_of_the_release() -> None:
    assert tables_of([]) == {None: TYPES}


def test_a_lead_is_read_by_them() -> None:
    mine = override("7f", callback=False, product="financing", ambiguous=False, urgency={"title": "normal"})
    types = tables_of([mine])[None]
    before, after = draft("7f", TYPES), draft("7f", types)
    assert ("callback" in before.intents, "callback" in after.intents) == (True, False)
    assert "financing" in after.intents
    assert after.source_type == "7f"


def test_a_type_that_the_release_does_not_know_becomes_known() -> None:
    types = tables_of([override("2A", title="DIGEO Kundenkalkulator Barkauf", product="cash")])[None]
    told = draft("2a", types)
    assert "cash" in told.intents
    assert "lead_type_unknown" not in {warning.code for warning in told.warnings}
    assert "lead_type_unknown" in {warning.code for warning in draft("2a", TYPES).warnings}


def test_an_accounts_own_reading_stands_over_that_of_any() -> None:
    any_account, one = {"title": "high"}, {"title": "highest"}
    tables = tables_of([override("1a", urgency=any_account), override("1a", "other", urgency=one)])
    assert draft("1a", tables[None]).urgency == "high"
    assert draft("1a", tables["other"]).urgency == "highest"


def test_what_is_left_out_keeps_its_reading() -> None:
    types = tables_of([override("1e", title="Probefahrt, Bonität gut")])[None]
    assert draft("1e", types).intents == draft("1e", TYPES).intents
    assert types.read("1e").precheck == TYPES.read("1e").precheck


def test_a_hint_can_be_taken_away() -> None:
    assert tables_of([override("7e", hints=[])])[None].read("7e").hints == ()


@pytest.mark.parametrize(
    ("pointer", "spec"),
    [
        pytest.param("", {"type_id": "1a"}, id="changes nothing"),
        pytest.param("", {"type_id": "1a", "urgency": {}}, id="changes nothing either"),
        pytest.param("/type_id", {"type_id": "a1", "callback": True}, id="no type"),
        pytest.param("/type_id", {"callback": True}, id="of which type"),
        pytest.param("/channel", {"type_id": "1a", "channel": "pigeon"}, id="unknown channel"),
        pytest.param("/precheck", {"type_id": "1a", "precheck": "approved"}, id="no promise"),
        pytest.param("/urgency/title", {"type_id": "1a", "urgency": {"title": "now"}}, id="unknown urgency"),
        pytest.param("/known", {"type_id": "1a", "known": False}, id="not a facet"),
    ],
)
def test_what_no_type_can_have_is_refused_by_its_field(pointer: str, spec: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        LEAD_TYPE_OVERRIDE.read(spec)
    assert [error.pointer for error in refused.value.errors] == [f"/spec{pointer}"]


@pytest.mark.parametrize("name", sorted(LeadTypeOverrideSpec.model_fields.keys() - {"type_id", "account"}))
def test_every_field_is_one_of_the_table(name: str) -> None:
    assert name in LeadType.model_fields
