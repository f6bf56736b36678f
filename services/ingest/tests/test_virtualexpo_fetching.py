"""Leads fetched from VirtualExpo: each a raw message once, whatever else is in the document."""

from __future__ import annotations

from typing import Any

import pytest
from ingest.fetching.ending import Outcome
from ingest.store import virtualexpo as store
from leadbus.contracts.virtualexpo_document import split
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead

from tests.support.vendor import NEXT_SECONDS, Vendor


@pytest.mark.parametrize(
    ("second_lead", "categories"),
    [
        pytest.param({"category": "prospect", "type_": "Price options"}, ("request", "prospect"), id="VX-1"),
        pytest.param({"category": "visit", "type_": None}, ("request", "visit"), id="VX-2"),
    ],
)
async def test_every_lead_is_a_raw_message(
    vendor: Vendor, second_lead: dict[str, Any], categories: tuple[str, ...]
) -> None:
    """VX-1: downloaded from the address with the key. VX-2: also who only looked at the stand."""
    leads = [lead("L-1"), lead("L-2", **second_lead)]
    vendor.serve(*leads)
    await vendor.subscribe(categories=list(categories), visits_confirmed=True)
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.leads, result.new_leads) == (Outcome.SUCCEEDED, 2, 2)
    first, second = await vendor.published()
    (attempt,) = await vendor.rows("SELECT * FROM virtualexpo_attempt")
    assert [message["body"] for message in (first, second)] == [
        one.data for one in split(document(leads).encode()).leads
    ]
    for message in (first, second):
        assert message["account"] == "aero"
        assert message["categories"] == ",".join(categories)
        assert message["correlationid"] == str(attempt["attempt_id"])
        assert "trial" not in message
    assert (attempt["outcome"], attempt["code"], attempt["http_status"]) == ("succeeded", "ok", 200)


async def test_what_comes_again_is_no_news_and_what_changed_is(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"), lead("VX-2"))
    await vendor.subscribe()
    await vendor.fetch()
    vendor.serve(lead("VX-1"), lead("VX-2", message="Two of them, please"), lead("VX-3"))
    result = await vendor.fetch(NEXT_SECONDS)
    assert result is not None
    assert (result.leads, result.new_leads) == (3, 2)
    ids = [message["id"] for message in await vendor.published()]
    assert len(ids) == len(set(ids)) == 4


async def test_an_empty_document_is_a_normal_answer(vendor: Vendor) -> None:
    vendor.serve()
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code, result.leads) == (Outcome.SUCCEEDED, "ok", 0)
    assert await vendor.rows("SELECT FROM quarantine") == []


async def test_one_bad_lead_costs_no_other(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"), '<lead id="VX-2" category="rumour"><junk/></lead>', lead("VX-3"))
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.new_leads) == (Outcome.SUCCEEDED, 3)


async def test_a_lead_of_a_trial_comes_anew_when_the_trial_is_over(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"))
    await vendor.subscribe(trial=True)
    tried = await vendor.fetch()
    assert tried is not None
    assert tried.report is not None
    assert tried.report["fields"]["lead/buyer/email"] == 1
    await vendor.subscribe(trial=False)
    real = await vendor.fetch(NEXT_SECONDS)
    assert real is not None
    assert (real.new_leads, real.report) == (1, None)
    first, second = await vendor.published()
    assert first["trial"] == "true"
    assert "trial" not in second
    assert first["id"] != second["id"]
    assert first["body"] == second["body"]


async def test_a_lead_that_was_not_selected_comes_anew_when_it_is(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1", category="prospect", type_="Price options"))
    await vendor.subscribe(categories=["request"])
    await vendor.fetch()
    await vendor.subscribe(categories=["request", "prospect"])
    result = await vendor.fetch(NEXT_SECONDS)
    assert result is not None
    assert result.new_leads == 1
    assert [message["categories"] for message in await vendor.published()] == ["request", "request,prospect"]


async def test_a_thousand_leads_come_in_batches(vendor: Vendor) -> None:
    vendor.serve(*(lead(f"VX-{number}") for number in range(1000)))
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert result.new_leads == 1000
    assert len(await vendor.published()) == 1000


async def test_leads_are_stored_once_the_database_takes_them(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor may give what it has only once."""
    end, failures = store.end, iter([True, True])

    async def away(*given: Any) -> None:
        if next(failures, False):
            raise ConnectionResetError
        await end(*given)

    monkeypatch.setattr(store, "end", away)
    vendor.serve(lead("VX-1"))
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert result.new_leads == 1
    assert len(vendor.asked()) == 1
    (attempt,) = await vendor.rows("SELECT outcome FROM virtualexpo_attempt")
    assert attempt["outcome"] == "succeeded"


async def test_a_key_belongs_into_a_header_where_the_vendor_wants_it(vendor: Vendor) -> None:
    await vendor.subscribe(url=f"{vendor.sandbox.url}/leads", key_header="X-Access-Key")
    await vendor.fetch()
    (seen,) = vendor.asked()
    assert seen.headers["x-access-key"] == vendor.sandbox.secret
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.query == ""


async def test_a_redirect_within_the_host_is_followed(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"))
    vendor.sandbox.control(redirect=f"/leads?key={vendor.sandbox.secret}", times=1)
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.leads) == (Outcome.SUCCEEDED, 1)


async def test_what_is_too_large_for_the_normalizer_is_not_published(vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"), lead("VX-2", message="x" * (4 * 1024 * 1024)))
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code) == (Outcome.PARTIAL, "lead_too_large")
    assert (result.leads, result.new_leads) == (2, 1)
    assert result.quarantine_id is not None
    assert b"VX-2" in await vendor.kept(result.quarantine_id)
